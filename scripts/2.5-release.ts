/** Plan step 2.5: the release runs in GKE as configured, with its Redis. */
import type { ChangeStep } from '../lib/step.ts';
import { Failure } from '../lib/base/failure.ts';
import { oneLine } from '../lib/base/say.ts';
import {
  checkRelease,
  gkeRelease,
  preparedRelease,
  releaseWorkloads,
  replaceRedisFirst,
  waitForWorkloads,
} from '../lib/deployment/release/release.ts';
import { waitFor } from '../lib/base/wait.ts';
import { runAlone } from './entry.ts';

export const step: ChangeStep = {
  id: '2.5',
  kind: 'change',
  title: 'Release runs in GKE',
  needs: ['2.2', '2.3', '2.4'],

  check: async (ctx) => checkRelease(ctx, await gkeRelease(ctx)),

  /** Returns before the pods run. */
  async apply(ctx) {
    const targeted = await gkeRelease(ctx);
    const { chart, release, input } = await preparedRelease(ctx, targeted);
    await replaceRedisFirst(ctx, targeted);
    await ctx.helm(ctx.settings.gke).upgrade(input, ctx)`
      upgrade --install ${release} ${chart} --create-namespace --force-conflicts`;
  },

  async verify(ctx) {
    const { settings } = ctx;
    const kube = ctx.kube(settings.gke);
    const targeted = await gkeRelease(ctx);
    const workloads = await releaseWorkloads(ctx, targeted);
    await waitForWorkloads(ctx, targeted, workloads, 600_000);
    const api = (
      await kube.list('Service', `app.kubernetes.io/instance=${settings.release},app.kubernetes.io/component=api`)
    ).find((s) => (s['spec'] as { clusterIP?: string }).clusterIP !== 'None');
    if (!api) throw new Failure({ what: 'the release has no Service for the API', next: 'make lint-chart' });
    const path = `/api/v1/namespaces/${settings.gke.namespace}/services/${api.metadata.name}:http/proxy/health`;
    // Ready does not mean working: the probes do not touch Redis (docs/kubently-contract.md 1.5).
    return waitFor(
      {
        what: 'the API with its Redis',
        timeoutMs: 60_000,
        probe: async () => {
          const health = await kube.raw(path).catch((error: unknown) => String(error));
          return health.includes('"healthy"')
            ? {
                state: 'ready',
                value: `${workloads.map(([, name]) => name).join(', ')} are complete; /health says healthy, with Redis`,
              }
            : { state: 'pending', reason: oneLine(health, 120) };
        },
        next: `kubectl --context ${kube.target.context} --namespace ${kube.target.namespace} logs deployment/${settings.release}-api`,
      },
      ctx,
    );
  },

  owns: ({ settings: { gke, release } }) => ({
    objects: [{ target: gke, releases: [release], claims: 'redis-data-' }],
  }),

  async undo(ctx) {
    await ctx.helm(ctx.settings.gke).change`uninstall ${ctx.settings.release} --ignore-not-found --wait --timeout 5m`;
  },
};

void runAlone(import.meta);
