/** Gaps 1 to 4: what goes down with one pod or one node. */
import { z } from 'zod';
import { count } from '../../base/failure.ts';
import { STEP } from '../../base/plan-steps.ts';
import { closed, NOT_HERE_YET, open, type Found, type Line, type Seen } from './line.ts';
import { apiPods, runningPods } from './pods.ts';
import { byRecord } from './recorded.ts';

const FAILOVER_DAYS = 90;

const budget = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ selector: z.object({ matchLabels: z.record(z.string(), z.string()).default({}) }).optional() }),
  status: z.object({ expectedPods: z.number(), disruptionsAllowed: z.number() }).partial().default({}),
});

const scaler = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ scaleTargetRef: z.object({ kind: z.string(), name: z.string() }) }),
  status: z
    .object({ conditions: z.array(z.object({ type: z.string(), status: z.string(), message: z.string().optional() })) })
    .partial()
    .default({}),
});

/** A Redis that takes over: several pods, and a failover that was seen. */
export async function redisFailsOver(seen: Seen): Promise<Found> {
  const { settings } = seen.ctx;
  const pods = await runningPods(seen.ctx, settings.gke, settings.release, 'redis');
  if (pods.length < 2)
    return open(
      seen,
      `${count(pods.length, 'Redis pod')} in ${settings.gke.namespace}: nothing takes over`,
      NOT_HERE_YET,
    );
  return byRecord(seen, {
    event: 'failover',
    days: FAILOVER_DAYS,
    never: `${pods.length} Redis pods, but no failover was seen`,
    next: NOT_HERE_YET,
  });
}

async function apiHasBudget(seen: Seen): Promise<Found> {
  const { gke } = seen.ctx.settings;
  const [pods, found] = await Promise.all([apiPods(seen.ctx), seen.ctx.kube(gke).list('PodDisruptionBudget.policy')]);
  const labels = pods[0]?.metadata.labels ?? {};
  const ours = found
    .map((o) => budget.parse(o))
    .find(({ spec }) => {
      const wanted = Object.entries(spec.selector?.matchLabels ?? {});
      return wanted.length > 0 && wanted.every(([name, value]) => labels[name] === value);
    });
  const next = `./runbook ${STEP.release}`;
  if (!ours) return open(seen, `no PodDisruptionBudget of ${gke.namespace} selects the API's pods`, next);
  const { expectedPods = 0, disruptionsAllowed = 0 } = ours.status;
  const says = `${ours.metadata.name}: ${count(expectedPods, 'pod')} of the API, ${disruptionsAllowed} may go at a time`;
  return disruptionsAllowed > 0 && expectedPods > disruptionsAllowed ? closed(seen, says) : open(seen, says, next);
}

async function apiIsSpread(seen: Seen): Promise<Found> {
  const pods = await apiPods(seen.ctx);
  const nodes = new Set(pods.flatMap((p) => p.spec.nodeName ?? []));
  const where = `${count(pods.length, 'pod')} of the API on ${count(nodes.size, 'node')}`;
  const ruled =
    pods.length > 0 &&
    pods.every(({ spec }) => spec.affinity?.podAntiAffinity !== undefined || spec.topologySpreadConstraints.length > 0);
  if (!ruled) return open(seen, `${where}; no rule keeps them apart`, NOT_HERE_YET);
  return nodes.size > 1
    ? closed(seen, `${where}, kept apart by a rule in their spec`)
    : open(seen, `${where}, although a rule would spread them`, 'kubectl get nodes: a second one with room is wanted');
}

async function apiScales(seen: Seen): Promise<Found> {
  const { gke, release } = seen.ctx.settings;
  const found = await seen.ctx.kube(gke).list('HorizontalPodAutoscaler.autoscaling');
  const ours = found
    .map((o) => scaler.parse(o))
    .find(({ spec: { scaleTargetRef: of } }) => of.kind === 'Deployment' && of.name === `${release}-api`);
  if (!ours) return open(seen, `no HorizontalPodAutoscaler scales ${release}-api`, NOT_HERE_YET);
  const active = ours.status.conditions?.find((c) => c.type === 'ScalingActive');
  const says = `${ours.metadata.name}: ScalingActive ${active?.status ?? 'unknown'}${active?.message ? ` (${active.message})` : ''}`;
  return active?.status === 'True'
    ? closed(seen, says)
    : open(
        seen,
        says,
        `kubectl --context ${gke.context} --namespace ${gke.namespace} describe hpa ${ours.metadata.name}`,
      );
}

export const HIGH_AVAILABILITY: readonly Line[] = [
  { id: '1', title: 'Redis is standalone (SPOF)', look: redisFailsOver },
  { id: '2', title: 'No PodDisruptionBudget for API', look: apiHasBudget },
  { id: '3', title: 'No anti-affinity rules', look: apiIsSpread },
  { id: '4', title: 'No HPA for dynamic scaling', look: apiScales },
];
