/**
 * TLS cases at the edge, against the deployment that ENV_FILE names: what a client sees, from outside. Each is a row of
 * docs/security.md. SHORT=1 leaves out the stream that is held longer than 5 minutes.
 */
import { randomBytes, X509Certificate } from 'node:crypto';
import { getCACertificates, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kubentlyApi } from '../../lib/deployment/kubently/api.ts';
import { makeContext, realOutside } from '../../lib/context.ts';
import { HSTS_SECONDS } from '../../lib/deployment/certificates/edge.ts';
import { Secret } from '../../lib/base/secret.ts';
import { loadSettings } from '../../lib/settings/settings.ts';
import { answerToHello } from './client-hello.ts';
import { ask, askLine, burst, connected, handshake, held } from './connection.ts';
import { kubectl, makeScratch, removeScratch, testCa, tlsSecret } from './scratch.ts';
import { keepResults, type CaseResult } from './table.ts';

const settings = loadSettings();
const ctx = makeContext(settings, realOutside(settings), true);
const { host } = settings;
const [address = ''] = await ctx.dns.addresses(host);
const at = { host: address, servername: host };
const api = `https://${host}`;
const open = { rejectUnauthorized: false };
const results: CaseResult[] = [];

/** One row: what was seen must begin with what was expected, or fit the pattern. */
function row(name: string, expected: string, probe: () => Promise<string>, pattern?: RegExp, timeoutMs = 60_000): void {
  test(
    name,
    async () => {
      const result: CaseResult = { name, expected, seen: 'nothing', passed: false };
      results.push(result);
      try {
        result.seen = await probe();
      } catch (error) {
        result.seen = `error: ${String(error)}`;
      }
      result.passed = pattern ? pattern.test(result.seen) : result.seen.startsWith(expected);
      expect(result.passed, `seen: ${result.seen}`).toBe(true);
    },
    timeoutMs,
  );
}

afterAll(() => keepResults('edge', results));

