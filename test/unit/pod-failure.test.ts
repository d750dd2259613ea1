import { expect, test } from 'vitest';
import { eventsOf } from '../../lib/clients/events.ts';
import { crashedContainer, podSuspects } from '../../lib/deployment/cluster/pod-failure.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';

function pod(status: object, metadata: object = {}, spec: object = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', ...metadata }, spec, status };
}

function event(reason: string, message: string, count = 1, about = { kind: 'Pod', name: 'p' }): KubeObject {
  const metadata = { name: 'e', creationTimestamp: '2026-01-01T00:00:00Z' };
  return { apiVersion: 'v1', kind: 'Event', metadata, type: 'Warning', reason, message, count, involvedObject: about };
}

const waiting = (reason: string, message = 'why', more: object = {}): object => ({
  containerStatuses: [{ name: 'c', restartCount: 0, state: { waiting: { reason, message } }, ...more }],
});
const unschedulable = (message: string): object => ({
  conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
});
/** Down for the nth time, after it ran so long. */
const crashed = (times: number, ranS = 1, exitCode = 137): object => {
  const terminated = {
    exitCode,
    reason: 'Error',
    startedAt: '2026-01-01T00:00:00Z',
    finishedAt: new Date(Date.parse('2026-01-01T00:00:00Z') + ranS * 1000).toISOString(),
  };
  return waiting('CrashLoopBackOff', 'back-off', { restartCount: times - 1, lastState: { terminated } });
};
const notFound = 'rpc error: code = NotFound desc = failed to pull and unpack image "x": x: not found';
const refused = 'failed to pull and unpack image "x": dial tcp 198.18.0.1:5999: connect: connection refused';

test.each<[string, KubeObject, KubeObject[], number | undefined, string]>([
  [
    'an image that may not be pulled',
    pod(waiting('ErrImageNeverPull')),
    [],
    0,
    'pod p, container c: ErrImageNeverPull why',
  ],
  ['a wrong image name', pod(waiting('InvalidImageName')), [], 0, 'InvalidImageName why'],
  ['a refused first pull', pod(waiting('ErrImagePull', notFound)), [], 15_000, 'not found'],
  [
    'a refused second pull',
    pod(waiting('ImagePullBackOff', `Back-off: ErrImagePull: ${notFound}`)),
    [],
    0,
    'not found',
  ],
  [
    'a registry that is down',
    pod(waiting('ImagePullBackOff', `ErrImagePull: ${refused}`)),
    [],
    45_000,
    'connection refused',
  ],
  [
    'a back-off of an older kubelet: its cause is in the event',
    pod(waiting('ImagePullBackOff', 'Back-off pulling image "x"')),
    [event('Failed', `Failed to pull image "x": ${notFound}`)],
    0,
    'ImagePullBackOff Failed to pull image "x"',
  ],
  [
    'a missing Secret key',
    pod(waiting('CreateContainerConfigError', "couldn't find key k")),
    [],
    10_000,
    "couldn't find key k",
  ],
  [
    'a kubelet behind its cache',
    pod(waiting('CreateContainerConfigError', 'failed to sync secret cache: timed out')),
    [],
    45_000,
    'failed to sync',
  ],
  ['starting', pod(waiting('ContainerCreating')), [], undefined, ''],
  ['crashed twice', pod(crashed(2)), [], undefined, ''],
  ['crashed three times', pod(crashed(3)), [], 0, 'pod p, container c crashed 3 times, last with status 137'],
  ['ended three times though without error', pod(crashed(3, 1, 0)), [], 0, 'crashed 3 times, last with status 0'],
  ['crashed three times after a long run', pod(crashed(3, 60)), [], undefined, ''],
  ['crashed five times after a long run', pod(crashed(5, 60)), [], 0, 'crashed 5 times'],
  [
    'no room',
    pod(unschedulable('0/1 nodes: Insufficient cpu')),
    [],
    30_000,
    'pod p cannot be scheduled: 0/1 nodes: Insufficient cpu',
  ],
  [
    'no room, and the autoscaler makes some',
    pod(unschedulable('Insufficient cpu')),
    [event('TriggeredScaleUp', '1->2')],
    undefined,
    '',
  ],
  [
    'a volume that is about to be bound',
    pod(unschedulable('pod has unbound immediate PersistentVolumeClaims')),
    [],
    undefined,
    '',
  ],
  [
    'a volume that cannot be made',
    pod(
      unschedulable('pod has unbound immediate PersistentVolumeClaims'),
      {},
      { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] },
    ),
    [event('ProvisioningFailed', 'storageclass "x" not found', 4, { kind: 'PersistentVolumeClaim', name: 'data' })],
    30_000,
    'PersistentVolumeClaim data: storageclass "x" not found',
  ],
  [
    'a node that is about to be ready',
    pod(unschedulable('1 node had untolerated taint {node.kubernetes.io/not-ready: }')),
    [],
    undefined,
    '',
  ],
  [
    'a Secret to mount that is missing',
    pod(waiting('ContainerCreating')),
    [event('FailedMount', 'secret "x" not found', 4)],
    20_000,
    'pod p: secret "x" not found',
  ],
  [
    'a mount that failed once',
    pod(waiting('ContainerCreating')),
    [event('FailedMount', 'secret "x" not found', 1)],
    undefined,
    '',
  ],
  ['going away', pod(waiting('InvalidImageName'), { deletionTimestamp: '2026-01-01T00:00:00Z' }), [], undefined, ''],
  ['running', pod({ containerStatuses: [{ name: 'c', restartCount: 9, state: { running: {} } }] }), [], undefined, ''],
  [
    'not ready: told, never terminal',
    pod({ conditions: [{ type: 'Ready', status: 'False' }] }),
    [event('Unhealthy', 'Readiness probe failed: refused', 9)],
    Infinity,
    'pod p: Readiness probe failed: refused',
  ],
  ['no status yet', pod({}), [], undefined, ''],
])('%s', (_, object, events, grace, reason) => {
  const [first] = podSuspects([object], eventsOf(events));
  expect(first?.graceMs).toBe(grace);
  expect(first?.reason ?? '').toContain(reason);
  if (grace !== undefined && grace !== Infinity) expect(first?.next).toBeTruthy();
});

test('the surest cause comes first', () => {
  const found = podSuspects(
    [pod(unschedulable('Insufficient cpu')), pod(waiting('InvalidImageName'), { name: 'q' })],
    [],
  );
  expect(found.map((s) => s.graceMs)).toEqual([0, 30_000]);
});

test('the log to read is that of the container that crashed', () => {
  const init = {
    initContainerStatuses: [{ name: 'sync', restartCount: 2, state: { waiting: { reason: 'CrashLoopBackOff' } } }],
  };
  expect(crashedContainer(pod(init))).toEqual({ name: 'sync', runs: false });
  expect(crashedContainer(pod(waiting('ContainerCreating')))).toBeUndefined();
});
