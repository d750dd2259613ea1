/** Steps 2.4, 2.5, 2.8 and 3.1: around the fit, which has its own tests (test/chart). */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { beforeEach, expect, test, vi } from 'vitest';
import type { Finding } from '../../../lib/chart/finding.ts';
import { chartPath } from '../../../lib/deployment/kubently/checkout.ts';
import type { Command } from '../../../lib/base/command.ts';
import { objectsOf } from '../../../lib/clients/helm.ts';
import { valuesPath } from '../../../lib/deployment/release/fitted.ts';
import { gkeRelease } from '../../../lib/deployment/release/release.ts';
import type { Settings } from '../../../lib/settings/settings.ts';
import { step as values } from '../../../scripts/2.4-values.ts';
import { step as release } from '../../../scripts/2.5-release.ts';
import { step as policy } from '../../../scripts/2.8-redis-network-policy.ts';
import { step as remoteValues } from '../../../scripts/3.1-remote-values.ts';
import { FakeGoogle, IP } from '../fake-google.ts';
import { deployment, FakeCluster, rolledOut } from '../fake-cluster.ts';
import { contextOf, fails, fakeOutside, inputOf, type Row } from '../outside.ts';
import { AROUND, checkedOut, checkoutRows, MANIFEST, postRendered, VALUES } from '../released.ts';
import type { KubeObject } from '../../../lib/base/kubernetes.ts';
import { undo } from '../undo.ts';

const fit = vi.hoisted(() => ({ findings: [] as Finding[], calls: 0 }));
vi.mock('../../../lib/chart/fit.ts', () => ({
  fitRelease: () => {
    fit.calls++;
    return Promise.resolve({ values: VALUES, extras: AROUND, findings: fit.findings });
  },
}));

const warning: Finding = { grade: 'warning', id: 'w', message: 'odd', remedy: 'none' };
let cluster: FakeCluster;
let given: Settings;

beforeEach(() => {
  fit.findings = [];
  fit.calls = 0;
  given = checkedOut();
  cluster = new FakeCluster('gke-context');
  cluster.controllers = rolledOut;
  cluster.helmUpgrade = installed;
});

/** What helm and the chart's controllers make. */
function installed({ args }: Command): void {
  const manifest = postRendered(args);
  cluster.releases = [
    {
      name: 'kubently',
      namespace: 'kubently',
      status: 'deployed',
      revision: 1,
      chart: 'kubently-1',
      values: VALUES,
      manifest,
    },
  ];
  cluster.objects.push(
    ...objectsOf(manifest).filter((o) => o.kind === 'ConfigMap'),
    deployment('kubently-api', 'kubently'),
    deployment('kubently-redis-master', 'kubently', 'StatefulSet'),
  );
}

function make(rows: Row[] = [], looking = false) {
  const outside = fakeOutside({ worlds: [cluster], rows: [...checkoutRows(given), ...rows] });
  return { outside, ctx: contextOf(outside, given, looking) };
}

async function fitted(): Promise<void> {
  await values.apply(make().ctx);
}

test('2.4 absent: fits once, keeps values to read; present: done without another fit', async () => {
  const { outside, ctx } = make();
  expect(await values.check(ctx)).toMatchObject({ state: 'absent' });
  fit.findings = [warning];
  await values.apply(ctx);
  const path = valuesPath(ctx, await gkeRelease(ctx));
  expect(readFileSync(path, 'utf8')).toContain('replicaCount: 2');
  expect(await values.check(ctx)).toMatchObject({ state: 'done' });
  expect(await values.verify(ctx)).toContain('complete, 1 warning');
  expect(fit.calls).toBe(1);
  expect(outside.changes).toEqual([]);
});

test('2.4: another chart, or other settings, need another fit', async () => {
  await fitted();
  appendFileSync(`${chartPath(given.repo)}/templates/api.yaml`, 'spec: {}\n');
  expect(await values.check(make().ctx)).toMatchObject({ state: 'absent' });
  await fitted();
  given = { ...given, apiReplicas: 3 };
  expect(await values.check(make().ctx)).toMatchObject({ state: 'absent' });
});

