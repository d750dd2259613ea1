/** Removal: what is the deployment's own, what is retained and why, in which order it goes, and what is said in the end. */
import { beforeEach, expect, test, vi } from 'vitest';
import { Chalk } from 'chalk';
import { removeObjects } from '../../lib/deployment/ownership/remove-objects.ts';
import type { Context } from '../../lib/context.ts';
import { inventory, itemLines, leftLines } from '../../lib/operations/removal/inventory.ts';
import { ownedBy, placeAt } from '../../lib/deployment/ownership/ownership.ts';
import { removalOf, steps } from './undo.ts';
import { STEPS } from '../../scripts/steps.ts';
import { undoSteps } from '../../lib/operations/removal/removal.ts';
import { Secret } from '../../lib/base/secret.ts';
import { retainedBy } from '../../lib/deployment/ownership/retained.ts';
import type { ChangeStep } from '../../lib/step.ts';
import { changeTokens } from '../../lib/settings/tokens-file.ts';
import { keepOf, remove } from '../../scripts/ops/remove.ts';
import { FakeCluster } from './fake-cluster.ts';
import { EMAIL, FakeGoogle } from './fake-google.ts';
import { Stop } from '../../lib/runner/stop.ts';
import { contextOf, fakeOutside, fails, settings, type FakeOutside, type Row } from './outside.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';
import type { Keep } from '../../lib/step.ts';

vi.mock('../../lib/runner/lock.ts', () => ({ withLock: (_: unknown, __: unknown, work: () => unknown) => work() }));

const OURS = { 'app.kubernetes.io/managed-by': 'kubently-runbook' };
const NOTHING = new Set<Keep>();

function object(
  kind: string,
  name: string,
  namespace?: string,
  more: Partial<KubeObject['metadata']> = {},
): KubeObject {
  const apiVersion = { Certificate: 'cert-manager.io/v1', ClusterIssuer: 'cert-manager.io/v1' }[kind] ?? 'v1';
  return { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...more }, spec: {} };
}

function helms(release: string, namespace: string): Partial<KubeObject['metadata']> {
  return { annotations: { 'meta.helm.sh/release-name': release, 'meta.helm.sh/release-namespace': namespace } };
}

function certificate(name: string, namespace: string, issuer: string): KubeObject {
  return {
    ...object('Certificate', name, namespace, { labels: OURS }),
    spec: { issuerRef: { kind: 'ClusterIssuer', name: issuer } },
  };
}

let gke: FakeCluster;
let kind: FakeCluster;
let google: FakeGoogle;

/** A whole deployment, beside what belongs to others. */
beforeEach(() => {
  google = new FakeGoogle().reserved().withAccount('kubently-runbook unit-api.kubently.io', ['k1']);
  gke = new FakeCluster(
    'gke-context',
    [
      ...['kubently', 'cert-manager', 'traefik'].map((n) => object('Namespace', n, undefined, { labels: OURS })),
      object('Deployment', 'kubently-api', 'kubently', helms('kubently', 'kubently')),
      object('Pod', 'kubently-api-x', 'kubently', { ownerReferences: [{ kind: 'ReplicaSet' }] }),
      object('Secret', 'kubently-api-keys', 'kubently', { labels: OURS }),
      object('Secret', 'kubently-api-tls', 'kubently'),
      object('ConfigMap', 'kube-root-ca.crt', 'kubently'),
      object('PersistentVolumeClaim', 'redis-data-0', 'kubently', {
        labels: { 'app.kubernetes.io/instance': 'kubently' },
      }),
      certificate('kubently-api-tls', 'kubently', 'letsencrypt-prod'),
      object('ClusterRole', 'kubently-executor', undefined, helms('kubently', 'kubently')),
      object('ClusterRole', 'somebody-elses'),
      object('IngressClass', 'internal', undefined, { labels: OURS }), // of another deployment in the cluster
      object('ClusterIssuer', 'letsencrypt-prod', undefined, { labels: OURS }),
      object('Secret', 'letsencrypt-prod', 'cert-manager'),
      object('Secret', 'clouddns-dns01-solver-sa', 'cert-manager', { labels: OURS }),
      object('Deployment', 'cert-manager', 'cert-manager', helms('cert-manager', 'cert-manager')),
      object(
        'CustomResourceDefinition',
        'certificates.cert-manager.io',
        undefined,
        helms('cert-manager', 'cert-manager'),
      ),
      object('Service', 'traefik', 'traefik', { labels: OURS }),
      object('IngressClass', 'nginx', undefined, { labels: OURS }),
    ],
    [
      { name: 'kubently', namespace: 'kubently', status: 'deployed', revision: 1, chart: 'kubently-1' },
      { name: 'cert-manager', namespace: 'cert-manager', status: 'deployed', revision: 1, chart: 'cert-manager-1' },
    ],
  );
  kind = new FakeCluster(
    'kind-context',
    [
      object('Namespace', 'kubently-remote', undefined, { labels: OURS }),
      object('Deployment', 'kubently-remote-executor', 'kubently-remote', helms('kubently-remote', 'kubently-remote')),
    ],
    [{ name: 'kubently-remote', namespace: 'kubently-remote', status: 'deployed', revision: 1, chart: 'kubently-1' }],
  );
});

