/** kubectl's plain reads, asked of an API server that listens here. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { TLSSocket, type PeerCertificate } from 'node:tls';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Command, Run } from '../../lib/base/command.ts';
import { directReads } from '../../lib/clients/kube-reads.ts';
import { Kubectl } from '../../lib/clients/kubectl.ts';
import { testCa } from '../tls/scratch.ts';
import { fakeOutside, temporaryFolder } from './outside.ts';

const TARGET = { context: 'here', namespace: 'kubently' };
const discovery = {
  '/api': [
    {
      versions: [
        { version: 'v1', resources: [resource('secrets', 'Secret'), resource('namespaces', 'Namespace', 'Cluster')] },
      ],
    },
  ],
  '/apis': [
    { metadata: { name: 'apps' }, versions: [{ version: 'v1', resources: [resource('deployments', 'Deployment')] }] },
    {
      metadata: { name: 'autoscaling' },
      versions: [
        { version: 'v2', resources: [resource('horizontalpodautoscalers', 'HorizontalPodAutoscaler')] },
        { version: 'v1', resources: [resource('horizontalpodautoscalers', 'HorizontalPodAutoscaler')] },
      ],
    },
  ],
} as const;

function resource(name: string, kind: string, scope = 'Namespaced') {
  return { resource: name, scope, responseKind: { kind } };
}

/** A CA that signed nothing here; made once the tests run. */
let otherCa: string;

const api = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'api', namespace: 'kubently', managedFields: [{}] },
};
let server: Server;
let ca: Awaited<ReturnType<typeof testCa>>;
let served: { cert: string; key: string };
let seen: string[];
let bodies: string[];
/** By "METHOD path": status and body. */
let answers: Record<string, [number, unknown]>;
let home: string;

beforeAll(async () => {
  ca = await testCa();
  served = await ca.sign(['api.test']);
  otherCa = base64((await testCa()).pem);
});

