/** Whether a workload really runs as its newest generation says, and why not (design.md rules 4 and 5). */
import type { Context } from './context.ts';
import type { Kubectl, KubeObject } from './kubectl.ts';
import { waitFor, type Probe } from './wait.ts';

export type Workload = `${'Deployment.apps' | 'StatefulSet.apps'}/${string}`;

interface ContainerStatus {
  name: string;
  restartCount: number;
  state?: { waiting?: { reason?: string; message?: string } };
  lastState?: { terminated?: { exitCode: number; reason?: string } };
}

/** Reasons of a waiting container that more waiting does not mend. */
const TERMINAL = new Set([
  'ErrImageNeverPull',
  'InvalidImageName',
  'ImagePullBackOff',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);
const CRASHES = 3;

/** Waits until the workload's newest generation is fully available. @throws Failure with pods, events and log tail */
export async function waitForRollout(
  ctx: Context,
  kube: Kubectl,
  workload: Workload,
  timeoutMs = 300_000,
): Promise<void> {
  const [kind = '', name = ''] = workload.split('/');
  let selector = '';
  await waitFor(
    {
      what: `${workload} in ${kube.target.namespace}`,
      timeoutMs,
      probe: async (): Promise<Probe<void>> => {
        const object = await kube.get(kind, name);
        const missing = rolloutGap(object);
        if (missing === undefined) return { state: 'ready', value: undefined };
        selector = selectorOf(object);
        const stuck = selector ? terminalPod(await kube.list('Pod', selector)) : undefined;
        return stuck ? { state: 'failed', reason: stuck } : { state: 'pending', reason: missing };
      },
      diagnose: () => diagnose(kube, selector),
      next: `kubectl --context ${kube.target.context} --namespace ${kube.target.namespace} describe ${workload}`,
    },
    ctx,
  );
}

/** What the rollout still lacks, or undefined when it is complete. */
export function rolloutGap(object: KubeObject | undefined): string | undefined {
  if (!object) return 'is not there yet';
  const spec = object['spec'] as { replicas?: number };
  const status = (object['status'] ?? {}) as {
    observedGeneration?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
    replicas?: number;
  };
  const wanted = spec.replicas ?? 1;
  if ((status.observedGeneration ?? 0) < (object.metadata.generation ?? 0))
    return 'its controller has not seen the change yet';
  if ((status.updatedReplicas ?? 0) < wanted)
    return `${status.updatedReplicas ?? 0} of ${wanted} replicas are of the new revision`;
  if ((status.replicas ?? 0) > wanted) return `${(status.replicas ?? 0) - wanted} old replicas still end`;
  if ((status.readyReplicas ?? 0) < wanted) return `${status.readyReplicas ?? 0} of ${wanted} replicas are ready`;
  return undefined;
}

/** `a=b,c=d` of the workload's pod selector. */
function selectorOf(object: KubeObject | undefined): string {
  const spec = object?.['spec'] as { selector?: { matchLabels?: Record<string, string> } } | undefined;
  return Object.entries(spec?.selector?.matchLabels ?? {})
    .map(([k, v]) => `${k}=${v}`)
    .join(',');
}

/** A pod that cannot come up by waiting: bad image, missing Secret key, crash loop, unschedulable. */
export function terminalPod(pods: readonly KubeObject[]): string | undefined {
  for (const pod of pods) {
    if (pod.metadata.deletionTimestamp) continue;
    const status = pod['status'] as {
      containerStatuses?: ContainerStatus[];
      initContainerStatuses?: ContainerStatus[];
      conditions?: { type: string; status: string; reason?: string; message?: string }[];
    };
    const schedule = status.conditions?.find(
      (c) => c.type === 'PodScheduled' && c.status === 'False' && c.reason === 'Unschedulable',
    );
    if (
      schedule &&
      !/unbound immediate PersistentVolumeClaims|untolerated taint.*not-ready/.test(schedule.message ?? '')
    ) {
      return `pod ${pod.metadata.name} cannot be scheduled: ${schedule.message ?? ''}`;
    }
    for (const c of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) {
      const { reason = '', message = '' } = c.state?.waiting ?? {};
      if (TERMINAL.has(reason)) return `pod ${pod.metadata.name}, container ${c.name}: ${reason} ${message}`.trim();
      if (reason === 'CrashLoopBackOff' && c.restartCount >= CRASHES) {
        return `pod ${pod.metadata.name}, container ${c.name} crashed ${c.restartCount} times, last with status ${c.lastState?.terminated?.exitCode ?? '?'}`;
      }
    }
  }
  return undefined;
}

/** Warning events and the log tail of the pods. */
async function diagnose(kube: Kubectl, selector: string): Promise<string> {
  if (selector === '') return '';
  const pods = await kube.list('Pod', selector);
  const names = new Set(pods.map((p) => p.metadata.name));
  const events = await kube.list('Event');
  const warnings = events
    .filter((e) => e['type'] === 'Warning' && names.has((e['involvedObject'] as { name: string }).name))
    .slice(-5)
    .map((e) => `event ${String(e['reason'])}: ${String(e['message'])}`);
  const log = await kube.logs(['--selector', selector, '--all-containers'], 8);
  return [...warnings, log.trimEnd()].filter(Boolean).join('\n');
}
