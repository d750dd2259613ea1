import { writeFileSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import { step } from '../../../scripts/1.4-cluster-issuers.ts';
import { FakeCluster, ready } from '../fake-cluster.ts';
import { EMAIL, FakeGoogle } from '../fake-google.ts';
import { contextOf, fakeOutside, settings } from '../outside.ts';
import { undo } from '../undo.ts';

let cluster: FakeCluster;

beforeEach(() => {
  cluster = new FakeCluster('gke-context');
  cluster.controllers = (o) => ready(o);
});

test('absent: both issuers, with DNS-01 as their only solver', async () => {
  const outside = fakeOutside({ worlds: [cluster] });
  const ctx = contextOf(outside);
  expect(await step.check(ctx)).toMatchObject({ state: 'absent' });
  await step.apply(ctx);
  expect(outside.changes).toEqual([
    'apply in cert-manager: ClusterIssuer/letsencrypt-staging, ClusterIssuer/letsencrypt-prod',
  ]);
  expect(cluster.get('ClusterIssuer', 'letsencrypt-prod')?.['spec']).toEqual({
    acme: {
      server: 'https://acme.test/production',
      email: 'ops@kubently.io',
      privateKeySecretRef: { name: 'letsencrypt-prod' },
      solvers: [
        {
          dns01: {
            cloudDNS: {
              project: 'unit-project',
              serviceAccountSecretRef: { name: 'clouddns-dns01-solver-sa', key: 'key.json' },
            },
          },
        },
      ],
    },
  });
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
  const before = outside.changes.length;
  expect(await step.verify(ctx)).toContain('letsencrypt-staging and letsencrypt-prod');
  expect(outside.changes).toHaveLength(before);
});

const restart = {
  binary: 'kubectl' as const,
  args: ['rollout', 'restart', 'deployment/cert-manager', '--context', 'gke-context', '--namespace', 'cert-manager'],
  answer: '',
};

test('with workload identity cert-manager signs in as the account, once', async () => {
  cluster.objects.push({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'cert-manager', namespace: 'cert-manager' },
  });
  const outside = fakeOutside({ worlds: [new FakeGoogle(), cluster], rows: [restart] });
  const ctx = contextOf(outside, settings({ dns01Auth: 'workload-identity' }));
  expect(await step.check(ctx)).toMatchObject({
    state: 'conflict',
    next: expect.stringContaining('DNS01_AUTH=key') as string,
  });
  cluster.objects.push({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'cert-manager', labels: { 'app.kubernetes.io/managed-by': 'kubently-runbook' } },
  });
  expect(await step.check(ctx)).toMatchObject({ state: 'differs', reason: expect.stringContaining(EMAIL) as string });
  await step.apply(ctx);
  expect(outside.changes).toHaveLength(4);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
  await step.apply(ctx);
  expect(outside.changes).toHaveLength(5);
});

test('with workload identity there is no key to refer to, and a private directory’s CA is trusted', async () => {
  const given = settings({ dns01Auth: 'workload-identity' });
  const caFile = `${given.tokensFile}.ca.pem`;
  writeFileSync(caFile, 'PEM');
  const ctx = contextOf(fakeOutside({ worlds: [new FakeGoogle(), cluster], rows: [restart] }), {
    ...given,
    acme: { ...given.acme, caFile },
  });
  await step.apply(ctx);
  expect(cluster.get('ClusterIssuer', 'letsencrypt-staging')?.['spec']).toMatchObject({
    acme: {
      caBundle: Buffer.from('PEM').toString('base64'),
      solvers: [{ dns01: { cloudDNS: { project: 'unit-project' } } }],
    },
  });
  expect(JSON.stringify(cluster.objects)).not.toContain('serviceAccountSecretRef');
});

test('an issuer that is not ready is applied again, and verify says why it is not', async () => {
  const ctx = contextOf(fakeOutside({ worlds: [cluster] }));
  cluster.controllers = (o) => ready(o, o.metadata.name === 'letsencrypt-prod' ? 'False' : 'True');
  await step.apply(ctx);
  expect(await step.check(ctx)).toMatchObject({ state: 'differs', reason: 'letsencrypt-prod is not ready: Pending' });
  await expect(step.verify(ctx)).rejects.toMatchObject({
    name: 'TimedOut',
    parts: { found: '1 of 2 ready; letsencrypt-prod: Pending' },
  });
});