beforeEach(async () => {
  seen = [];
  bodies = [];
  answers = {
    'GET /apis/apps/v1/namespaces/kubently/deployments/api': [200, api],
    'GET /api/v1/namespaces/kubently/secrets/none': [
      404,
      { kind: 'Status', details: { name: 'none', kind: 'secrets' } },
    ],
  };
  server = createServer(
    { ...served, ca: ca.pem, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const asked = `${request.method ?? ''} ${request.url ?? ''}`;
      seen.push(asked);
      void text(request).then((body) => {
        bodies.push(body);
        const found = discovery[request.url as '/api' | '/apis'] as unknown;
        const [status, answer] = found ? [200, { items: found }] : (answers[asked] ?? [500, {}]);
        const peer: Partial<PeerCertificate> =
          request.socket instanceof TLSSocket ? request.socket.getPeerCertificate() : {};
        const known = request.headers.authorization === 'Bearer the-token-of-here' || peer.subject?.CN === 'operator';
        if (!known) response.writeHead(401).end('{}');
        else response.writeHead(status).end(typeof answer === 'string' ? answer : JSON.stringify(answer));
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  home = temporaryFolder();
  kubeconfig(cluster(), { token: 'the-token-of-here' });
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** The server as a kubeconfig's cluster. */
function cluster(changed: object = {}): object {
  return {
    server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    'tls-server-name': 'api.test',
    'certificate-authority-data': base64(ca.pem),
    ...changed,
  };
}

/** @returns the environment that finds it by its home */
function kubeconfig(cluster: object, user: object): Record<string, string> {
  mkdirSync(join(home, '.kube'), { recursive: true });
  const context = { cluster: 'c', user: 'u' };
  const named = {
    contexts: [{ name: 'here', context }],
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user }],
  };
  writeFileSync(join(home, '.kube', 'config'), JSON.stringify(named));
  return environment();
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const environment = (): Record<string, string> => ({ HOME: home, PATH: process.env['PATH'] ?? '' });

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** A Kubectl over directReads, and the commands that still went to a process. */
function make(given: Record<string, string> = environment()) {
  const commands: Command[] = [];
  const outside = fakeOutside({
    rows: [{ binary: 'kubectl', args: () => true, answer: '{"apiVersion":"v1","kind":"List","items":[]}' }],
  });
  const run: Run = (command) => {
    commands.push(command);
    return outside.run(command);
  };
  return { kube: new Kubectl(directReads(run, given), TARGET), commands };
}

test('get: each object by its path, absent ones left out, without a process and without managedFields', async () => {
  const { kube, commands } = make();
  const [found, none] = await Promise.all([kube.get('Deployment.apps', 'api'), kube.get('Secret', 'none')]);
  expect(found).toEqual({ ...api, metadata: { name: 'api', namespace: 'kubently' } });
  expect(none).toBeUndefined();
  expect(commands).toEqual([]);
  await kube.get('Deployment.apps', 'api');
  expect(seen.filter((s) => s === 'GET /apis')).toHaveLength(1);
  expect(seen.filter((s) => s.endsWith('/deployments/api'))).toHaveLength(2);
});

test('a namespace stands outside all namespaces', async () => {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubently' } };
  answers['GET /api/v1/namespaces/kubently'] = [200, namespace];
  expect(await make().kube.get('Namespace', 'kubently')).toEqual(namespace);
});

test('list: by selector, and in every namespace; items say their kind', async () => {
  const list = { apiVersion: 'v1', kind: 'SecretList', items: [{ metadata: { name: 's' } }] };
  answers['GET /api/v1/namespaces/kubently/secrets?labelSelector=owner%3Dhelm%2Cname%3Dr'] = [200, list];
  answers['GET /api/v1/secrets'] = [200, list];
  const { kube, commands } = make();
  const wanted = [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } }];
  expect(await kube.list('Secret', 'owner=helm,name=r')).toEqual(wanted);
  expect(await kube.listAll('Secret')).toEqual(wanted);
  expect(commands).toEqual([]);
});

test('an apply by dry run is a forced server-side apply that changes nothing; an apply goes to kubectl', async () => {
  const asked =
    'PATCH /apis/apps/v1/namespaces/kubently/deployments/api?dryRun=All&fieldValidation=Strict&fieldManager=kubently-runbook&force=true';
  answers[asked] = [200, { ...api, spec: { replicas: 1 } }];
  const { kube, commands } = make();
  const wanted = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'api' } };
  expect(await kube.applyDryRun([wanted], 'kubently-runbook')).toMatchObject([{ spec: { replicas: 1 } }]);
  expect(bodies[seen.indexOf(asked)]).toBe(JSON.stringify(wanted));
  expect(commands).toEqual([]);
  await kube.apply([wanted]);
  expect(commands.map((c) => c.mutates)).toEqual([true]);
  expect(seen.filter((s) => !s.startsWith('GET'))).toEqual([asked]);
});

test('a create by dry run', async () => {
  const asked = 'POST /apis/apps/v1/namespaces/kubently/deployments?dryRun=All&fieldValidation=Strict';
  answers[asked] = [201, api];
  const { kube, commands } = make();
  await kube.createDryRun({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'api' } });
  expect(seen).toContain(asked);
  expect(commands).toEqual([]);
  answers[asked] = [403, {}];
  await kube.createDryRun({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'api' } });
  expect(commands.map((c) => c.args[0])).toEqual(['create']);
});

