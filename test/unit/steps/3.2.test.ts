import { beforeEach, expect, test, vi } from 'vitest';
import { chartPath } from '../../../lib/deployment/kubently/checkout.ts';
import type { Settings } from '../../../lib/settings/settings.ts';
import { step as values } from '../../../scripts/3.1-remote-values.ts';
import { step } from '../../../scripts/3.2-remote-release.ts';
import { deployment, FakeCluster, rolledOut } from '../fake-cluster.ts';
import { contextOf, fakeOutside, json, type Row } from '../outside.ts';
import { checkedOut, COMMIT } from '../released.ts';
import { FakeKubently, REDIS_POD, withTokens } from '../remote.ts';

vi.mock('../../../lib/chart/fit.ts', () => ({
  fitRelease: () => Promise.resolve({ values: { executor: { enabled: true } }, extras: [], findings: [] }),
}));

const MANIFEST =
  'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: kubently-remote-executor, namespace: kubently-remote }\n';
const NAME = 'kubently-remote';
let given: Settings;
let gke: FakeCluster;
let remote: FakeCluster;
let api: FakeKubently;
let log: string;

beforeEach(() => {
  given = withTokens(checkedOut());
  gke = new FakeCluster('gke-context', [REDIS_POD]);
  remote = new FakeCluster('kind-context');
  remote.controllers = rolledOut;
  remote.helmUpgrade = () => {
    const release = { name: NAME, namespace: NAME, status: 'deployed', revision: 1, chart: 'kubently-1' };
    remote.releases = [{ ...release, values: { executor: { enabled: true } }, manifest: MANIFEST }];
    remote.objects.push(deployment('kubently-remote-executor', NAME));
  };
  api = new FakeKubently(given.host);
  api.tokens = {};
  log = '';
});

function make(looking = false) {
  const rows: Row[] = [
    { binary: 'git', args: ['-C', given.repo, 'rev-parse', 'HEAD'], answer: `${COMMIT}\n` },
    {
      binary: 'helm',
      args: (a) => a.slice(0, 3).join(' ') === `template ${NAME} ${chartPath(given.repo)}`,
      answer: MANIFEST,
    },
    { binary: 'kubectl', args: (a) => a[0] === 'logs' && a.includes('kind-context'), answer: () => log },
    { binary: 'kubectl', args: (a) => a[0] === 'rollout' && a.includes('kind-context'), answer: '' },
  ];
  const outside = fakeOutside({ worlds: [gke, remote, api], rows: [...rows, ...api.rows()] });
  return { outside, ctx: contextOf(outside, given, looking) };
}

async function deployed(): Promise<void> {
  const { ctx } = make();
  await values.apply(ctx);
  await step.apply(ctx);
  api.changes = [];
}

