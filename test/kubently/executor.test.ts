import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BUILT_IN, parseRules, refusal } from '../../sandbox/kubently/kubently/executor/whitelist.ts';
import { client, ended, freePort, stop, TOKEN, until, World, type Running } from './processes.ts';

describe('whitelist', () => {
  const allowed = (line: string, rules = BUILT_IN) => refusal(line.split(' '), rules) === undefined;
  const readOnly = parseRules('{mode: readOnly, restrictedResources: [secrets, configmaps]}');

  test.each(['get pods -A', 'rollout status deploy/x', 'logs x --tail=5', 'get configmaps', 'get pods secrets'])(
    '%s runs',
    (line) => expect(allowed(line)).toBe(true),
  );
  test.each([
    ...[
      'exec x -- sh',
      'rollout restart deploy/x',
      'get secrets',
      'get secret/x',
      'get pods,secrets -n x',
      'delete pod x',
    ],
    ...['get pods --token=x', 'get pods --kubeconfig=/x', 'get --raw /x;ls', 'describe deploy autoscaler'],
    `get ${'x '.repeat(20).trim()}`,
  ])('%s is blocked', (line) => expect(allowed(line)).toBe(false));

  test('a file changes the rules', () => {
    expect(allowed('get configmaps', readOnly)).toBe(false);
    expect(allowed('exec x -- ls', parseRules('{mode: extendedReadOnly}'))).toBe(true);
    expect(allowed('get pods', parseRules('{mode: readOnly, forbiddenPatterns: ["^pods$"]}'))).toBe(false);
    expect(allowed('auth can-i', parseRules('{mode: readOnly, customVerbs: [auth]}'))).toBe(true);
  });
  test.each([
    '{mode: other}',
    '{mode: readOnly, customVerbs: [delete]}',
    '{mode: readOnly, maxArguments: 0}',
    '{mode: readOnly, timeoutSeconds: 301}',
  ])('%s is rejected', (text) => expect(() => parseRules(text)).toThrow());
});

describe('connection', () => {
  const world = new World();
  let apiPort = 0;
  let api: Running;
  let plain = '';
  let secure = '';
  const file = (name: string) => join(world.folder, name);

  /** A CA and a certificate for 127.0.0.1 signed by it. */
  function makeCertificates(): void {
    const openssl = (line: string) => execFileSync('openssl', line.split(' '), { cwd: world.folder, stdio: 'pipe' });
    for (const ca of ['ca', 'other']) {
      openssl(
        `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${ca}.key -out ${ca}.crt -days 1 -subj /CN=${ca}`,
      );
    }
    writeFileSync(file('ext'), 'subjectAltName=IP:127.0.0.1');
    openssl(
      'req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=server',
    );
    openssl('x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 1 -extfile ext');
  }

  const proxy = { close: () => {} };
  beforeAll(async () => {
    await world.open();
    apiPort = await freePort();
    plain = `http://127.0.0.1:${apiPort}`;
    api = world.api(apiPort);
    await until(api, /subscriptions\): connected/);
    const registered = await client(plain)('POST', '/admin/agents/gke/token', { token: TOKEN });
    expect(registered.status).toBe(200);

    makeCertificates();
    const identity = { key: readFileSync(file('server.key')), cert: readFileSync(file('server.crt')) };
    const server = createServer(identity, (incoming, outgoing) => {
      const { method, url: path, headers } = incoming;
      const forwarded = request(plain + (path ?? ''), { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      forwarded.on('error', () => outgoing.destroy());
      incoming.pipe(forwarded);
    });
    const port = await freePort();
    server.listen(port, '127.0.0.1');
    proxy.close = () => {
      server.close();
      server.closeAllConnections();
    };
    secure = `https://127.0.0.1:${port}`;
  });
  afterAll(async () => {
    await world.close();
    proxy.close();
  });

  test('a missing variable ends it with 1; a wrong token keeps it trying', async () => {
    const empty = world.executor(plain, 'gke', { KUBENTLY_TOKEN: '' });
    await until(empty, /Missing required environment variables: KUBENTLY_TOKEN/);
    expect(await ended(empty)).toBe(1);
    const wrong = world.executor(plain, 'gke', { KUBENTLY_TOKEN: 'wrong' });
    await until(wrong, /(Failed to connect: 401[^]*){2}/);
    expect(wrong.child.exitCode).toBeNull();
    await stop(wrong);
  }, 15_000);

  const outcomes: [string, Record<string, string>, RegExp][] = [
    ['verifies by default', {}, /Certificate refused: UNABLE_TO_/],
    ['trusts KUBENTLY_CA_CERT', { KUBENTLY_CA_CERT: 'ca.crt' }, /SSE connection established/],
    ['verification can be off', { KUBENTLY_SSL_VERIFY: 'false' }, /SSE connection established/],
    [
      'the CA file wins over verification off',
      { KUBENTLY_CA_CERT: 'other.crt', KUBENTLY_SSL_VERIFY: 'false' },
      /Certificate refused: UNABLE_TO_/,
    ],
  ];
  test.each(outcomes)('TLS: %s', async (_name, env, pattern) => {
    const { KUBENTLY_CA_CERT: ca, ...rest } = env;
    const running = world.executor(secure, 'gke', {
      ...rest,
      ...(ca === undefined ? {} : { KUBENTLY_CA_CERT: file(ca) }),
    });
    await until(running, pattern);
    await stop(running);
  });

  test('the whitelist file is read again when it changes; a bad one leaves the last', async () => {
    const path = file('whitelist.yaml');
    writeFileSync(path, '{mode: readOnly, reloadInterval: 1}');
    const running = world.executor(plain, 'gke', { KUBENTLY_WHITELIST_CONFIG: path });
    await until(running, /Whitelist loaded: mode readOnly/);
    writeFileSync(path, '{mode: extendedReadOnly, reloadInterval: 1}');
    await until(running, /Whitelist loaded: mode extendedReadOnly/);
    writeFileSync(path, '{mode: nonsense}');
    await until(running, /rejected, mode extendedReadOnly stays/);
    await stop(running);
  });

  test('http is announced; a server that shuts down breaks the stream, and the executor comes back after its 5 s', async () => {
    const running = world.executor(plain, 'gke');
    await until(running, /WARNING - Using insecure HTTP connection[^]*SSE connection established/);
    expect(await stop(api)).toBe(0);
    await until(running, /next try in 5 s/);
    await until(world.api(apiPort), /subscriptions\): connected/);
    await until(running, /next try in 5 s[^]*SSE connection established/, 15_000);
  }, 30_000);
});