test.each<[string, (kube: Kubectl) => Promise<unknown>]>([
  ['the server says no', (kube) => kube.get('Secret', 'forbidden')],
  ['a 404 that is not this object', (kube) => kube.get('Deployment.apps', 'gone-kind')],
  ['a kind that discovery does not know', (kube) => kube.get('Certificate.cert-manager.io', 'x')],
  ['several kinds', (kube) => kube.everything('namespace')],
  ['a path that is not answered', (kube) => kube.raw('/readyz')],
  [
    'a version that is not the preferred one',
    (kube) =>
      kube.applyDryRun(
        [{ apiVersion: 'autoscaling/v1', kind: 'HorizontalPodAutoscaler', metadata: { name: 'x' } }],
        'kubently-runbook',
      ),
  ],
  [
    'an object of another namespace',
    (kube) =>
      kube.applyDryRun(
        [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x', namespace: 'other' } }],
        'kubently-runbook',
      ),
  ],
])('%s: kubectl is asked', async (_, ask) => {
  answers['GET /apis/apps/v1/namespaces/kubently/deployments/gone-kind'] = [
    404,
    { kind: 'Status', message: 'no such page' },
  ];
  const { kube, commands } = make();
  await ask(kube);
  expect(commands[0]?.binary).toBe('kubectl');
});

test('a path, and when fields were changed', async () => {
  answers['GET /readyz'] = [200, 'ok'];
  const managedFields = [{ time: '2026-01-01T09:00:00Z' }, {}, { time: '2026-01-01T10:00:00Z' }];
  answers['GET /api/v1/namespaces/kubently/secrets/token'] = [200, { kind: 'Secret', metadata: { managedFields } }];
  const { kube, commands } = make();
  expect(await kube.raw('/readyz')).toBe('ok');
  expect(await kube.changedAt('Secret', 'token')).toBe(Date.parse('2026-01-01T10:00:00Z'));
  expect(await kube.changedAt('Secret', 'none')).toBeUndefined();
  expect(commands).toEqual([]);
});

/** An exec plugin as GKE's, that notes its calls and what it was told. */
function plugin(expirationTimestamp: string): object {
  const command = join(home, 'gke-gcloud-auth-plugin');
  const status = { token: 'the-token-of-here', expirationTimestamp };
  writeFileSync(command, `#!/bin/sh\nenv >>"${home}/told"\necho '${JSON.stringify({ status })}'\n`);
  chmodSync(command, 0o700);
  return {
    exec: { apiVersion: 'client.authentication.k8s.io/v1beta1', command, env: null, provideClusterInfo: true },
  };
}

const calls = (): string[] => readFileSync(join(home, 'told'), 'utf8').match(/^KUBERNETES_EXEC_INFO=.*$/gm) ?? [];

test('GKE’s exec plugin gives the token: once until it expires, told of the cluster, with the listed environment', async () => {
  kubeconfig(cluster(), plugin(new Date(Date.now() + 3_600_000).toISOString()));
  process.env['NOT_LISTED'] = 'yes';
  const { kube, commands } = make();
  await Promise.all([kube.get('Deployment.apps', 'api'), kube.list('Secret')]);
  await kube.get('Deployment.apps', 'api');
  expect(commands.filter((c) => c.args[1] !== 'Secret')).toEqual([]);
  expect(calls()).toHaveLength(1);
  const told = JSON.parse(calls()[0]?.replace(/^.*?=/, '') ?? '') as unknown;
  const { server: url } = cluster() as { server: string };
  const spec = { interactive: false, cluster: { server: url, 'certificate-authority-data': base64(ca.pem) } };
  expect(told).toMatchObject({ kind: 'ExecCredential', spec });
  expect(readFileSync(join(home, 'told'), 'utf8')).not.toContain('NOT_LISTED');
});

test('a token that has expired is asked for again', async () => {
  kubeconfig(cluster(), plugin(new Date(Date.now() - 1000).toISOString()));
  const { kube, commands } = make();
  await kube.get('Deployment.apps', 'api');
  const before = calls().length;
  await kube.get('Deployment.apps', 'api');
  expect(commands).toEqual([]);
  expect(calls().length).toBeGreaterThan(before);
});

test('a client certificate instead of a token', async () => {
  const { cert, key } = await ca.sign(['operator']);
  kubeconfig(cluster(), { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) });
  const { kube, commands } = make();
  expect(await kube.get('Deployment.apps', 'api')).toBeDefined();
  expect(commands).toEqual([]);
});

test.each<[string, () => Record<string, string>]>([
  ['an exec plugin that fails', () => kubeconfig(cluster(), { exec: { command: 'false' } })],
  ['an exec plugin that is not installed', () => kubeconfig(cluster(), { exec: { command: '/nonexistent' } })],
  [
    'verification switched off',
    () => kubeconfig(cluster({ 'insecure-skip-tls-verify': true }), { token: 'the-token-of-here' }),
  ],
  ['another CA', () => kubeconfig(cluster({ 'certificate-authority-data': otherCa }), { token: 'the-token-of-here' })],
  ['no CA', () => kubeconfig(cluster({ 'certificate-authority-data': undefined }), { token: 'the-token-of-here' })],
  ['plain http', () => kubeconfig({ server: 'http://127.0.0.1:1' }, { token: 't' })],
  ['a server that is not there', () => kubeconfig(cluster({ server: 'https://127.0.0.1:1' }), { token: 't' })],
  ['a token that is refused', () => kubeconfig(cluster(), { token: 'old' })],
  ['somebody else’s name', () => kubeconfig(cluster(), { token: 'the-token-of-here', as: 'root' })],
  ['a password', () => kubeconfig(cluster(), { username: 'u', password: 'p' })],
  ['nothing to sign in with', () => kubeconfig(cluster(), {})],
  ['several kubeconfigs', () => ({ ...environment(), KUBECONFIG: `${home}/.kube/config:${home}/b` })],
  ['a proxy', () => ({ ...environment(), HTTPS_PROXY: 'http://proxy:3128' })],
  ['no kubeconfig', () => ({ HOME: join(home, 'nobody') })],
])('%s: kubectl is asked', async (_, prepare) => {
  const { kube, commands } = make(prepare());
  await kube.get('Deployment.apps', 'api');
  expect(commands.map((c) => c.binary)).toEqual(['kubectl']);
});
