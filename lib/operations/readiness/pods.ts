/** The pods that run now, as the lines of `make readiness` look at them. */
import { z } from 'zod';
import type { KubeObject } from '../../base/kubernetes.ts';
import type { Target } from '../../base/target.ts';
import { selector } from '../../deployment/kubently/redis.ts';
import type { Context } from '../../context.ts';

const shape = z.object({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
  spec: z.object({
    nodeName: z.string().optional(),
    affinity: z.object({ podAntiAffinity: z.unknown() }).partial().optional(),
    topologySpreadConstraints: z.array(z.unknown()).default([]),
  }),
  status: z
    .object({
      phase: z.string().optional(),
      containerStatuses: z.array(z.object({ imageID: z.string() })).default([]),
    })
    .optional(),
});
export type RunningPod = z.output<typeof shape>;

/** The running pods of a component. */
export async function runningPods(
  ctx: Context,
  target: Target,
  release: string,
  component: 'api' | 'executor' | 'redis',
): Promise<RunningPod[]> {
  const pods = await ctx.kube(target).list('Pod', selector(release, component));
  return pods
    .filter((p: KubeObject) => p.metadata.deletionTimestamp === undefined)
    .map((p) => shape.parse(p))
    .filter((p) => p.status?.phase === 'Running');
}

/** The API's running pods. */
export function apiPods(ctx: Context): Promise<RunningPod[]> {
  return runningPods(ctx, ctx.settings.gke, ctx.settings.release, 'api');
}

/** The digests that run now, of all components in all clusters. */
export async function runningDigests(ctx: Context): Promise<string[]> {
  const { gke, release, remotes } = ctx.settings;
  const pods = await Promise.all([
    ...(['api', 'executor', 'redis'] as const).map((c) => runningPods(ctx, gke, release, c)),
    ...remotes.map((r) => runningPods(ctx, r, r.release, 'executor')),
  ]);
  const ids = pods.flat().flatMap((p) => p.status?.containerStatuses.map((c) => c.imageID) ?? []);
  return [...new Set(ids.map((id) => id.replace(/^.*@/, '')))];
}