async function make(rows: Row[] = []): Promise<{ outside: FakeOutside; ctx: Context }> {
  const given = settings();
  await changeTokens(given, () => ({ API_KEY: new Secret('unit-api-key-0001') }), '203.0.113.7');
  const outside = fakeOutside({
    worlds: [google, gke, kind],
    rows,
    http: {
      'DELETE https://unit-api.kubently.io/admin/agents/kind-remote/token': { status: 204, headers: {}, body: '' },
    },
  });
  return { outside, ctx: contextOf(outside, given) };
}

async function session(rows: Row[] = []) {
  const { outside, ctx } = await make(rows);
  const lines: string[] = [];
  const journal: string[] = [];
  return {
    outside,
    lines,
    journal,
    session: {
      ctx,
      outside,
      stop: new Stop(),
      out: {
        line: (text: string) => void lines.push(text),
        chalk: new Chalk({ level: 0 }),
        live: false,
        stream: process.stdout,
      },
      journal: (e: { step?: string; state?: string }) => void journal.push(`${e.step ?? ''} ${e.state ?? ''}`),
    },
  };
}

test('removes all that is the deployment’s, nothing else, and is then content with nothing', async () => {
  const first = await session();
  expect(await remove(first.session, NOTHING, '1')).toBe(0);
  expect(gke.objects.map((o) => `${o.kind}/${o.metadata.name}`)).toEqual([
    'ClusterRole/somebody-elses',
    'IngressClass/internal',
  ]);
  expect(kind.objects).toEqual([]);
  expect([google.address, google.record, google.account, google.bindings]).toEqual([
    undefined,
    undefined,
    undefined,
    [],
  ]);
  expect(first.lines.join('\n')).toContain('the tokens are yours');
  const second = await session();
  expect(await remove(second.session, NOTHING, '1')).toBe(0);
  expect(second.lines).toContain('there is nothing to remove');
  expect(second.outside.changes).toEqual([]);
});

test('asks before anything is changed, and refuses where nobody can be asked', async () => {
  const { outside, session: given, lines } = await session();
  await expect(remove(given, NOTHING, undefined)).rejects.toMatchObject({ problems: [{ about: 'YES' }] });
  expect(lines.join('\n')).toMatch(/Namespace +kubently$/m);
  expect(outside.changes).toEqual([]);
});

test('KEEP=dns,data,certs: each stays with what it needs, and is named', async () => {
  const { session: given, lines } = await session();
  expect(await remove(given, keepOf('dns,data,certs'), '1')).toBe(0);
  expect(google.record).toBeDefined();
  expect(google.address).toBeDefined();
  const left = gke.objects.map((o) => `${o.kind}/${o.metadata.name}`);
  expect(left).toEqual(
    expect.arrayContaining([
      'Namespace/kubently',
      'PersistentVolumeClaim/redis-data-0',
      'Secret/kubently-api-tls',
      'Secret/letsencrypt-prod',
    ]),
  );
  expect(left).not.toContain('Secret/kubently-api-keys');
  expect(left).not.toContain('Secret/clouddns-dns01-solver-sa');
  expect(left).not.toContain('Namespace/traefik');
  expect(lines.join('\n')).toContain(
    'a record whose address is free for others invites a takeover (it costs money while nothing uses it)',
  );
});

test('KEEP names only what there is to keep', () => {
  expect(keepOf(undefined)).toEqual(new Set());
  expect([...keepOf('dns, ip')]).toEqual(['dns', 'ip']);
  expect(() => keepOf('dns,all')).toThrow('all cannot be kept');
});

