import { beforeEach, expect, test } from 'vitest';
import { step } from '../../../scripts/1.1-cert-manager.ts';
import { deployment, FakeCluster, type FakeRelease } from '../fake-cluster.ts';
import { contextOf, fails, fakeOutside, inputOf, settings } from '../outside.ts';
import { undo } from '../undo.ts';

const NAMES = ['cert-manager', 'cert-manager-webhook', 'cert-manager-cainjector'];
const OURS = { 'app.kubernetes.io/managed-by': 'kubently-runbook' };
const RELEASE: Omit<FakeRelease, 'chart'> = {
  name: 'cert-manager',
  namespace: 'cert-manager',
  status: 'deployed',
  revision: 1,
  labels: OURS,
};
const UPGRADE =
  'helm upgrade --install cert-manager oci://quay.io/jetstack/charts/cert-manager --version v1.21.2 --labels app.kubernetes.io/managed-by=kubently-runbook --create-namespace --force-conflicts --values - --kube-context gke-context --namespace cert-manager < (stdin)';

let cluster: FakeCluster;
const install = (chart = 'cert-manager-v1.21.2'): void => {
  cluster.releases = [{ ...RELEASE, chart }];
  cluster.objects = NAMES.map((n) => deployment(n, 'cert-manager'));
};

beforeEach(() => {
  cluster = new FakeCluster('gke-context');
  cluster.helmUpgrade = () => install();
});

test('absent: one helm upgrade of the pinned version, with the CRDs', async () => {
  const outside = fakeOutside({ worlds: [cluster] });
  const ctx = contextOf(outside);
  expect(await step.check(ctx)).toEqual({ state: 'absent', reason: 'no release cert-manager' });
  await step.apply(ctx);
  // The namespace is marked as the runbook's only where the runbook makes it.
  expect(outside.changes).toEqual(['apply in cert-manager: Namespace/cert-manager', UPGRADE]);
  const upgrade = outside.commands.find((c) => c.binary === 'helm' && c.mutates);
  expect(upgrade && JSON.parse(inputOf(upgrade))).toMatchObject({
    crds: { enabled: true, keep: true },
    // Autopilot: nothing of ours in kube-system, and no pod without requests.
    global: { leaderElection: { namespace: 'cert-manager' } },
    resources: { requests: { cpu: '10m' } },
    webhook: { resources: { requests: { cpu: '10m' } } },
    cainjector: { resources: { requests: { cpu: '10m' } } },
  });
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test('a chart from a path or mirror that is not OCI gets no --version', async () => {
  const outside = fakeOutside({ worlds: [cluster] });
  await step.apply(contextOf(outside, settings({ certManagerChart: '/charts/cert-manager.tgz' })));
  expect(outside.changes[1]).toMatch(/cert-manager \/charts\/cert-manager.tgz --labels \S+ --create-namespace/);
});

test('present: done, proven by a dry-run Certificate, nothing changed', async () => {
  install();
  const outside = fakeOutside({ worlds: [cluster] });
  const ctx = contextOf(outside, settings(), true);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
  expect(await step.verify(ctx)).toBe('the webhook took a dry-run Certificate');
  expect(outside.changes).toEqual([]);
});

test.each([
  [
    'another version',
    () => install('cert-manager-v1.16.2'),
    'chart is cert-manager-v1.16.2, wanted cert-manager-v1.21.2',
  ],
  [
    'a failed release',
    () => (cluster.releases = [{ ...RELEASE, status: 'failed', chart: 'x' }]),
    'release cert-manager is failed',
  ],
  ['a Deployment that is gone', () => (install(), cluster.objects.pop()), 'a Deployment is not there yet'],
])('%s is put right', async (_, arrange, reason) => {
  arrange();
  expect(await step.check(contextOf(fakeOutside({ worlds: [cluster] })))).toEqual({
    state: 'differs',
    reason,
  });
});

/** Somebody else's, as Helm shows it: without the runbook's label. */
const theirs = (chart: string, status = 'deployed'): void => {
  install();
  cluster.releases = [{ ...RELEASE, chart, status, labels: {} }];
};

test.each(['v1.22.0', 'v1.16.2', 'v1.21.2'])('a cert-manager %s of another team is used as it is', async (version) => {
  theirs(`cert-manager-${version}`);
  const outside = fakeOutside({ worlds: [cluster] });
  expect(await step.check(contextOf(outside, settings(), true))).toEqual({
    state: 'done',
    reason: `uses cert-manager ${version} of release cert-manager as it is: the runbook did not install it`,
  });
});

test.each<[string, () => void, string, string]>([
  [
    'too old',
    () => theirs('cert-manager-v1.8.0'),
    "cert-manager v1.8.0 of release cert-manager is not the runbook's, and cannot be used as it is",
    'v1.12 or a later v1',
  ],
  [
    'of a version that is not known',
    () => theirs('cert-manager-v2.0.0'),
    "cert-manager v2.0.0 of release cert-manager is not the runbook's, and cannot be used as it is",
    'v1.12 or a later v1',
  ],
  [
    'broken',
    () => theirs('cert-manager-v1.22.0', 'failed'),
    "cert-manager v1.22.0 of release cert-manager is not the runbook's, and is failed",
    'history cert-manager',
  ],
  [
    'incomplete',
    () => (theirs('cert-manager-v1.22.0'), cluster.objects.pop()),
    "cert-manager v1.22.0 of release cert-manager is not the runbook's, and a Deployment is not there yet",
    'get deployments,pods',
  ],
])('a cert-manager of another team that is %s is a conflict', async (_, arrange, reason, next) => {
  arrange();
  const found = await step.check(contextOf(fakeOutside({ worlds: [cluster] })));
  expect(found).toEqual({ state: 'conflict', reason, next: expect.stringContaining(next) as string });
});

test('given to the runbook by the label of its namespace, it is upgraded', async () => {
  theirs('cert-manager-v1.8.0');
  cluster.objects.push({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'cert-manager' } });
  expect(await step.check(contextOf(fakeOutside({ worlds: [cluster] })))).toMatchObject({
    next: expect.stringMatching(
      /kubectl --context gke-context label Namespace cert-manager app.kubernetes.io\/managed-by=kubently-runbook --overwrite$/,
    ) as string,
  });
  Object.assign(cluster.get('Namespace', 'cert-manager')?.metadata ?? {}, { labels: OURS });
  expect(await step.check(contextOf(fakeOutside({ worlds: [cluster] })))).toMatchObject({ state: 'differs' });
});

test('one that is not by Helm is used by the version that it says, else left alone', async () => {
  cluster.objects = NAMES.map((n) => deployment(n, 'cert-manager'));
  const check = () => step.check(contextOf(fakeOutside({ worlds: [cluster] })));
  expect(await check()).toMatchObject({ state: 'conflict' });
  Object.assign(cluster.objects[0]?.metadata ?? {}, { labels: { 'app.kubernetes.io/version': 'v1.20.1' } });
  expect(await check()).toMatchObject({
    state: 'done',
    reason: expect.stringContaining('v1.20.1 of no Helm release') as string,
  });
});

test('definitions of a cert-manager in another namespace are named with their owner', async () => {
  cluster.objects.push({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: 'certificates.cert-manager.io',
      annotations: { 'meta.helm.sh/release-name': 'certs', 'meta.helm.sh/release-namespace': 'infra' },
    },
  });
  expect(await step.check(contextOf(fakeOutside({ worlds: [cluster] })))).toMatchObject({
    state: 'conflict',
    reason: expect.stringContaining("is Helm's (release certs of namespace infra)") as string,
  });
});

