/** kubectl's plain reads, asked of an API server that listens here. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Command, Run } from '../../lib/command.ts';
import { directReads } from '../../lib/kubernetes/kube-reads.ts';
import { Kubectl } from '../../lib/kubernetes/kubectl.ts';
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

const api = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'api', namespace: 'kubently', managedFields: [{}] },
};
let server: Server;
let seen: string[];
let bodies: string[];
/** By "METHOD path": status and body. */
let answers: Record<string, [number, unknown]>;
let home: string;

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
  server = createServer((request, response) => {
    const asked = `${request.method ?? ''} ${request.url ?? ''}`;
    seen.push(asked);
    void text(request).then((body) => {
      bodies.push(body);
      const found = discovery[request.url as '/api' | '/apis'] as unknown;
      const [status, answer] = found ? [200, { items: found }] : (answers[asked] ?? [500, {}]);
      if (request.headers.authorization !== 'Bearer the-token-of-here') response.writeHead(401).end('{}');
      else response.writeHead(status).end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  home = temporaryFolder();
  kubeconfig({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }, { token: 'the-token-of-here' });
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

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
  return { HOME: home };
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** A Kubectl over directReads, and the commands that still went to a process. */
function make(environment: Record<string, string> = { HOME: home }) {
  const commands: Command[] = [];
  const outside = fakeOutside({
    rows: [
      { binary: 'kubectl', args: () => true, answer: '{"apiVersion":"v1","kind":"List","items":[]}' },
      { binary: 'gke-gcloud-auth-plugin', args: [], answer: '{"status":{"token":"the-token-of-here"}}' },
    ],
  });
  const run: Run = (command) => {
    commands.push(command);
    return outside.run(command);
  };
  return { kube: new Kubectl(directReads(run, environment), TARGET), commands };
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
    'PATCH /apis/apps/v1/namespaces/kubently/deployments/api?dryRun=All&fieldManager=kubently-runbook&fieldValidation=Strict&force=true';
  answers[asked] = [200, { ...api, spec: { replicas: 1 } }];
  const { kube, commands } = make();
  const wanted = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'api' } };
  expect(await kube.applyDryRun([wanted])).toMatchObject([{ spec: { replicas: 1 } }]);
  expect(bodies[seen.indexOf(asked)]).toBe(JSON.stringify(wanted));
  expect(commands).toEqual([]);
  await kube.apply([wanted]);
  expect(commands.map((c) => c.mutates)).toEqual([true]);
  expect(seen.filter((s) => !s.startsWith('GET'))).toEqual([asked]);
});

test.each<[string, (kube: Kubectl) => Promise<unknown>]>([
  ['the server says no', (kube) => kube.get('Secret', 'forbidden')],
  ['a 404 that is not this object', (kube) => kube.get('Deployment.apps', 'gone-kind')],
  ['a kind that discovery does not know', (kube) => kube.get('Certificate.cert-manager.io', 'x')],
  ['several kinds', (kube) => kube.everything('namespace')],
  ['a raw path', (kube) => kube.raw('/readyz')],
  [
    'a version that is not the preferred one',
    (kube) =>
      kube.applyDryRun([{ apiVersion: 'autoscaling/v1', kind: 'HorizontalPodAutoscaler', metadata: { name: 'x' } }]),
  ],
  [
    'an object of another namespace',
    (kube) => kube.applyDryRun([{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x', namespace: 'other' } }]),
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

test('GKE’s credential plugin gives the token, once', async () => {
  const { server: url } = { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  kubeconfig(
    { server: url },
    { exec: { apiVersion: 'client.authentication.k8s.io/v1beta1', command: 'gke-gcloud-auth-plugin' } },
  );
  const { kube, commands } = make();
  await kube.get('Deployment.apps', 'api');
  await kube.get('Deployment.apps', 'api');
  expect(commands.map((c) => c.binary)).toEqual(['gke-gcloud-auth-plugin']);
});

test.each<[string, () => Record<string, string>]>([
  ['another plugin', () => kubeconfig({ server: 'http://127.0.0.1:1' }, { exec: { command: 'aws' } })],
  [
    'verification switched off',
    () => kubeconfig({ server: 'http://127.0.0.1:1', 'insecure-skip-tls-verify': true }, { token: 't' }),
  ],
  ['a server that is not there', () => kubeconfig({ server: 'http://127.0.0.1:1' }, { token: 't' })],
  [
    'a token that is refused',
    () => kubeconfig({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }, { token: 'old' }),
  ],
  ['several kubeconfigs', () => ({ HOME: home, KUBECONFIG: `${home}/a:${home}/b` })],
  ['a proxy', () => ({ HOME: home, HTTPS_PROXY: 'http://proxy:3128' })],
  ['no kubeconfig', () => ({ HOME: join(home, 'nobody') })],
])('%s: kubectl is asked', async (_, prepare) => {
  const { kube, commands } = make(prepare());
  await kube.get('Deployment.apps', 'api');
  expect(commands.map((c) => c.binary)).toEqual(['kubectl']);
});
