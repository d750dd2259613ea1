/** Plan step 3.1: the values of every remote executor, fitted to the chart and proven complete. */
import pLimit from 'p-limit';
import { absent, done, type ChangeStep } from '../lib/step.ts';
import type { Context } from '../lib/context.ts';
import { fitAndKeep, fitted, forgetFit, keptFit, ownedFits, valuesPath } from '../lib/deployment/release/fitted.ts';
import { remoteRelease } from '../lib/deployment/release/release.ts';
import type { TargetedRelease } from '../lib/deployment/release/targeted-release.ts';
import { runAlone } from './entry.ts';

/** Fits at once: each is some helm processes. */
const atOnce = pLimit(2);

export const step: ChangeStep = {
  id: '3.1',
  kind: 'change',
  title: 'Remote values fit the chart',
  needs: [],

  async check(ctx) {
    const all = await remotes(ctx);
    const kept = await Promise.all(all.map((p) => keptFit(ctx, p)));
    const missing = all.filter((_, i) => !kept[i]).map((p) => p.spec.clusterId);
    return missing.length > 0
      ? absent(`not fitted yet: ${missing.join(', ')}`)
      : done(`the values of ${all.map((p) => p.spec.clusterId).join(', ')} fit this chart`);
  },

  async apply(ctx) {
    const [first, ...others] = await remotes(ctx);
    if (!first) return;
    const like = (await keptFit(ctx, first)) ?? (await fitAndKeep(ctx, first));
    await Promise.all(
      others.map((p) => atOnce(async () => (await keptFit(ctx, p)) ?? (await fitAndKeep(ctx, p, like)))),
    );
  },

  async verify(ctx) {
    const all = await remotes(ctx);
    await Promise.all(all.map((p) => fitted(ctx, p)));
    return all.map((p) => valuesPath(ctx, p)).join(', ');
  },

  owns: ({ settings }) => ({
    elsewhere: () =>
      Promise.resolve(
        ownedFits(
          settings,
          settings.remotes.map((r) => r.id),
        ),
      ),
  }),

  async undo(ctx) {
    for (const { id } of ctx.settings.remotes) await forgetFit(ctx, id);
  },
};

function remotes(ctx: Context): Promise<TargetedRelease[]> {
  return Promise.all(ctx.settings.remotes.map((r) => remoteRelease(ctx, r)));
}

void runAlone(import.meta);