test('2.4: a finding that is an error stops, with its remedy, and keeps nothing', async () => {
  fit.findings = [
    { grade: 'error', id: 'missing-secret', object: 'Deployment/x', message: 'reads no Secret', remedy: 'mend it' },
  ];
  const { ctx } = make();
  await expect(values.apply(ctx)).rejects.toMatchObject({
    message: 'the chart does not give a complete release kubently: reads no Secret',
    parts: { detail: 'missing-secret Deployment/x: reads no Secret\n  mend it' },
  });
  expect(existsSync(valuesPath(ctx, await gkeRelease(ctx)))).toBe(false);
  expect(await values.check(ctx)).toMatchObject({ state: 'absent' });
});

test('2.4: after undo it is to be done again', async () => {
  await fitted();
  const { ctx } = make();
  await undo(values, ctx);
  expect(await values.check(ctx)).toMatchObject({ state: 'absent' });
});

test('2.5 is unknown before the fit', async () => {
  expect(await release.check(make().ctx)).toMatchObject({ state: 'unknown', after: '2.4' });
  await expect(release.apply(make().ctx)).rejects.toMatchObject({ parts: { next: './runbook 2.4' } });
});

test('2.5 absent: what is beside the release, then the release with the fitted values and patches', async () => {
  await fitted();
  const { outside, ctx } = make();
  expect(await release.check(ctx)).toEqual({ state: 'absent', reason: 'no release kubently in kubently' });
  await release.apply(ctx);
  expect(outside.changes).toEqual([
    'apply in kubently: PodDisruptionBudget/kubently-api',
    expect.stringMatching(
      /^helm upgrade --install kubently \S+\/deployment\/helm\/kubently --create-namespace /,
    ) as string,
  ]);
  const upgrade = outside.commands.find((c) => c.args[0] === 'upgrade');
  expect(upgrade && (JSON.parse(inputOf(upgrade)) as unknown)).toEqual(VALUES);
  expect(await release.check(ctx)).toMatchObject({ state: 'done' });
});

test('2.5 present: done, and /health through the API server is the proof, nothing changed', async () => {
  await fitted();
  await release.apply(make().ctx);
  const labels = { 'app.kubernetes.io/instance': 'kubently', 'app.kubernetes.io/component': 'api' };
  const metadata = { name: 'kubently-api', namespace: 'kubently', labels };
  cluster.objects.push({ apiVersion: 'v1', kind: 'Service', metadata, spec: { clusterIP: '10.0.0.1' } });
  const health: Row = {
    binary: 'kubectl',
    args: (a) => a[0] === 'get' && a[2] === '/api/v1/namespaces/kubently/services/kubently-api:http/proxy/health',
    answer: '{"status":"healthy"}',
  };
  const { outside, ctx } = make([health], true);
  expect(await release.check(ctx)).toMatchObject({ state: 'done' });
  expect(await release.verify(ctx)).toContain('/health says healthy');
  expect(outside.changes).toEqual([]);
});

test.each<[string, () => unknown, string]>([
  [
    'a pending release',
    () => (cluster.releases = cluster.releases.map((r) => ({ ...r, status: 'pending-upgrade' }))),
    'release kubently is pending-upgrade',
  ],
  [
    'other values',
    () => (cluster.releases = cluster.releases.map((r) => ({ ...r, values: {} }))),
    'release kubently was installed with other values',
  ],
  [
    'another chart',
    () => (cluster.releases = cluster.releases.map((r) => ({ ...r, manifest: '' }))),
    'release kubently was rendered by another chart, or before a Secret changed',
  ],
  [
    'a workload changed by hand',
    () =>
      (cluster.objects = cluster.objects.map((o) =>
        o.kind === 'ConfigMap' ? { ...o, data: { kustomization: 'by hand' } } : o,
      )),
    expect.stringContaining('ConfigMap/patched data.kustomization') as string,
  ],
  [
    'a budget that is gone',
    () => (cluster.objects = cluster.objects.filter((o) => o.kind !== 'PodDisruptionBudget')),
    'missing: PodDisruptionBudget/kubently-api',
  ],
  [
    'a workload with no pods',
    () =>
      (cluster.objects = cluster.objects.map((o) =>
        o.kind === 'StatefulSet' ? { ...o, status: { observedGeneration: 1 } } : o,
      )),
    'a workload 0 of 1 replicas are of the new revision',
  ],
])('2.5: %s is not done', async (_, disturb, reason) => {
  await fitted();
  await release.apply(make().ctx);
  disturb();
  const found = await release.check(make().ctx);
  expect(found.state).not.toBe('done');
  expect(found.reason).toEqual(reason);
});

