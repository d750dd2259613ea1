/** Why a pod does not come up, and for how long that may still pass by itself (docs/architecture.md rule 4). */
import { STEP } from '../../base/plan-steps.ts';
import type { KubeEvent } from '../../clients/events.ts';
import type { Suspect } from '../../base/wait.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

interface Terminated {
  exitCode: number;
  reason?: string;
  message?: string;
  startedAt?: string;
  finishedAt?: string;
}

interface ContainerStatus {
  name: string;
  restartCount: number;
  state?: { waiting?: { reason?: string; message?: string }; running?: object; terminated?: Terminated };
  lastState?: { terminated?: Terminated };
}

interface PodStatus {
  containerStatuses?: ContainerStatus[];
  initContainerStatuses?: ContainerStatus[];
  conditions?: { type: string; status: string; reason?: string; message?: string }[];
}

const NEXT = {
  image: 'look at the image’s name and tag, and whether the nodes may pull it without a password',
  config: `make what is named there (the deployment’s own Secrets: ./runbook ${STEP.secrets}), then the same command again`,
  crash: 'the log above says why; then the same command again',
  room: 'give the cluster room (nodes, or smaller requests), then the same command again',
  volume: 'make what is named there, then the same command again',
};

/** Answers of a registry that another try does not change; everything else (refused, no such host, 5xx, 429) may be a registry that is down for seconds. */
const REGISTRY_SAYS_NO = /not ?found|manifest unknown|unauthorized|denied|forbidden|no match for platform/i;
/** The kubelet tries at 0, 10, 30 and 70 s: three tries must have failed. */
const REGISTRY_DOWN_MS = 45_000;
/** A refusal counts from the second try, at which the kubelet backs off; some registries are a moment behind a push. */
const SECOND_TRY_MS = 15_000;
/** The kubelet reads Secrets through a cache; another apply may be at work. */
const CONFIG_MS = 10_000;
/** Old pods may still go and leave room; an autoscaler says within seconds that it scales up. */
const ROOM_MS = 30_000;
const MOUNT_MS = 20_000;
/** One crash at the start is no crash loop, and two are not yet one. */
const CRASHES = 3;
/** A container that ran this long before it ended waits for something else (its database): it gets more tries. */
const SLOW_CRASH_MS = 30_000;
const SLOW_CRASHES = 5;

/** What keeps the pods from coming up, the surest first. @param events may be empty: then mounts and volumes are not judged */
export function podSuspects(pods: readonly KubeObject[], events: readonly KubeEvent[]): Suspect[] {
  return pods
    .filter((p) => !p.metadata.deletionTimestamp)
    .flatMap((pod) => {
      const own = events.filter((e) => e.kind === 'Pod' && e.name === pod.metadata.name);
      const status = (pod['status'] ?? {}) as PodStatus;
      const containers = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
      return [
        ...containers.flatMap((c) => containerSuspects(pod.metadata.name, c, own)),
        ...placeSuspects(pod, status, own, events),
        ...ongoing(pod.metadata.name, status, own),
      ];
    })
    .sort((a, b) => a.graceMs - b.graceMs);
}

/** The container that crashed in this pod, and whether it runs again: then the log that says why is the previous one's. */
export function crashedContainer(pod: KubeObject): { name: string; runs: boolean } | undefined {
  const { initContainerStatuses = [], containerStatuses = [] } = (pod['status'] ?? {}) as PodStatus;
  const crashed = (c: ContainerStatus): boolean => c.restartCount > 0 || (ended(c)?.exitCode ?? 0) !== 0;
  const found = [...initContainerStatuses, ...containerStatuses].find(crashed);
  return found && { name: found.name, runs: found.state?.running !== undefined };
}

function containerSuspects(pod: string, c: ContainerStatus, events: readonly KubeEvent[]): Suspect[] {
  const where = `pod ${pod}, container ${c.name}`;
  const { reason = '', message = '' } = c.state?.waiting ?? {};
  const suspect = (kind: keyof typeof NEXT, text: string, graceMs: number): Suspect[] => [
    { key: `${pod}/${c.name}/${kind}`, reason: `${where}${text}`, next: NEXT[kind], graceMs },
  ];
  const said = `: ${reason} ${message}`.trimEnd();
  switch (reason) {
    case 'InvalidImageName':
    case 'ErrImageNeverPull':
      return suspect('image', said, 0);
    case 'ErrImagePull':
    case 'ImagePullBackOff': {
      // Older kubelets name the cause of a back-off in the event only.
      const pull = events.findLast((e) => e.message.startsWith('Failed to pull image'))?.message ?? '';
      const text = message.includes('failed to') || pull === '' ? said : `: ${reason} ${pull}`;
      const grace = !REGISTRY_SAYS_NO.test(text) ? REGISTRY_DOWN_MS : reason === 'ImagePullBackOff' ? 0 : SECOND_TRY_MS;
      return suspect('image', text, grace);
    }
    case 'CreateContainerConfigError':
    case 'CreateContainerError':
      return suspect(
        'config',
        said,
        /failed to sync|timed? ?out|deadline|reserved/i.test(message) ? REGISTRY_DOWN_MS : CONFIG_MS,
      );
  }
  return crashes(c) ? suspect('crash', ` ${crashText(c)}`, 0) : [];
}

