/** HTTPS_PROXY as the only way out: the runbook's own requests and handshakes go there, and its refusal is told as one. */
import { createServer } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { realHttp } from '../../lib/base/http.ts';
import { proxyFor } from '../../lib/base/proxy.ts';
import { realServedCertificate } from '../../lib/clients/tls.ts';
import { testCa } from '../tls/scratch.ts';

const HOST = 'dns.googleapis.com';
const asked: string[] = [];
let status = 200;
let upstream = 0;
let proxy = '';

const google = await (async () => {
  const ca = await testCa();
  const { cert, key } = await ca.sign([HOST]);
  setDefaultCACertificates([...getCACertificates('default'), ca.pem]);
  return createSecure({ cert, key }, (_, answer) => answer.end('google'));
})();
const proxying = createServer((request, answer) => {
  asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
  answer.writeHead(status).end('by the proxy');
});
proxying.on('connect', (request, socket) => {
  asked.push(`CONNECT ${request.url ?? ''} ${request.headers['proxy-authorization'] ?? ''}`.trim());
  if (status !== 200) {
    socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    return;
  }
  const to = connect(upstream, '127.0.0.1', () => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    to.pipe(socket).pipe(to);
  });
  for (const end of [to, socket]) end.on('error', () => undefined);
});

beforeAll(async () => {
  for (const server of [google, proxying])
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  upstream = (google.address() as AddressInfo).port;
  proxy = `127.0.0.1:${(proxying.address() as AddressInfo).port}`;
});
beforeEach(() => {
  asked.length = 0;
  status = 200;
});
afterAll(() => {
  for (const server of [google, proxying]) server.close();
  google.closeAllConnections();
});

test('Google is asked through the proxy, with its user and password', async () => {
  const http = realHttp(undefined, { HTTPS_PROXY: `http://user:pass%20word@${proxy}` });
  expect((await http({ url: `https://${HOST}/` })).body).toBe('google');
  expect(asked).toEqual([`CONNECT ${HOST}:443 Basic ${Buffer.from('user:pass word').toString('base64')}`]);
});

test('the handshake that reads a host’s certificate goes there, too', async () => {
  expect(await realServedCertificate(undefined, { https_proxy: proxy })(HOST)).toMatchObject({
    trusted: true,
    subjectAltNames: [HOST],
  });
  expect(asked).toEqual([`CONNECT ${HOST}:443`]);
});

test('plain http goes by HTTP_PROXY', async () => {
  expect((await realHttp(undefined, { http_proxy: proxy })({ url: 'http://ip.test/x' })).body).toBe('by the proxy');
  expect(asked).toEqual(['GET http://ip.test/x']);
});

test.each([
  [407, 'put its user and password into HTTPS_PROXY'],
  [403, `have the proxy let ${HOST}:443 through`],
])('HTTP %i of the proxy is told as the proxy’s', async (refusal, next) => {
  status = refusal;
  const parts = {
    what: `the proxy ${proxy} (HTTPS_PROXY) does not let ${HOST}:443 through (HTTP ${refusal})`,
    next: expect.stringContaining(next) as string,
  };
  const environment = { HTTPS_PROXY: `http://${proxy}` };
  await expect(realHttp(undefined, environment)({ url: `https://${HOST}/` })).rejects.toMatchObject({ parts });
  await expect(realServedCertificate(undefined, environment)(HOST)).rejects.toMatchObject({ parts });
});

test('a proxy that is not there is told as that', async () => {
  const http = realHttp(undefined, { HTTPS_PROXY: 'http://127.0.0.1:1' });
  await expect(http({ url: `https://${HOST}/` })).rejects.toMatchObject({
    name: 'ProxyFailed',
    parts: { what: 'the proxy 127.0.0.1:1 (HTTPS_PROXY) does not answer' },
  });
});

test.each([
  ['https://dns.googleapis.com/', 'googleapis.com', false],
  ['https://dns.googleapis.com/', '.googleapis.com, x', false],
  ['https://dns.googleapis.com/', '*.googleapis.com', false],
  ['https://dns.googleapis.com/', 'apis.com', true],
  ['https://dns.googleapis.com/', 'dns.googleapis.com:8443', true],
  ['https://dns.googleapis.com:8443/', 'dns.googleapis.com:8443', false],
  ['https://10.1.2.3/', '10.0.0.0/8', false],
  ['https://11.1.2.3/', '10.0.0.0/8,nonsense/99', true],
  ['https://[fd00::1]/', 'fd00::/8', false],
  ['https://198.18.255.10/', '198.18.255.10', false],
  ['https://a.test/', '*', false],
  ['https://localhost:5000/', '', false],
  ['http://127.0.0.1:5000/', '', false],
])('%s with NO_PROXY=%s: through the proxy is %s', (url, exceptions, proxied) => {
  const environment = { ALL_PROXY: 'http://p.test:3128', no_proxy: exceptions };
  expect(proxyFor(new URL(url), environment)?.host).toBe(proxied ? 'p.test:3128' : undefined);
});

test('a SOCKS proxy is told, and nothing is asked around it', () => {
  expect(() => proxyFor(new URL('https://a.test/'), { ALL_PROXY: 'socks5://p.test:1080' })).toThrow(
    'it is a socks5 proxy',
  );
});