test('absent: token registered, namespace and Secret, then the release', async () => {
  const { outside, ctx } = make();
  await values.apply(ctx);
  expect(await step.check(ctx)).toEqual({ state: 'absent', reason: 'kind-remote: no token Secret' });
  await step.apply(ctx);
  expect(api.changes).toEqual(['POST kind-remote']);
  expect(api.tokens).toEqual({ 'kind-remote': 'unit-remote-token' });
  expect(outside.changes).toEqual([
    'apply in kubently-remote: Namespace/kubently-remote, Secret/kubently-remote-executor-token',
    expect.stringMatching(/^helm upgrade --install kubently-remote /) as string,
  ]);
  for (const { args } of outside.commands) expect(args.join(' ')).not.toContain('unit-remote-token');
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test('present: done, a command comes back, nothing changed', async () => {
  await deployed();
  const { outside, ctx } = make(true);
  expect(await step.check(ctx)).toEqual({ state: 'done', reason: 'kind-remote: registered, released, complete' });
  expect(await step.verify(ctx)).toBe('kind-remote answers a command');
  expect(outside.changes).toEqual([]);
  expect(api.changes).toEqual([]);
});

test('another token in Redis is replaced, the same one is not touched', async () => {
  await deployed();
  api.tokens['kind-remote'] = 'somebody else’s';
  expect(await step.check(make().ctx)).toMatchObject({
    state: 'differs',
    reason: 'kind-remote: its token is not the registered one',
  });
  await step.apply(make().ctx);
  expect(api.changes).toEqual(['DELETE kind-remote', 'POST kind-remote']);
  api.changes = [];
  await step.apply(make().ctx);
  expect(api.changes).toEqual([]);
});

test.each([
  ['its token Secret', 'Secret', 'kubently-remote-executor-token'],
  ['the CA file', 'ConfigMap', 'kubently-ca-cert'],
])('a pod from before %s was mended is restarted, and no other', async (_, kind, name) => {
  given.tls.caFile = '/etc/company-ca.pem';
  await deployed();
  remote.objects.push({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kubently-ca-cert', namespace: NAME } });
  const labels = { 'app.kubernetes.io/instance': NAME, 'app.kubernetes.io/component': 'executor' };
  const pod = { name: 'e', namespace: NAME, labels, creationTimestamp: '2026-01-01T10:00:00Z' };
  remote.objects.push({ apiVersion: 'v1', kind: 'Pod', metadata: pod });
  const changedAt = (times: string): unknown =>
    Object.assign(remote.get(kind, name)?.metadata ?? {}, { changedAt: times });
  changedAt('2026-01-01T09:00:00Z 2026-01-01T10:00:00Z');
  expect(await step.check(make().ctx)).toMatchObject({ state: 'done' });
  changedAt('2026-01-01T09:00:00Z 2026-01-01T10:00:01Z');
  const { outside, ctx } = make();
  expect(await step.check(ctx)).toMatchObject({
    state: 'differs',
    reason: 'kind-remote: its pod was started before its token Secret or CA file was last changed',
  });
  await step.apply(ctx);
  expect(outside.changes.at(-1)).toMatch(/^kubectl rollout restart deployment --selector \S*executor/);
});

const silent = () => json({ status: 'timeout', output: null, error: null });
const waited = ({ sleeps }: { sleeps: number[] }): number => sleeps.reduce((a, b) => a + b, 0);

test.each([
  [
    '401: its token is wrong',
    'Failed to connect: 401; next try in 5 s',
    'the API refuses the executor (HTTP 401)',
    '3.2 registers it again',
    8000,
  ],
  [
    'an untrusted certificate',
    'fetch failed: self-signed certificate in certificate chain',
    'does not trust',
    'TLS_CA_FILE',
    40_000,
  ],
])('%s: the end, with what to do', async (_, line, message, next, ms) => {
  await deployed();
  api.execute = silent;
  log = `[p] SSE connection established\n[p] ${line}\n`;
  const { outside, ctx } = make();
  await expect(step.verify(ctx)).rejects.toMatchObject({
    name: 'Failure',
    message: expect.stringContaining(message) as string,
    parts: { next: expect.stringContaining(next) as string, detail: log.trimEnd() },
  });
  expect(waited(outside)).toBe(ms);
});

test('a 401 from before the connection is no 401', async () => {
  await deployed();
  api.execute = silent;
  log = '[p] Failed to connect: 401\n[p] SSE connection established\n';
  await expect(step.verify(make().ctx)).rejects.toMatchObject({
    name: 'TimedOut',
    parts: { found: 'command: timeout' },
  });
});

test('an executor that crashes is told as that', async () => {
  await deployed();
  api.execute = silent;
  const labels = { 'app.kubernetes.io/instance': NAME, 'app.kubernetes.io/component': 'executor' };
  const terminated = { exitCode: 1, reason: 'Error' };
  const status = { containerStatuses: [{ name: 'executor', restartCount: 2, state: { terminated } }] };
  remote.objects.push({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'e', namespace: NAME, labels }, status });
  await expect(step.verify(make().ctx)).rejects.toMatchObject({
    message: 'executor of kind-remote: pod e, container executor crashed 3 times, last with status 1',
  });
});

test('an API that restarts is waited for', async () => {
  await deployed();
  let calls = 0;
  api.execute = () =>
    ++calls < 3 ? json({ error: 'Redis is down' }, 503) : json({ status: 'success', output: 'kube-system' });
  expect(await step.verify(make().ctx)).toBe('kind-remote answers a command');
});

test('an API that does not take the key is not', async () => {
  await deployed();
  api.execute = () => json({}, 401);
  const { outside, ctx } = make();
  await expect(step.verify(ctx)).rejects.toMatchObject({ message: 'a command in kind-remote: HTTP 401' });
  expect(waited(outside)).toBe(0);
});
