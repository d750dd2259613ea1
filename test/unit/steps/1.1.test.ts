import { beforeEach, expect, test } from 'vitest';
import { step } from '../../../scripts/1.1-cert-manager.ts';
import { deployment, FakeCluster } from '../fake-cluster.ts';
import { contextOf, fails, fakeOutside, inputOf, settings } from '../outside.ts';
import { undo } from '../undo.ts';

const NAMES = ['cert-manager', 'cert-manager-webhook', 'cert-manager-cainjector'];
const RELEASE = { name: 'cert-manager', namespace: 'cert-manager', status: 'deployed', revision: 1 };
const UPGRADE =
  'helm upgrade --install cert-manager oci://quay.io/jetstack/charts/cert-manager --version v1.21.2 --create-namespace --force-conflicts --values - --kube-context gke-context --namespace cert-manager < (stdin)';

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
  expect(upgrade && JSON.parse(inputOf(upgrade))).toMatchObject({ crds: { enabled: true, keep: true } });
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test('a chart from a path or mirror that is not OCI gets no --version', async () => {
  const outside = fakeOutside({ worlds: [cluster] });
  await step.apply(contextOf(outside, settings({ certManagerChart: '/charts/cert-manager.tgz' })));
  expect(outside.changes[1]).toMatch(/cert-manager \/charts\/cert-manager.tgz --create-namespace/);
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

test('a cert-manager that is not by Helm is left alone', async () => {
  cluster.objects = [deployment('cert-manager', 'cert-manager')];
  const found = await step.check(contextOf(fakeOutside({ worlds: [cluster] })));
  expect(found).toMatchObject({ state: 'conflict', reason: 'cert-manager is there, and not by Helm' });
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