test('verify goes on while the webhook’s certificate is made, and then says its last words', async () => {
  const refusal = {
    binary: 'kubectl' as const,
    args: (a: readonly string[]) => a[0] === 'create',
    answer: fails('noise\nx509: unknown authority'),
  };
  const ctx = contextOf(fakeOutside({ rows: [refusal] }));
  await expect(step.verify(ctx)).rejects.toMatchObject({
    name: 'TimedOut',
    parts: { found: 'x509: unknown authority' },
  });
});

test('undo leaves a cert-manager that is retained', async () => {
  install();
  const outside = fakeOutside({ worlds: [cluster] });
  await undo(step, contextOf(outside), new Map([['cert-manager', 'Certificate other/x needs it']]));
  expect(outside.changes).toEqual([]);
});

test('undo takes release, CRDs and namespace away', async () => {
  install();
  const annotations = { 'meta.helm.sh/release-name': 'cert-manager', 'meta.helm.sh/release-namespace': 'cert-manager' };
  cluster.objects = cluster.objects.map((o) => ({ ...o, metadata: { ...o.metadata, annotations } }));
  cluster.objects.push(
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'certificates.cert-manager.io', annotations },
    },
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'cert-manager', labels: { 'app.kubernetes.io/managed-by': 'kubently-runbook' } },
    },
  );
  const outside = fakeOutside({ worlds: [cluster] });
  await undo(step, contextOf(outside));
  expect(outside.changes.map((c) => c.split(' ').slice(0, 3).join(' '))).toEqual([
    'helm uninstall cert-manager',
    'kubectl delete CustomResourceDefinition.apiextensions.k8s.io/certificates.cert-manager.io',
    'kubectl delete Namespace/cert-manager',
  ]);
});

test('a namespace that is being deleted takes nothing: that is told before anything is applied', async () => {
  cluster.objects = [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'cert-manager', deletionTimestamp: '2026-01-01T00:00:00Z' },
      status: {
        conditions: [
          { type: 'NamespaceContentRemaining', status: 'True', reason: 'SomeResourcesRemain', message: 'pods. has 1' },
        ],
      },
    },
  ];
  const outside = fakeOutside({ worlds: [cluster] });
  await expect(step.apply(contextOf(outside))).rejects.toMatchObject({
    message: 'namespace cert-manager of gke-context is being deleted',
    parts: { found: 'SomeResourcesRemain: pods. has 1' },
  });
  expect(outside.changes).toEqual([]);
});
