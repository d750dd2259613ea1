import { expect, test } from 'vitest';
import { rolloutGap, waitForRollout } from '../../lib/deployment/cluster/rollout.ts';
import { deployment, FakeCluster } from './fake-cluster.ts';
import { contextOf, fakeOutside, type Row } from './outside.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';

function pod(status: object, metadata: object = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'kubently', ...metadata }, status };
}

function workload(status: object, replicas = 2, generation = 3): KubeObject {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd', generation }, spec: { replicas }, status };
}
const full = { observedGeneration: 3, replicas: 2, updatedReplicas: 2, readyReplicas: 2 };

test.each<[string, KubeObject | undefined, string | undefined]>([
  ['complete', workload(full), undefined],
  ['not there', undefined, 'is not there yet'],
  [
    'complete, of the old generation',
    workload({ ...full, observedGeneration: 2 }),
    'its controller has not seen the change yet',
  ],
  ['no status', workload({}), 'its controller has not seen the change yet'],
  ['half updated', workload({ ...full, updatedReplicas: 1 }), '1 of 2 replicas are of the new revision'],
  ['old pods left', workload({ ...full, replicas: 3 }), '1 old replicas still end'],
  ['not ready', workload({ ...full, readyReplicas: 0 }), '0 of 2 replicas are ready'],
  ['scaled to nothing', workload({ observedGeneration: 3 }, 0), undefined],
])('rolloutGap: %s', (_, object, expected) => {
  expect(rolloutGap(object)).toBe(expected);
});

/** A Deployment of one pod that does not come up. */
function stuck(status: object, more: KubeObject[] = [], deploymentStatus: object = {}) {
  const made = deployment('api', 'kubently');
  const labels = { app: 'api' };
  const spec = { replicas: 1, selector: { matchLabels: labels } };
  const object = { ...made, metadata: { ...made.metadata, generation: 2 }, spec, status: deploymentStatus };
  return new FakeCluster('gke-context', [object, pod(status, { labels }), ...more]);
}

function event(kind: string, name: string, reason: string, message: string): KubeObject {
  const metadata = { name: `${name}.${reason}`, namespace: 'kubently' };
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata,
    type: 'Warning',
    reason,
    message,
    count: 3,
    involvedObject: { kind, name },
  };
}

const waiting = (reason: string, more: object = {}): object => ({
  containerStatuses: [{ name: 'c', restartCount: 0, state: { waiting: { reason, message: 'why' } }, ...more }],
});

/** Command lines of the logs that were read, and the wait's end. */
async function waits(cluster: FakeCluster, log: Row['answer'] = 'last words\n') {
  const outside = fakeOutside({
    worlds: [cluster],
    rows: [{ binary: 'kubectl', args: (a) => a[0] === 'logs', answer: log }],
  });
  const ctx = contextOf(outside);
  const ended = await waitForRollout(ctx, ctx.kube(ctx.settings.gke), 'Deployment.apps/api').catch((e: unknown) => e);
  const waitedMs = outside.sleeps.reduce((a, b) => a + b, 0);
  const logs = outside.commands.filter((c) => c.args[0] === 'logs').map((c) => c.args.slice(1, -7).join(' '));
  return { ended, waitedMs, logs };
}

test('a pod that cannot come up ends the wait at once, with its events and log', async () => {
  const { ended, waitedMs } = await waits(
    stuck(waiting('ErrImageNeverPull'), [event('Pod', 'p', 'Failed', 'not present with pull policy of Never')]),
  );
  expect(ended).toMatchObject({
    name: 'Failure',
    message: 'Deployment.apps/api in kubently: pod p, container c: ErrImageNeverPull why',
    parts: {
      detail: 'event Pod/p Failed (3 times): not present with pull policy of Never\nlast words',
      next: expect.stringContaining('image’s name and tag') as string,
    },
  });
  expect(waitedMs).toBe(0);
});

test('a crash loop is told with the log of the run before', async () => {
  const terminated = { exitCode: 3, reason: 'Error' };
  const crash = waiting('CrashLoopBackOff', { restartCount: 2, lastState: { terminated } });
  const { ended, logs } = await waits(stuck(crash));
  expect(ended).toMatchObject({
    message: 'Deployment.apps/api in kubently: pod p, container c crashed 3 times, last with status 3',
    parts: { detail: 'last words' },
  });
  expect(logs).toEqual(['p --container c']);
});

test('a container that runs again is told by its previous log, and what kubectl says of missing logs is left out', async () => {
  const terminated = { exitCode: 3, reason: 'Error' };
  const status = {
    containerStatuses: [{ name: 'c', restartCount: 1, state: { running: {} }, lastState: { terminated } }],
  };
  const { ended, logs } = await waits(stuck(status), ({ args }) =>
    args.includes('--previous') ? '[pod/p/c] unable to retrieve container logs for containerd://1\n' : 'last words\n',
  );
  expect(ended).toMatchObject({ name: 'TimedOut', parts: { detail: 'last words' } });
  expect(logs).toEqual(['p --container c --previous', 'p --container c']);
});

test('what may pass is given its time, and then named', async () => {
  const message = '0/1 nodes: Insufficient cpu';
  const room = stuck({ conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }] });
  const { ended, waitedMs } = await waits(room, '');
  expect(ended).toMatchObject({ name: 'Failure', message: expect.stringContaining(message) as string });
  expect(waitedMs).toBe(30_000);
});

test.each([
  ['exceeded quota: none', 'raise the ResourceQuota that is named'],
  ['pods "x" is forbidden: failed quota: all: must specify limits.cpu for: main', 'give a LimitRange with defaults'],
  ['admission webhook "v.test" denied the request: no', 'meet the policy that is named'],
])('pods that may not be created (%s): the end, with what to do', async (message, next) => {
  const refusal = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message };
  const { ended, waitedMs } = await waits(stuck({}, [], { conditions: [refusal] }), '');
  expect(ended).toMatchObject({
    message: `Deployment.apps/api in kubently: its pods cannot be created: ${message}`,
    parts: { next: expect.stringContaining(next) as string },
  });
  expect(waitedMs).toBe(20_000);
});

test('a probe that fails is named in the heartbeat and at the deadline', async () => {
  const unready = { conditions: [{ type: 'Ready', status: 'False' }] };
  const { ended } = await waits(stuck(unready, [event('Pod', 'p', 'Unhealthy', 'Readiness probe failed: refused')]));
  expect(ended).toMatchObject({
    name: 'TimedOut',
    parts: { found: expect.stringContaining('pod p: Readiness probe failed: refused') as string },
  });
});

test('a rollout is over when no pod of it terminates any more', async () => {
  const ending = pod({}, { labels: { app: 'api' }, deletionTimestamp: '2026-11-26T10:00:00Z' });
  const spec = { replicas: 2, selector: { matchLabels: { app: 'api' } } };
  const object = { ...workload(full), metadata: { name: 'api', namespace: 'kubently', generation: 3 }, spec };
  expect((await waits(new FakeCluster('gke-context', [object, ending]), '')).ended).toMatchObject({
    name: 'TimedOut',
    parts: { found: 'p still terminates' },
  });
  expect((await waits(new FakeCluster('gke-context', [object]), '')).ended).toBeUndefined();
});