function ended(c: ContainerStatus): Terminated | undefined {
  return c.state?.terminated ?? c.lastState?.terminated;
}

/** True for a crash loop: the container is down, and was often enough. */
function crashes(c: ContainerStatus): boolean {
  const last = ended(c);
  if (!last || c.state?.running || (last.exitCode === 0 && c.state?.terminated && c.restartCount === 0)) return false;
  const ran = Date.parse(last.finishedAt ?? '') - Date.parse(last.startedAt ?? '');
  // A container that could not even be started has no start time (1970).
  const slow = ran >= SLOW_CRASH_MS && last.reason !== 'StartError';
  return c.restartCount + 1 >= (slow ? SLOW_CRASHES : CRASHES);
}

function crashText(c: ContainerStatus): string {
  const { exitCode, reason, message } = ended(c) ?? { exitCode: '?' };
  const why = reason && reason !== 'Error' ? ` (${reason})` : '';
  return `crashed ${c.restartCount + 1} times, last with status ${exitCode}${why}${message ? `: ${message.trim()}` : ''}`;
}

function placeSuspects(
  pod: KubeObject,
  { conditions }: PodStatus,
  own: readonly KubeEvent[],
  all: readonly KubeEvent[],
): Suspect[] {
  const { name } = pod.metadata;
  const found: Suspect[] = [];
  const untargeted = conditions?.find(
    (c) => c.type === 'PodScheduled' && c.status === 'False' && c.reason === 'Unschedulable',
  );
  const message = untargeted?.message ?? '';
  // A node that starts, a volume that is being made, nodes that an autoscaler adds: these pass.
  const passes = /unbound immediate PersistentVolumeClaims|untolerated taint.{0,200}not-ready/.test(message);
  const scaling = own.some((e) => e.reason === 'TriggeredScaleUp');
  if (untargeted && !passes && !scaling)
    found.push({
      key: `${name}/room`,
      reason: `pod ${name} cannot be scheduled: ${message}`,
      next: NEXT.room,
      graceMs: ROOM_MS,
    });
  const mount = own.findLast((e) => e.reason === 'FailedMount');
  if (mount && mount.count >= 3 && /not found|non-existent|does not exist/.test(mount.message) && !isUp(pod))
    found.push({ key: `${name}/mount`, reason: `pod ${name}: ${mount.message}`, next: NEXT.volume, graceMs: MOUNT_MS });
  const claims = claimsOf(pod);
  const volume = all.findLast(
    (e) => e.kind === 'PersistentVolumeClaim' && claims.includes(e.name) && e.reason === 'ProvisioningFailed',
  );
  if (volume && passes)
    found.push({
      key: `${name}/claim`,
      reason: `PersistentVolumeClaim ${volume.name}: ${volume.message}`,
      next: NEXT.volume,
      graceMs: ROOM_MS,
    });
  return found;
}

/** A probe that fails may succeed at any moment: told, never terminal. */
function ongoing(name: string, { conditions }: PodStatus, own: readonly KubeEvent[]): Suspect[] {
  const unready = conditions?.some((c) => c.type === 'Ready' && c.status === 'False');
  const probe = own.findLast((e) => e.reason === 'Unhealthy');
  return unready && probe ? [{ key: `${name}/probe`, reason: `pod ${name}: ${probe.message}`, graceMs: Infinity }] : [];
}

function isUp(pod: KubeObject): boolean {
  return (pod['status'] as { phase?: string } | undefined)?.phase === 'Running';
}

function claimsOf(pod: KubeObject): string[] {
  const { volumes = [] } = (pod['spec'] ?? {}) as { volumes?: { persistentVolumeClaim?: { claimName: string } }[] };
  return volumes.flatMap((v) => (v.persistentVolumeClaim ? [v.persistentVolumeClaim.claimName] : []));
}