test('2.5: what only the text of another chart says otherwise is no difference; what it adds, changes or drops is', async () => {
  await fitted();
  await release.apply(make().ctx);
  const helms = {
    labels: { 'app.kubernetes.io/managed-by': 'Helm' },
    annotations: { 'meta.helm.sh/release-name': 'kubently', 'meta.helm.sh/release-namespace': 'kubently' },
  };
  cluster.objects = cluster.objects.map((o) =>
    o.kind === 'PodDisruptionBudget' ? o : { ...o, metadata: { ...o.metadata, ...helms } },
  );
  const recorded = (change: (text: string) => string): void => {
    cluster.releases = cluster.releases.map((r) => ({ ...r, manifest: change(r.manifest ?? '') }));
  };
  recorded((text) => text.replaceAll(', namespace: kubently', ''));
  expect(await release.check(make().ctx)).toMatchObject({ state: 'done' });

  recorded((text) => `${text}---\n{ apiVersion: v1, kind: Service, metadata: { name: old } }\n`);
  expect(await release.check(make().ctx)).toMatchObject({ state: 'differs', lines: ['Service/old: removed'] });
});

test('2.5: an upgrade that replaces Redis and the API replaces Redis first, as Helm, and waits for it', async () => {
  await fitted();
  await release.apply(make().ctx);
  const next = MANIFEST.replace(
    'name: kubently-redis-master, namespace: kubently }',
    'name: kubently-redis-master, namespace: kubently }\nspec: { template: { metadata: { annotations: { version: "2" } } } }',
  );
  const outside = fakeOutside({ worlds: [cluster], rows: checkoutRows(given, next) });
  appendFileSync(`${chartPath(given.repo)}/templates/api.yaml`, 'spec: {}\n');
  const ctx = contextOf(outside, given);
  await values.apply(ctx);
  await release.apply(ctx);
  expect(outside.changes.slice(-2)).toEqual([
    'apply as helm in kubently: ConfigMap/patched, StatefulSet/kubently-redis-master',
    expect.stringMatching(/^helm upgrade --install kubently /),
  ]);
});

test('2.5: an upgrade that the API server refuses is a conflict, in its words', async () => {
  await fitted();
  await release.apply(make().ctx);
  cluster.releases = cluster.releases.map((r) => ({ ...r, manifest: '' }));
  const { command } = cluster;
  const refuse = fails(
    'The StatefulSet "x" is invalid: spec: Forbidden: updates to statefulset spec for fields other than',
  );
  cluster.command = (c) => (c.args.includes('--dry-run=server') && c.args.includes('helm') ? refuse(c) : command(c));
  expect(await release.check(make().ctx)).toMatchObject({
    state: 'conflict',
    reason: expect.stringContaining('updates to statefulset spec') as string,
  });
});

test('2.5: a changed Secret makes the pods restart', async () => {
  await fitted();
  await release.apply(make().ctx);
  const data = { keys: 'eA==' };
  cluster.objects.push({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'kubently-api-keys', namespace: 'kubently' },
    data,
  });
  expect(await release.check(make().ctx)).toMatchObject({
    state: 'differs',
    reason: expect.stringContaining('before a Secret changed') as string,
  });
});

