/** The 13 criteria: each proven on a deployment as it should be, and not on one where just that is wrong. */
import { beforeEach, expect, test, vi } from 'vitest';
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proveAll, verdict } from '../../lib/runner/criterion.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import type { Served } from '../../lib/clients/tls.ts';
import { Secret } from '../../lib/base/secret.ts';
import { CRITERIA } from '../../scripts/criteria/criteria.ts';
import { FakeCluster, ready } from './fake-cluster.ts';
import { FakeGoogle, IP } from './fake-google.ts';
import { contextOf, fakeOutside, json, settings, type FakeOutside, type Row } from './outside.ts';
import { FakeKubently, REDIS_POD, TOKENS, withTokens } from './remote.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';

const COMMIT = 'c31127e3f8a94be2a1e6b6b7e2d7a0b9c8d7e6f5';
const TAG = COMMIT.slice(0, 7);
const PEM = Buffer.from('-----BEGIN CERTIFICATE-----\nunit\n-----END CERTIFICATE-----\n').toString('base64');
const POLICY = {
  kind: 'network-policy' as const,
  name: 'kubently-redis',
  redis: {},
  api: { part: 'api' },
  port: 6379,
  apiPort: 8080,
  namespace: 'kubently',
  says: '',
};

/** What other parts prove, with tests of their own. */
const other = vi.hoisted(() => ({
  reaches: (name: string, ingress: boolean): boolean => name === 'runbook-probe-api' || ingress,
  policy: 'done',
  cli: '',
}));
vi.mock('../../lib/deployment/cluster/policy-probe.ts', async (real) => ({
  ...(await real<typeof import('../../lib/deployment/cluster/policy-probe.ts')>()),
  podReaches: (_c: unknown, _i: unknown, { name, targets }: { name: string; targets: { port: number }[] }) =>
    Promise.resolve(targets.map(({ port }) => other.reaches(name, port === 80))),
}));
vi.mock('../../lib/deployment/release/release.ts', async (real) => ({
  ...(await real<typeof import('../../lib/deployment/release/release.ts')>()),
  gkeRelease: () => Promise.resolve({}),
}));
vi.mock('../../lib/deployment/release/fitted.ts', async (real) => ({
  ...(await real<typeof import('../../lib/deployment/release/fitted.ts')>()),
  fitted: () => Promise.resolve({ extras: [POLICY] }),
}));
vi.mock('../../scripts/2.8-redis-network-policy.ts', () => ({
  step: { check: () => Promise.resolve({ state: other.policy, reason: 'as found' }) },
}));
vi.mock('../../scripts/4.2-cli.ts', () => ({
  step: {
    prove: () =>
      other.cli === ''
        ? Promise.resolve({ state: 'proven', evidence: 'answered' })
        : Promise.reject(new Error(other.cli)),
  },
}));
vi.mock('../../lib/deployment/certificates/certificate.ts', async (real) => ({
  ...(await real<typeof import('../../lib/deployment/certificates/certificate.ts')>()),
  servedAsIssued: () => Promise.resolve('it is served'),
}));

let given: Settings;
let google: FakeGoogle;
let gke: FakeCluster;
let kind: FakeCluster;
let api: FakeKubently;
let seen: string[];
let resolved: string[];
let outside: FakeOutside;
let registry: Record<string, { revision: string; digest: string }>;