describe('protocol', () => {
  const only = (version: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') => () =>
    handshake({ ...at, minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' });
  row('SSL 3.0 only', 'refused: protocol version', () =>
    answerToHello(address, { version: 0x0300, ciphers: [0xc02f, 0x002f], serverName: host }),
  );
  row('TLS 1.0 only', 'refused: tlsv1 alert protocol version', only('TLSv1'), /^refused: .*protocol.version/);
  row('TLS 1.1 only', 'refused: tlsv1 alert protocol version', only('TLSv1.1'), /^refused: .*protocol.version/);
  row('TLS 1.2 only', 'accepted: TLSv1.2', only('TLSv1.2'));
  row('TLS 1.3 only', 'accepted: TLSv1.3', only('TLSv1.3'));
  row('TLS 1.0 to 1.3 offered', 'accepted: TLSv1.3', () =>
    handshake({ ...at, minVersion: 'TLSv1', maxVersion: 'TLSv1.3', ciphers: 'DEFAULT@SECLEVEL=0' }),
  );
});

describe('cipher suites of TLS 1.2', () => {
  const suite = (ciphers: string) => () =>
    handshake({ ...at, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: `${ciphers}:@SECLEVEL=0` });
  const either = (tail: string) => `ECDHE-RSA-${tail}:ECDHE-ECDSA-${tail}`;
  const refused = 'refused: handshake failure';
  const failure = /^refused: .*handshake.failure/;
  row('ECDHE with AES-128-GCM', 'accepted: TLSv1.2 TLS_ECDHE', suite(either('AES128-GCM-SHA256')));
  row('ECDHE with AES-256-GCM', 'accepted: TLSv1.2 TLS_ECDHE', suite(either('AES256-GCM-SHA384')));
  row('ECDHE with ChaCha20-Poly1305', 'accepted: TLSv1.2 TLS_ECDHE', suite(either('CHACHA20-POLY1305')));
  row('ECDHE with AES-CBC and SHA-1', refused, suite(either('AES128-SHA')), failure);
  row('ECDHE with AES-CBC and SHA-256', refused, suite(either('AES128-SHA256')), failure);
  row('static RSA with AES-GCM (no forward secrecy)', refused, suite('AES128-GCM-SHA256'), failure);
  row('static RSA with AES-CBC', refused, suite('AES128-SHA'), failure);
  row('finite-field DHE', refused, suite('DHE-RSA-AES128-GCM-SHA256'), failure);
  row('no encryption (NULL)', refused, suite('eNULL'), failure);
  row('no authentication (anonymous DH)', refused, suite('aNULL'), failure);
  for (const [name, cipher] of [
    ['3DES', 0x000a],
    ['RC4', 0x0005],
    ['an export suite', 0x0003],
  ] as const)
    row(name, refused, () => answerToHello(address, { version: 0x0303, ciphers: [cipher], serverName: host }));
  row(
    'signatures by SHA-1 only',
    refused,
    () =>
      handshake({
        ...at,
        minVersion: 'TLSv1.2',
        maxVersion: 'TLSv1.2',
        ciphers: 'DEFAULT@SECLEVEL=0',
        sigalgs: 'RSA+SHA1:ECDSA+SHA1',
      }),
    /^refused: /,
  );
  const hello = { version: 0x0303, ciphers: [0xc02f, 0xc02b], serverName: host };
  row(
    'compression offered beside none',
    'accepted, compression 0 (none)',
    () => answerToHello(address, { ...hello, compression: [1, 0] }),
    /^accepted .*compression 0$/,
  );
  row('compression only', 'refused', () => answerToHello(address, { ...hello, compression: [1] }));
});

describe('names and trust', () => {
  row('right name', 'accepted: TLSv1.3', () => handshake(at));
  row('right name in capitals', 'accepted: TLSv1.3', () =>
    handshake({ host: address, servername: host.toUpperCase() }),
  );
  row('name that nobody serves', 'distrusted: ', () => handshake({ ...at, servername: 'unknown.example.org' }));
  row('no name (no SNI)', 'distrusted: ', () => handshake({ host: address, servername: '' }));
  row('a name below the host', 'distrusted: ', () => handshake({ ...at, servername: `www.${host}` }));
  row("the zone's own name", 'distrusted: ', () =>
    handshake({ ...at, servername: host.split('.').slice(1).join('.') }),
  );
  row('a client that trusts another CA only', 'distrusted: ', () =>
    handshake({ ...at, ca: getCACertificates('bundled').slice(0, 1) }),
  );
  row('name that nobody serves, client that does not care: over http', 'HTTP 404', () =>
    askLine({ url: 'https://unknown.example.org/health', address, tls: open }),
  );
  row('right name in TLS, another one in the Host header', 'HTTP 404', () =>
    askLine({ url: `${api}/health`, address, headers: { host: 'unknown.example.org' } }),
  );
});

describe('certificate', () => {
  let socket: TLSSocket;
  let leaf: X509Certificate;
  let sent = 0;
  beforeAll(async () => {
    socket = await connected(at);
    leaf = new X509Certificate(socket.getPeerCertificate().raw);
    for (let c = socket.getPeerX509Certificate(); c; c = c.issuerCertificate) {
      sent += 1;
      if (c.issuer === c.subject) break;
    }
    socket.destroy();
  });
  row('chain is complete', 'the client needs the root alone', () =>
    Promise.resolve(
      socket.authorized
        ? `the client needs the root alone; ${sent} certificates to it`
        : String(socket.authorizationError),
    ),
  );
  row('names', 'API_HOST alone', () =>
    Promise.resolve(leaf.subjectAltName === `DNS:${host}` ? 'API_HOST alone' : String(leaf.subjectAltName)),
  );
  row('in its lifetime, more than a third left', 'yes', () => {
    const [from, until] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
    const left = (until - Date.now()) / (until - from);
    return Promise.resolve(`${from <= Date.now() && left > 1 / 3 ? 'yes' : 'no'}: ${Math.round(left * 100)} % left`);
  });
  row(
    'key and signature',
    'RSA of 2048 bits or P-256, SHA-256 or better',
    () => {
      const { modulusLength, namedCurve } = leaf.publicKey.asymmetricKeyDetails ?? {};
      return Promise.resolve(`${modulusLength ?? namedCurve ?? '?'}, ${leaf.signatureAlgorithm ?? '?'}`);
    },
    /^(2048|3072|4096|prime256v1|secp384r1), .*sha(256|384|512)/i,
  );
});

describe('application protocol and session', () => {
  const alpn =
    (...ALPNProtocols: string[]) =>
    async () => {
      const made = await connected({ ...at, ALPNProtocols });
      made.destroy();
      return made.alpnProtocol || 'none';
    };
  row('h2 and http/1.1 offered', 'h2', alpn('h2', 'http/1.1'));
  row('http/1.1 offered', 'http/1.1', alpn('http/1.1'));
  row('an unknown protocol offered', 'refused', () => handshake({ ...at, ALPNProtocols: ['imap'] }));
  row('a session is resumed by TLS 1.2', 'resumed', () => resumed('TLSv1.2'));
  row('a session is resumed by TLS 1.3', 'resumed', () => resumed('TLSv1.3'));
  row('the client renegotiates (TLS 1.2)', 'refused', async () => {
    const made = await connected({ ...at, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
    return new Promise((resolve) => {
      // OpenSSL's message holds an address in memory; its reason does not.
      made.on('error', (error: Error & { reason?: string }) =>
        resolve(`refused: ${error.reason ?? error.message.trim()}`),
      );
      made.on('close', () => resolve('refused: connection closed'));
      made.renegotiate({}, (error) => resolve(error ? `refused: ${error.message.trim()}` : 'renegotiated'));
    });
  });
});

/** Whether a second connection takes up the first one's session. */
async function resumed(version: 'TLSv1.2' | 'TLSv1.3'): Promise<string> {
  const range = { minVersion: version, maxVersion: version };
  const first = await connected({ ...at, ...range });
  const early = version === 'TLSv1.2' ? first.getSession() : undefined;
  const session = early ? Promise.resolve(early) : new Promise<Buffer>((resolve) => first.once('session', resolve));
  first.resume();
  // TLS 1.3 sends the ticket with the first data.
  first.write(`GET /health HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const second = await connected({ ...at, ...range, session: await session });
  const line = second.isSessionReused() ? `resumed: ${second.getProtocol() ?? '?'}` : 'not resumed';
  first.destroy();
  second.destroy();
  return line;
}

describe('plain http', () => {
  row('plain http to port 443', 'HTTP 404, not the API', async () => {
    const { status, body } = await ask({ url: `http://${host}:443/health`, address });
    return `HTTP ${status}, ${body.includes('healthy') ? 'the API' : 'not the API'}`;
  });
  row('TLS to port 80', 'HTTP 404, not the API', async () => {
    const { status, body } = await ask({ url: `https://${host}:80/health`, address, tls: open });
    return `HTTP ${status}, ${body.includes('healthy') ? 'the API' : 'not the API'}`;
  });
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
    row(`${method} over http, with path and query`, `HTTP 308 to ${api}/debug/clusters?a=b`, () =>
      askLine({ url: `http://${host}/debug/clusters?a=b`, method, address }),
    );
  row('http that claims to be https (X-Forwarded-Proto)', 'HTTP 308', () =>
    askLine({ url: `http://${host}/health`, address, headers: { 'x-forwarded-proto': 'https' } }),
  );
  row('http to a host that nobody serves', 'HTTP 301 to https://unknown.example.org/a', () =>
    askLine({ url: 'http://unknown.example.org/a', address }),
  );
  row('POST over http to a host that nobody serves', 'HTTP 308 to https://unknown.example.org/a', () =>
    askLine({ url: 'http://unknown.example.org/a', method: 'POST', address }),
  );
  row('HSTS is not sent over http (RFC 6797, 7.2)', 'no header', async () => {
    const { headers } = await ask({ url: `http://${host}/health`, address });
    return headers['strict-transport-security'] === undefined ? 'no header' : 'a header';
  });
});

describe('/health behind the proxy', () => {
  const tlsOf = (body: string): string => `TLS ${(JSON.parse(body) as { tls?: string }).tls ?? 'not told'}`;
  const health = async (headers: Record<string, string> = {}): Promise<string> =>
    tlsOf((await ask({ url: `${api}/health`, address, headers })).body);
  row('/health over https: the API says what the client spoke', 'TLS enabled', () => health());
  row('a client over https that claims http (X-Forwarded-Proto)', 'TLS enabled', () =>
    health({ 'x-forwarded-proto': 'http' }),
  );
  row('/health inside the cluster, past the ingress', 'TLS disabled', async () => {
    const service = `${settings.release}-api:http`;
    const { namespace } = settings.gke;
    return tlsOf(await ctx.kube(settings.gke).raw(`/api/v1/namespaces/${namespace}/services/${service}/proxy/health`));
  });
});

describe('headers', () => {
  const hsts = `max-age=${HSTS_SECONDS}${settings.hstsIncludeSubdomains ? '; includeSubDomains' : ''}`;
  for (const [name, path, method, status] of [
    ['200', '/health', 'GET', 200],
    ['401', '/debug/clusters', 'GET', 401],
    ['404', '/nothing-here', 'GET', 404],
  ] as const)
    row(`HSTS, nosniff and frame headers on ${name}`, `${status}: ${hsts}, nosniff, DENY`, async () => {
      const { status: found, headers } = await ask({ url: api + path, method, address });
      return `${found}: ${String(headers['strict-transport-security'])}, ${String(headers['x-content-type-options'])}, ${String(headers['x-frame-options'])}`;
    });
  row('the same on the 404 of a host that nobody serves', `404: ${hsts}, nosniff, DENY`, async () => {
    const { status, headers } = await ask({ url: 'https://unknown.example.org/', address, tls: open });
    return `${status}: ${String(headers['strict-transport-security'])}, ${String(headers['x-content-type-options'])}, ${String(headers['x-frame-options'])}`;
  });
  row('HSTS does not ask for preload', 'no preload', async () => {
    const { headers } = await ask({ url: `${api}/health`, address });
    return /preload/i.test(String(headers['strict-transport-security'])) ? 'preload' : 'no preload';
  });
  row('no banner', 'neither Server nor X-Powered-By', async () => {
    const { headers } = await ask({ url: `${api}/health`, address });
    return banners(headers);
  });
});

function banners(headers: Record<string, string | string[] | undefined>): string {
  const found = ['server', 'x-powered-by'].flatMap((name) =>
    headers[name] ? [`${name}: ${String(headers[name])}`] : [],
  );
  return found.length === 0 ? 'neither Server nor X-Powered-By' : found.join(', ');
}

describe('other hosts of the same controller', () => {
  const [alone, missing] = ['limit.edge-cases.test', 'missing.edge-cases.test'];
  const wildcard = '*.wild.edge-cases.test';
  let ca: Awaited<ReturnType<typeof testCa>>;
  const to = (servername: string) => ({ host: address, servername, ca: ca.pem });
  beforeAll(async () => {
    ca = await testCa();
    makeScratch(settings, [
      { host: alone, secret: 'alone' },
      { host: wildcard, secret: 'wildcard' },
      { host: missing, secret: 'not-there' },
    ]);
    tlsSecret(settings, 'alone', await ca.sign([alone]));
    tlsSecret(settings, 'wildcard', await ca.sign([wildcard]));
    for (let tries = 0; tries < 60; tries += 1) {
      const status = await ask({ url: `https://${alone}/`, address, tls: { ca: ca.pem } }).then(
        (a) => a.status,
        () => 0,
      );
      // Each Secret is taken up in its own time.
      const wild = await handshake(to('a.wild.edge-cases.test')).catch(() => '');
      if (status === 200 && wild.startsWith('accepted')) return;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    throw new Error('the scratch host does not answer');
  }, 180_000);
  afterAll(() => removeScratch(settings));

  row('wildcard certificate, one label below it', 'accepted', () => handshake(to('a.wild.edge-cases.test')));
  row('wildcard certificate, two labels below it', 'distrusted: ', () => handshake(to('a.b.wild.edge-cases.test')));
  row('Ingress whose Secret is not there', 'distrusted: ', () => handshake(to(missing)));
  row("a host's certificate is not served to another host", 'distrusted: ', () => handshake({ ...at, ca: ca.pem }));
  row("a backend's own banner is taken off", 'neither Server nor X-Powered-By', async () => {
    const { headers } = await ask({ url: `https://${alone}/`, address, tls: { ca: ca.pem } });
    return banners(headers);
  });
  row('certificate renewed: served without a restart', 'the new one after', async () => {
    const renewed = await ca.sign([alone]);
    tlsSecret(settings, 'alone', renewed);
    const started = Date.now();
    for (;;) {
      const socket = await connected(to(alone));
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      if (Number.parseInt(serialNumber, 16) === Number.parseInt(renewed.serial, 16))
        return `the new one after ${seconds} s`;
      if (Date.now() - started > 30_000) return 'the old one after 30 s';
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  });
  row('100 executors behind one address reconnect at once, with two requests each', 'none refused', async () => {
    const statuses = await burst(`https://${alone}`, '/', 200, { ...to(alone), port: 443 });
    return statuses.get(429) ? `${statuses.get(429) ?? 0} refused` : 'none refused';
  });
  row(
    'rate limit: 2000 requests at once from one address',
    'the first 500 or so pass, most of the rest HTTP 429',
    async () => {
      const started = Date.now();
      const statuses = await burst(`https://${alone}`, '/', 2000, { ...to(alone), port: 443 });
      const count = [...statuses].map(([status, n]) => `${n} times ${status}`).join(', ');
      return `${count} in ${((Date.now() - started) / 1000).toFixed(1)} s`;
    },
    /times 429/,
  );
  row('rate limit: the API is not hurt by it', 'HTTP 200', () => askLine({ url: `${api}/health`, address }));
  row('rate limit: calm again, a second later', 'HTTP 200', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return askLine({ url: `https://${alone}/`, address, tls: { ca: ca.pem } });
  });
  test('the scratch namespace is the tests’ own', () => {
    expect(kubectl(settings, ['get', 'ingress', '-o', 'name']).trim().split('\n')).toHaveLength(3);
  });
});

describe.skipIf(process.env['SHORT'])('streams', () => {
  row(
    "an executor's event stream, held 310 s",
    'open after 310 s',
    async () => {
      const id = `tls-case-${process.pid}`;
      const token = new Secret(randomBytes(32).toString('hex'));
      await kubentlyApi(ctx).register(id, token);
      try {
        const headers = { authorization: `Bearer ${token.reveal()}`, 'x-cluster-id': id };
        return await held({ url: `${api}/executor/stream`, address, headers }, 310);
      } finally {
        await kubentlyApi(ctx).unregister(id);
      }
    },
    undefined,
    360_000,
  );
});