test('2.8 absent: the policy with the selectors that the render shows; present: nothing changed', async () => {
  await fitted();
  const { outside, ctx } = make();
  expect(await policy.check(ctx)).toMatchObject({ state: 'absent' });
  await policy.apply(ctx);
  expect(outside.changes).toEqual([
    'apply in kubently: NetworkPolicy/kubently-redis, NetworkPolicy/kubently-api, NetworkPolicy/kubently-default-deny',
  ]);
  expect(cluster.get('NetworkPolicy', 'kubently-default-deny')?.['spec']).toEqual({
    podSelector: {},
    policyTypes: ['Ingress'],
  });
  expect(callersOfApi()).toEqual([
    { podSelector: { matchLabels: { part: 'executor' } } },
    {
      namespaceSelector: inNamespace('kube-system'),
      podSelector: { matchLabels: { 'k8s-app': 'konnectivity-agent' } },
    },
    {
      namespaceSelector: inNamespace('traefik'),
      podSelector: { matchLabels: { 'app.kubernetes.io/name': 'traefik' } },
    },
  ]);
  expect(cluster.get('NetworkPolicy', 'kubently-redis')?.['spec']).toEqual({
    podSelector: { matchLabels: { part: 'redis' } },
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{ from: [{ podSelector: { matchLabels: { part: 'api' } } }], ports: [{ protocol: 'TCP', port: 6379 }] }],
  });
  expect(await policy.check(ctx)).toMatchObject({ state: 'done' });
  expect(outside.changes).toHaveLength(1);
});

const inNamespace = (name: string): object => ({ matchLabels: { 'kubernetes.io/metadata.name': name } });

/** Who may call the API by the policy; undefined: anybody. */
function callersOfApi(): unknown {
  const spec = cluster.get('NetworkPolicy', 'kubently-api')?.['spec'] as {
    ingress: { from?: unknown; ports: unknown }[];
  };
  expect(spec.ingress).toHaveLength(1);
  expect(spec.ingress[0]?.ports).toEqual([{ protocol: 'TCP', port: 8080 }]);
  return spec.ingress[0]?.from;
}

test('2.8 with an existing controller: its pods behind the address, or anybody where they cannot be told', async () => {
  given = checkedOut({ ingressController: 'existing' });
  await fitted();
  const outside = fakeOutside({ worlds: [cluster, new FakeGoogle().reserved()], rows: checkoutRows(given) });
  const ctx = contextOf(outside, given);
  cluster.objects.push({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'controller', namespace: 'edge' },
    spec: { type: 'LoadBalancer', selector: { app: 'edge' } },
    status: { loadBalancer: { ingress: [{ ip: IP }] } },
  });
  await policy.apply(ctx);
  expect(callersOfApi()).toBeUndefined();
  const pod = (hostNetwork: boolean): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'edge-0', namespace: 'edge', labels: { app: 'edge' } },
    spec: { hostNetwork },
  });
  cluster.objects.push(pod(false));
  await policy.apply(ctx);
  expect(callersOfApi()).toContainEqual({
    namespaceSelector: inNamespace('edge'),
    podSelector: { matchLabels: { app: 'edge' } },
  });
  cluster.objects = [...cluster.objects.filter((o) => o.kind !== 'Pod' && o.kind !== 'NetworkPolicy'), pod(true)];
  await policy.apply(ctx);
  expect(callersOfApi()).toBeUndefined();
});

test('2.8: a policy that selects no pod is no protection', async () => {
  await fitted();
  const { ctx } = make();
  await policy.apply(ctx);
  await expect(policy.verify(ctx)).rejects.toThrow('NetworkPolicy kubently-redis selects no pod');
  const redis: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'redis-0', namespace: 'kubently', labels: { part: 'redis' } },
  };
  cluster.objects.push(redis);
  await expect(policy.verify(ctx)).rejects.toThrow('NetworkPolicy kubently-api selects no pod');
  cluster.objects.push({ ...redis, metadata: { ...redis.metadata, name: 'api-0', labels: { part: 'api' } } });
  expect(await policy.verify(ctx)).toContain('select redis-0, api-0');
});

test('3.1 absent: fits every remote; present: none again', async () => {
  const { outside, ctx } = make();
  expect(await remoteValues.check(ctx)).toEqual({ state: 'absent', reason: 'not fitted yet: kind-remote' });
  await remoteValues.apply(ctx);
  expect(await remoteValues.check(ctx)).toMatchObject({ state: 'done' });
  await remoteValues.apply(ctx);
  expect(fit.calls).toBe(1);
  expect(outside.changes).toEqual([]);
});