function pod(name: string, release: string, component: string, namespace: string, image: string): KubeObject {
  const labels = { 'app.kubernetes.io/instance': release, 'app.kubernetes.io/component': component };
  const full = `ghcr.io/kubently/kubently/${image}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: { containers: [{ name: image, image: `${full}:${TAG}`, env: [{ name: 'LOG_LEVEL', value: 'INFO' }] }] },
    status: {
      podIP: '10.0.0.9',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ image: `${full}:${TAG}`, imageID: `${full}@sha256:${image}` }],
    },
  };
}

beforeEach(() => {
  other.reaches = (name, ingress) => name === 'runbook-probe-api' || ingress;
  other.policy = 'done';
  other.cli = '';
  given = withTokens(
    settings({
      llm: {
        provider: 'openai',
        model: 'm',
        keys: { OPENAI_API_KEY: new Secret('unit-llm-key') },
        baseUrl: undefined,
        caFile: undefined,
      },
    }),
  );
  google = new FakeGoogle().reserved();
  const release = (name: string) => ({
    name,
    namespace: name,
    status: 'deployed',
    revision: 1,
    chart: 'k-1',
    values: { a: 1 },
  });
  const tls = { 'cert-manager.io/issuer-name': 'letsencrypt-prod' };
  gke = new FakeCluster(
    'gke-context',
    [
      { ...pod(REDIS_POD.metadata.name, 'kubently', 'redis', 'kubently', 'redis') },
      pod('api-1', 'kubently', 'api', 'kubently', 'api'),
      pod('executor-1', 'kubently', 'executor', 'kubently', 'executor'),
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'kubently' }, data: { a: 'b' } },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'kubently-api-tls', namespace: 'kubently', annotations: tls },
        data: { 'tls.crt': PEM },
      },
      ready({
        apiVersion: 'cert-manager.io/v1',
        kind: 'Certificate',
        metadata: { name: 'kubently-api-tls', namespace: 'kubently' },
        spec: { issuerRef: { name: 'letsencrypt-prod' } },
      }),
      {
        apiVersion: 'cert-manager.io/v1',
        kind: 'ClusterIssuer',
        metadata: { name: 'letsencrypt-prod' },
        spec: { acme: { solvers: [{ dns01: {} }] } },
      },
      {
        apiVersion: 'acme.cert-manager.io/v1',
        kind: 'Order',
        metadata: { name: 'order-1', namespace: 'kubently' },
        status: { state: 'valid', certificate: PEM },
      },
    ],
    [release('kubently')],
  );
  kind = new FakeCluster(
    'kind-context',
    [pod('remote-1', 'kubently-remote', 'executor', 'kubently-remote', 'executor')],
    [release('kubently-remote')],
  );
  api = new FakeKubently(given.host);
  api.answer = { state: 'completed', text: `it runs ${REDIS_POD.metadata.name}` };
  seen = ['ns1.test', 'ns2.test'];
  resolved = [IP];
  registry = {
    api: { revision: COMMIT, digest: 'sha256:api' },
    executor: { revision: COMMIT, digest: 'sha256:executor' },
  };
});

function images() {
  const host = 'https://ghcr.io/v2';
  const rows = Object.entries(registry).flatMap(([image, { revision, digest }]) => [
    [
      `GET ${host}/kubently/kubently/${image}/manifests/${TAG}`,
      json({ config: { digest: 'sha256:c' } }, 200, { 'docker-content-digest': digest }),
    ],
    [
      `GET ${host}/kubently/kubently/${image}/blobs/sha256:c`,
      json({ config: { Labels: { 'org.opencontainers.image.revision': revision } } }),
    ],
  ]);
  return { [`GET ${host}/`]: json({}), ...(Object.fromEntries(rows) as Record<string, ReturnType<typeof json>>) };
}

async function prove(n: number) {
  const criterion = CRITERIA.find((c) => c.number === n) as Criterion;
  const rows: Row[] = [
    { binary: 'git', args: ['-C', given.repo, 'rev-parse', 'HEAD'], answer: `${COMMIT}\n` },
    {
      binary: 'kubectl',
      args: (a) => a[0] === 'exec' && a.join(' ').includes('redis-cli -h'),
      answer: () => `${IP}:80 ${other.reaches('redis itself', false) ? 'yes' : 'no'}\n`,
    },
    ...api.rows(),
  ];
  outside = fakeOutside({
    worlds: [google, gke, kind, api],
    rows,
    http: images(),
    nameServers: { 'kubently.io': seen },
    resolved: { [given.host]: resolved },
    addresses: { [given.host]: () => [{ server: 'ns1.test.', addresses: [IP] }] },
    served: { [given.host]: () => ({}) as Served },
    legacyTls: { [given.host]: () => undefined },
  });
  return proveAll([criterion], contextOf(outside, given, true), () => undefined)[0];
}

test('there are the plan’s thirteen, in its order', () => {
  expect(CRITERIA.map((c) => c.number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
});

test.each(CRITERIA.map((c) => [c.number, c.title] as const))(
  '%i %s: proven, with evidence, nothing changed',
  async (n) => {
    const outcome = await prove(n);
    expect(outcome).toMatchObject({ state: 'proven', evidence: expect.stringMatching(/\w{3}/) as string });
    expect(outside.changes).toEqual([]);
    for (const secret of [...Object.values(TOKENS), 'unit-llm-key'])
      expect(JSON.stringify(outcome)).not.toContain(secret);
  },
);

const edit = (name: string, change: (o: KubeObject) => unknown): void => {
  [...gke.objects, ...kind.objects].filter((o) => o.metadata.name === name).forEach(change);
};

test.each<[number, string, () => unknown]>([
  [1, 'kubently.io. is not delegated to its zone', () => (seen = ['ns1.registrar.test'])],
  [1, 'kubently.io. is not delegated to its zone', () => (seen = ['ns1.test'])],
  [1, 'kubently.io. is not delegated to its zone', () => (seen = [])],
  [2, 'has no A record', () => (google.record = undefined)],
  [2, 'A record is 198.51.100.1', () => (google.record = { name: 'x', type: 'A', ttl: 1, rrdatas: ['198.51.100.1'] })],
  [
    3,
    'has other solvers than DNS-01',
    () => edit('letsencrypt-prod', (o) => (o['spec'] = { acme: { solvers: [{ http01: {} }, { dns01: {} }] } })),
  ],
  [3, 'no valid Order gave the certificate', () => edit('order-1', (o) => (o['status'] = { state: 'pending' }))],
  [
    3,
    'no valid Order gave the certificate',
    () => edit('order-1', (o) => (o['status'] = { state: 'valid', certificate: 'b3RoZXI=' })),
  ],
  [3, 'the Certificate is not ready', () => edit('kubently-api-tls', (o) => (o['status'] = {}))],
  [4, 'answers HTTP 503', () => (api.health = json({}, 503))],
  [4, 'less strict than configured', () => (api.health = json({ status: 'healthy' }))],
  [5, 'Redis answers without a password', () => (api.pings = ['PONG\n', 'PONG\n'])],
  [5, 'does not take the deployment', () => (api.pings = ['NOAUTH\n', 'WRONGPASS\n'])],
  [
    6,
    'ConfigMap/settings in gke-context holds a secret value',
    () => edit('settings', (o) => (o['data'] = { a: 'x unit-llm-key' })),
  ],
  [
    6,
    'Pod/remote-1 in kind-context holds a secret value',
    () => edit('remote-1', (o) => (o['spec'] = { containers: [{ env: [{ name: 'T', value: 'unit-remote-token' }] }] })),
  ],
  [
    6,
    'Helm values of kubently in gke-context holds',
    () => (gke.releases = gke.releases.map((r) => ({ ...r, values: { key: 'unit-api-key' } }))),
  ],
  [
    7,
    'no executor pod of release',
    () => edit('remote-1', (o) => (o.metadata.deletionTimestamp = '2026-01-01T00:00:00Z')),
  ],
  [
    12,
    'no pod of the API is ready',
    () => edit('api-1', (o) => (o.metadata.deletionTimestamp = '2026-01-01T00:00:00Z')),
  ],
  [7, 'was not built from', () => (registry['api'] = { revision: 'other', digest: 'sha256:api' })],
  [
    7,
    'pod remote-1 does not run the image of this commit',
    () =>
      edit(
        'remote-1',
        (o) => (o['status'] = { containerStatuses: [{ image: 'x/executor:y', imageID: 'x/executor@sha256:old' }] }),
      ),
  ],
  [
    8,
    'pod api-1 has LOG_LEVEL=debug',
    () => edit('api-1', (o) => (o['spec'] = { containers: [{ env: [{ name: 'LOG_LEVEL', value: 'debug' }] }] })),
  ],
  [
    8,
    'pod remote-1 has A2A_DEBUG=1',
    () => edit('remote-1', (o) => (o['spec'] = { containers: [{ env: [{ name: 'A2A_DEBUG', value: '1' }] }] })),
  ],
  [
    9,
    'kind-remote did not answer a command',
    () =>
      (api.execute = (id) =>
        json(
          id === 'gke'
            ? { status: 'success', output: 'kube-system' }
            : { status: 'timeout', output: null, error: null },
        )),
  ],
  [8, 'no pod runs in kind-context, namespace kubently-remote', () => (kind.objects = [])],
  [
    8,
    'pod api-1 has A2A_DEBUG=true',
    () => {
      edit('settings', (o) => (o['data'] = { DEBUG: 'true' }));
      edit('api-1', (o) => {
        o['spec'] = { containers: [{ envFrom: [{ prefix: 'A2A_', configMapRef: { name: 'settings' } }] }] };
      });
    },
  ],
  [10, 'the CLI got no answer', () => (other.cli = 'the CLI got no answer about gke')],
  [11, 'the A2A task ended failed', () => (api.answer = { state: 'failed', text: '' })],
  [11, 'does not name the pod', () => (api.answer = { state: 'completed', text: 'all is well' })],
  [12, 'as found', () => (other.policy = 'absent')],
  [12, 'cannot reach Redis', () => (other.reaches = () => false)],
  [13, 'resolves to something else', () => (resolved = ['198.51.100.1'])],
  [13, 'has an AAAA record', () => (google.beside = [{ name: 'x', type: 'AAAA', ttl: 1, rrdatas: ['2001:db8::1'] }])],
  [13, 'has no A record', () => (google.record = undefined)],
])('%i fails: %s', async (n, message, change) => {
  change();
  const outcome = await prove(n);
  expect(outcome?.state).toBe('failed');
  expect((outcome as { error: Error }).error.message).toContain(message);
  for (const secret of [...Object.values(TOKENS), 'unit-llm-key'])
    expect(JSON.stringify(outcome)).not.toContain(secret);
});

test.each<[number, string, () => unknown]>([
  [
    11,
    'no LLM key is set (OPENAI_API_KEY), so no agent can answer',
    () => (given = { ...given, llm: { ...given.llm, keys: {} } }),
  ],
  [12, 'this cluster does not enforce them', () => (other.reaches = () => true)],
  [12, 'does not even reach', () => (other.reaches = (name) => name === 'runbook-probe-api')],
])('%i is not counted as passed where it cannot be shown', async (n, reason, change) => {
  change();
  const outcome = await prove(n);
  expect(outcome).toMatchObject({ state: 'unproven', reason: expect.stringContaining(reason) as string });
  expect(verdict(outcome ? [outcome] : [])).toMatch(/^0 of 1 criteria proven; not proven: /);
});