test.each([
  [
    'the ACME server refuses the account',
    'ErrRegisterACMEAccount',
    '400 urn:ietf:params:acme:error:invalidContact',
    5000,
    'ACME_EMAIL',
  ],
  [
    'the directory is not trusted',
    'ErrRegisterACMEAccount',
    'tls: failed to verify certificate: x509: unknown authority',
    20_000,
    'ACME_CA_FILE',
  ],
  [
    'nothing answers there',
    'ErrRegisterACMEAccount',
    'dial tcp: connect: connection refused',
    46_000,
    'whether the cluster reaches it',
  ],
])('%s: named within a minute, with the setting', async (_, reason, message, ms, next) => {
  const outside = fakeOutside({ worlds: [cluster] });
  const ctx = contextOf(outside);
  cluster.controllers = (o) =>
    o.metadata.name === 'letsencrypt-prod'
      ? { ...o, status: { conditions: [{ type: 'Ready', status: 'False', reason, message }] } }
      : ready(o);
  await step.apply(ctx);
  await expect(step.verify(ctx)).rejects.toMatchObject({
    name: 'Failure',
    message: `ClusterIssuers: letsencrypt-prod: ${reason}: ${message}`,
    parts: { next: expect.stringContaining(next) as string },
  });
  expect(Math.abs(outside.sleeps.reduce((a, b) => a + b, 0) - ms)).toBeLessThanOrEqual(1000);
});

test('an issuer that is gone is not taken for ready', async () => {
  const ctx = contextOf(fakeOutside({ worlds: [cluster] }));
  await expect(step.verify(ctx)).rejects.toMatchObject({ message: 'ClusterIssuers: gone: staging, production' });
});

test('another e-mail address differs', async () => {
  const given = settings();
  await step.apply(contextOf(fakeOutside({ worlds: [cluster] }), given));
  const changed = contextOf(fakeOutside({ worlds: [cluster] }), {
    ...given,
    acme: { ...given.acme, email: 'new@kubently.io' },
  });
  expect(await step.check(changed)).toMatchObject({
    state: 'differs',
    reason: 'ClusterIssuer/letsencrypt-staging spec.acme.email: ops@kubently.io → new@kubently.io (and 1 more)',
  });
});

/** Takes the runbook's mark off what the step made: as another team would have made it. */
async function madeByOthers(): Promise<void> {
  await step.apply(contextOf(fakeOutside({ worlds: [cluster] })));
  cluster.objects = cluster.objects.map((o) => ({ ...o, metadata: { ...o.metadata, labels: {} } }));
}

test('issuers of another team that are as wanted are used as they are, and never applied', async () => {
  await madeByOthers();
  const outside = fakeOutside({ worlds: [cluster] });
  const ctx = contextOf(outside);
  expect(await step.check(ctx)).toEqual({
    state: 'done',
    reason:
      'both issuers are registered, by DNS-01; uses ClusterIssuer/letsencrypt-staging as it is; uses ClusterIssuer/letsencrypt-prod as it is',
  });
  await step.apply(ctx);
  expect(outside.changes).toEqual([]);
});

test('an issuer of another team with another solver is a conflict that names owner, difference and ways out', async () => {
  await madeByOthers();
  const issuer = cluster.get('ClusterIssuer', 'letsencrypt-prod');
  Object.assign(issuer?.metadata ?? {}, { managers: 'kubectl-client-side-apply' });
  Object.assign(issuer?.['spec'] ?? {}, { acme: { email: 'team@other.io', solvers: [{ http01: {} }] } });
  const outside = fakeOutside({ worlds: [cluster] });
  const found = await step.check(contextOf(outside));
  expect(found).toMatchObject({
    state: 'conflict',
    reason: expect.stringMatching(
      /^ClusterIssuer\/letsencrypt-prod is somebody else's \(written by kubectl-client-side-apply\), and differs: .*email: team@other.io → ops@kubently.io/,
    ) as string,
    next: expect.stringContaining(
      'kubectl --context gke-context label ClusterIssuer.cert-manager.io letsencrypt-prod app.kubernetes.io/managed-by=kubently-runbook --overwrite',
    ) as string,
  });
  expect(outside.changes).toEqual([]);
});

test('undo removes issuers and their account keys', async () => {
  const outside = fakeOutside({ worlds: [cluster] });
  await undo(step, contextOf(outside));
  expect(outside.changes.map((c) => c.split(' ')[2])).toEqual([
    'ClusterIssuer.cert-manager.io/letsencrypt-staging',
    'Secret/letsencrypt-staging',
    'ClusterIssuer.cert-manager.io/letsencrypt-prod',
    'Secret/letsencrypt-prod',
  ]);
});