test('another Certificate keeps cert-manager, and by its issuer all that the issuer needs', async () => {
  gke.objects.push(certificate('theirs', 'other', 'letsencrypt-prod'));
  const { ctx } = await make();
  const retained = await retainedBy(ctx, NOTHING);
  expect(Object.fromEntries(retained)).toEqual({
    'cert-manager': 'Certificate other/theirs needs it',
    issuers: 'Certificate other/theirs is issued by them',
  });
  const kept = (await inventory(STEPS, ctx, removalOf(ctx, retained)))
    .filter((i) => i.kept !== undefined)
    .map((i) => `${i.kind} ${i.name}`);
  expect(kept).toEqual(
    expect.arrayContaining([
      `Service account ${EMAIL}`,
      'Namespace cert-manager',
      'ClusterIssuer letsencrypt-prod',
      'CustomResourceDefinition certificates.cert-manager.io',
    ]),
  );
  expect(leftLines(await inventory(STEPS, ctx, removalOf(ctx, retained))).join('\n')).toContain(
    'Certificate other/theirs needs it',
  );
});

test('a cert-manager that was there before stays; the runbook’s issuers and account go', async () => {
  gke.objects = gke.objects.filter((o) => o.kind !== 'Namespace' || o.metadata.name !== 'cert-manager');
  gke.objects.push(object('Namespace', 'cert-manager'));
  const { session: given } = await session();
  expect(await remove(given, NOTHING, '1')).toBe(0);
  expect(gke.get('Deployment', 'cert-manager')).toBeDefined();
  expect(gke.get('CustomResourceDefinition', 'certificates.cert-manager.io')).toBeDefined();
  expect(gke.get('ClusterIssuer', 'letsencrypt-prod')).toBeUndefined();
  expect(gke.get('Secret', 'clouddns-dns01-solver-sa')).toBeUndefined();
  expect(google.account).toBeUndefined();
});

test('another Ingress of the class keeps controller and address; an existing controller is not touched', async () => {
  gke.objects.push({ ...object('Ingress', 'shop', 'shop'), spec: { ingressClassName: 'nginx' } });
  Object.assign(google.address ?? {}, { status: 'IN_USE' });
  const { ctx } = await make();
  const retained = await retainedBy(ctx, NOTHING);
  expect(retained.get('ingress')).toBe('Ingress shop/shop is served by it');
  expect(retained.get('address')).toContain('the ingress controller stays at it');
  ctx.settings.ingressController = 'existing';
  expect((await retainedBy(ctx, NOTHING)).get('ingress')).toContain('existing');
});

test.each([
  ['ClusterIssuer', 'letsencrypt-prod', undefined, 'issuers'],
  ['Secret', 'clouddns-dns01-solver-sa', 'cert-manager', 'issuers'],
  ['Service', 'traefik', 'traefik', 'ingress'],
] as const)("%s %s that deploying left alone is another team's, and stays", async (kindOf, name, namespace, part) => {
  gke.objects = gke.objects.filter((o) => o.kind !== kindOf || o.metadata.name !== name);
  gke.objects.push(object(kindOf, name, namespace));
  expect((await retainedBy((await make()).ctx, NOTHING)).get(part)).toContain("is not the runbook's");
});

test('an address that somebody else reserved and a record that points elsewhere stay', async () => {
  Object.assign(google.address ?? {}, { description: 'by hand' });
  google.record = { name: 'x', type: 'A', ttl: 300, rrdatas: ['198.51.100.1'] };
  const retained = await retainedBy((await make()).ctx, NOTHING);
  expect(retained.get('address')).toContain('did not reserve it');
  expect(retained.get('record')).toContain('points to 198.51.100.1');
});

test('a namespace that holds something of others stays, and only the deployment’s own goes out of it', async () => {
  gke.objects.push(object('ConfigMap', 'theirs', 'kubently'));
  const { outside, ctx } = await make();
  const place = placeAt(removalOf(ctx), ctx.settings.gke);
  await removeObjects(ctx, place, new Map());
  expect(outside.changes.some((c) => c.includes('Namespace/'))).toBe(false);
  const left = gke.objects.filter((o) => o.metadata.namespace === 'kubently').map((o) => o.metadata.name);
  expect(left).toEqual(['kubently-api-x', 'kube-root-ca.crt', 'theirs']);
  const item = (await inventory(STEPS, ctx, removalOf(ctx))).find(
    (i) => i.kind === 'Namespace' && i.name === 'kubently',
  );
  expect(item?.kept).toBe('it holds ConfigMap/theirs, which the runbook did not make');
});

