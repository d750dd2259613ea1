/** Whether a workload really runs as its newest generation says, and why not (docs/architecture.md rules 4 and 5). */
import { condition, isTerminating } from '../../clients/conditions.ts';
import type { Context } from '../../context.ts';
import { eventsOf, warningLines, type KubeEvent } from '../../clients/events.ts';
import type { Kubectl } from '../../clients/kubectl.ts';
import { crashedContainer, podSuspects } from './pod-failure.ts';
import { wayOut } from '../../base/refusal.ts';
import { patience, waitFor, type Probe, type Suspect } from '../../base/wait.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

export type Workload = `${'Deployment.apps' | 'StatefulSet.apps'}/${string}`;

/** Most rollouts are over by then, and events are a call more at each look. */
const EVENTS_AFTER_MS = 8_000;
/** Quota that pods going away give back, a ServiceAccount that is made a moment later. */
const CREATE_MS = 20_000;
const LOG_LINES = 8;

/**
 * Waits until the workload's newest generation is fully available and no older pod is left, not even one that ends: an
 * executor attached to one would lose its next command. @throws Failure with pods, events and log tail
 */
export async function waitForRollout(
  ctx: Context,
  kube: Kubectl,
  workload: Workload,
  timeoutMs = 300_000,
): Promise<void> {
  const [kind = '', name = ''] = workload.split('/');
  const started = ctx.clock.now();
  const judge = patience(ctx.clock);
  let selector = '';
  await waitFor(
    {
      what: `${workload} in ${kube.target.namespace}`,
      timeoutMs,
      probe: async (): Promise<Probe<void>> => {
        const object = await kube.get(kind, name);
        const missing = rolloutGap(object);
        selector = selectorOf(object);
        if (missing === undefined) {
          const ending = selector === '' ? [] : (await kube.list('Pod', selector)).filter(isTerminating);
          if (ending.length === 0) return { state: 'ready', value: undefined };
          return { state: 'pending', reason: `${ending.map((p) => p.metadata.name).join(', ')} still terminates` };
        }
        if (selector === '') return { state: 'pending', reason: missing };
        const late = ctx.clock.now() - started >= EVENTS_AFTER_MS;
        const [pods, events] = await Promise.all([kube.list('Pod', selector), late ? kube.list('Event') : []]);
        const heard = eventsOf(events);
        return judge([...podSuspects(pods, heard), ...createSuspects(object, heard, started)], missing);
      },
      diagnose: () => diagnose(kube, name, selector),
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

/** Pods that may not even be created: quota, missing ServiceAccount, pod security. A StatefulSet says so in events only. */
function createSuspects(object: KubeObject | undefined, events: readonly KubeEvent[], started: number): Suspect[] {
  const name = object?.metadata.name ?? '';
  const refused = condition(object, 'ReplicaFailure');
  const event = events.findLast(
    (e) => e.kind === 'StatefulSet' && e.name === name && e.reason === 'FailedCreate' && e.at >= started,
  );
  const message = refused?.status === 'True' ? refused.message : event?.message;
  if (message === undefined) return [];
  const next = wayOut(message) ?? 'mend what is named there, then the same command again';
  return [{ key: `${name}/create`, reason: `its pods cannot be created: ${message}`, next, graceMs: CREATE_MS }];
}

/** `a=b,c=d` of the workload's pod selector. */
function selectorOf(object: KubeObject | undefined): string {
  const spec = object?.['spec'] as { selector?: { matchLabels?: Record<string, string> } } | undefined;
  return Object.entries(spec?.selector?.matchLabels ?? {})
    .map(([k, v]) => `${k}=${v}`)
    .join(',');
}

/** Warning events of the workload and its pods, and the log: of the crashed container where there is one. */
async function diagnose(kube: Kubectl, workload: string, selector: string): Promise<string> {
  if (selector === '') return '';
  const [pods, events] = await Promise.all([kube.list('Pod', selector), kube.list('Event')]);
  const names = new Set(pods.map((p) => p.metadata.name));
  const own = (e: KubeEvent): boolean =>
    e.kind === 'Pod' ? names.has(e.name) : e.name === workload || e.name.startsWith(`${workload}-`);
  return [...warningLines(eventsOf(events), own), await logTail(kube, pods, selector)].filter(Boolean).join('\n');
}

async function logTail(kube: Kubectl, pods: readonly KubeObject[], selector: string): Promise<string> {
  for (const pod of pods) {
    const crashed = crashedContainer(pod);
    if (!crashed) continue;
    const of = [pod.metadata.name, '--container', crashed.name];
    const both = crashed.runs ? [[...of, '--previous'], of] : [of, [...of, '--previous']];
    for (const log of both) {
      const text = said(await kube.logs(log, LOG_LINES));
      if (text !== '') return text;
    }
  }
  return said(await kube.logs(['--selector', selector, '--all-containers'], LOG_LINES));
}

/** The log without kubectl's own words about a container that has none. */
function said(log: string): string {
  const none = /^Error from server|unable to retrieve container logs|^error: /;
  return log
    .split('\n')
    .filter((l) => l.trim() !== '' && !none.test(l))
    .join('\n');
}
