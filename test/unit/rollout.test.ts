import { expect, test } from 'vitest';
import type { KubeObject } from '../../lib/kubectl.ts';
import { rolloutGap, terminalPod, waitForRollout } from '../../lib/rollout.ts';
import { deployment, FakeCluster } from './fake-cluster.ts';
import { contextOf, fakeOutside, type Row } from './outside.ts';

function pod(status: object, metadata: object = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'kubently', ...metadata }, status };
}

const waiting = (reason: string, more: object = {}): object => ({
  containerStatuses: [{ name: 'c', restartCount: 0, state: { waiting: { reason, message: 'why' } }, ...more }],
});
const unschedulable = (message: string): object => ({
  conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
});
const crashed = (restartCount: number): object =>
  waiting('CrashLoopBackOff', { restartCount, lastState: { terminated: { exitCode: 137 } } });

test.each<[string, KubeObject, string | undefined]>([
  ['an image that may not be pulled', pod(waiting('ErrImageNeverPull')), 'pod p, container c: ErrImageNeverPull why'],
  ['an image that is not there', pod(waiting('ImagePullBackOff')), 'pod p, container c: ImagePullBackOff why'],
  ['a wrong image name', pod(waiting('InvalidImageName')), 'pod p, container c: InvalidImageName why'],
  [
    'a missing Secret key',
    pod(waiting('CreateContainerConfigError')),
    'pod p, container c: CreateContainerConfigError why',
  ],
  ['a first failed pull', pod(waiting('ErrImagePull')), undefined],
  ['starting', pod(waiting('ContainerCreating')), undefined],
  ['crashed twice', pod(crashed(2)), undefined],
  ['crashed three times', pod(crashed(3)), 'pod p, container c crashed 3 times, last with status 137'],
  [
    'no room',
    pod(unschedulable('0/1 nodes: Insufficient cpu')),
    'pod p cannot be scheduled: 0/1 nodes: Insufficient cpu',
  ],
  [
    'a volume that is about to be bound',
    pod(unschedulable('pod has unbound immediate PersistentVolumeClaims')),
    undefined,
  ],
  [
    'a node that is about to be ready',
    pod(unschedulable('1 node had untolerated taint {node.kubernetes.io/not-ready: }')),
    undefined,
  ],
  ['going away', pod(waiting('ImagePullBackOff'), { deletionTimestamp: '2026-01-01T00:00:00Z' }), undefined],
  ['running', pod({ containerStatuses: [{ name: 'c', restartCount: 9, state: { running: {} } }] }), undefined],
  [
    'a failing init container',
    pod({
      initContainerStatuses: [{ name: 'sync', restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff' } } }],
    }),
    'pod p, container sync crashed 4 times, last with status ?',
  ],
  ['no status yet', pod({}), undefined],
])('%s', (_, object, expected) => {
  expect(terminalPod([object])).toBe(expected);
});

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

test('a pod that cannot come up ends the wait at once, with its events and log', async () => {
  const stuck = deployment('api', 'kubently');
  const labels = { app: 'api' };
  const object = { ...stuck, spec: { replicas: 1, selector: { matchLabels: labels } }, status: {} };
  object.metadata = { ...object.metadata, generation: 2 };
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'e', namespace: 'kubently' },
    type: 'Warning',
    reason: 'Failed',
    message: 'not present with pull policy of Never',
    involvedObject: { name: 'p' },
  };
  const cluster = new FakeCluster('gke-context', [object, pod(waiting('ErrImageNeverPull'), { labels }), event]);
  const log: Row = { binary: 'kubectl', args: (a) => a[0] === 'logs', answer: 'last words\n' };
  const outside = fakeOutside({ worlds: [cluster], rows: [log] });
  const ctx = contextOf(outside);
  await expect(waitForRollout(ctx, ctx.kube(ctx.settings.gke), 'Deployment.apps/api')).rejects.toMatchObject({
    name: 'Failure',
    message: 'Deployment.apps/api in kubently: pod p, container c: ErrImageNeverPull why',
    parts: {
      detail: 'event Failed: not present with pull policy of Never\nlast words',
      next: 'kubectl --context gke-context --namespace kubently describe Deployment.apps/api',
    },
  });
  expect(outside.sleeps).toEqual([]);
});