test('the deployment’s own Issuer keeps no cert-manager, another’s does, the same label or not', async () => {
  gke.objects.push(object('Issuer', 'private-ca', 'kubently', { labels: OURS }));
  const { ctx } = await make();
  const keeper = async (): Promise<unknown> => (await retainedBy(ctx, NOTHING)).get('cert-manager');
  expect(await keeper()).toBeUndefined();
  gke.objects.push(object('Issuer', 'private-ca', 'kubently-2', { labels: OURS }));
  expect(await keeper()).toBe('Issuer kubently-2/private-ca needs it');
});

test('a remote cluster that does not answer is named, and stops nothing in GKE', async () => {
  const silent: Row = {
    binary: 'kubectl',
    args: (a) => a.includes('kind-context'),
    answer: fails('Unable to connect to the server'),
  };
  const helm: Row = {
    binary: 'helm',
    args: (a) => a.includes('kind-context'),
    answer: fails('Unable to connect to the server'),
  };
  kind.command = () => undefined;
  const { session: given, lines } = await session([silent, helm]);
  expect(await remove(given, NOTHING, '1')).toBe(1);
  expect(gke.get('Namespace', 'kubently')).toBeUndefined();
  expect(google.address).toBeUndefined();
  expect(lines.join('\n')).toContain('take it out of REMOTE_CLUSTERS');
});

test('a grant of an account that is gone is taken away; a live account of others keeps its own', async () => {
  google.account = undefined;
  google.bindings = [
    { role: 'roles/dns.admin', members: [`deleted:serviceAccount:${EMAIL}?uid=1`, `serviceAccount:${EMAIL}`] },
  ];
  const { session: given } = await session();
  expect(await remove(given, NOTHING, '1')).toBe(0);
  expect(google.bindings).toEqual([{ role: 'roles/dns.admin', members: [`serviceAccount:${EMAIL}`] }]);
});

test('a new step’s objects in a new namespace, and what it has elsewhere, are found and removed by its owns alone', async () => {
  const target = { context: 'gke-context', namespace: 'observability' };
  gke.objects.push(
    object('Namespace', 'observability', undefined, { labels: OURS }),
    object('ConfigMap', 'dashboards', 'observability', { labels: OURS }),
    object('Secret', 'made-by-its-controller', 'observability'),
    object('ClusterRole', 'dashboards', undefined, { labels: OURS }),
  );
  const added: ChangeStep = {
    ...steps([])('5.0'),
    owns: () => ({
      objects: [{ target, named: { 'Secret/made-by-its-controller': [], 'ClusterRole/dashboards': [] } }],
      elsewhere: () => Promise.resolve([{ where: 'a bucket', kind: 'Object', name: 'dump' }]),
    }),
    undo: (ctx, removal) => removeObjects(ctx, placeAt(removal, target), removal.retained),
  };
  const { ctx } = await make();
  const all = [...STEPS, added];
  const removal = { retained: new Map(), owned: ownedBy(all, ctx) };
  const found = (await inventory(all, ctx, removal)).filter((i) => i.step === '5.0');
  expect(found.map((i) => `${i.where}: ${i.kind} ${i.name}`)).toEqual([
    'GKE cluster, observability: ConfigMap dashboards',
    'GKE cluster, observability: Secret made-by-its-controller',
    'GKE cluster, observability: ClusterRole dashboards',
    'GKE cluster, observability: Namespace observability',
    'a bucket: Object dump',
  ]);
  expect(found.filter((i) => i.kept !== undefined)).toEqual([]);
  await undoSteps([added], ctx, removal, () => undefined, { changed: () => undefined });
  expect((await inventory(all, ctx, removal)).filter((i) => i.step === '5.0').map((i) => i.kind)).toEqual(['Object']);
});

test('a step without an undo says why, and is kept', async () => {
  const kept: ChangeStep = { ...steps([])('2.9'), undo: { none: 'it is the operator’s' } };
  const [row] = await undoSteps(
    [kept],
    contextOf(fakeOutside({})),
    { retained: new Map(), owned: [] },
    () => undefined,
    {
      changed: () => undefined,
    },
  );
  expect([row?.state, row?.reason]).toEqual(['kept', 'it is the operator’s']);
});

test('what is left is grouped by place and kind', async () => {
  const { ctx } = await make();
  expect(itemLines(await inventory(STEPS, ctx, removalOf(ctx)))).toEqual(
    expect.arrayContaining([
      '  GKE cluster, kubently',
      expect.stringMatching(/^ {4}Secret +kubently-api-keys, kubently-api-tls$/),
    ]),
  );
});
