/** Plan step 2.4: the values of the GKE release, fitted to the checkout's chart and proven complete. */
import { absent, done, type ChangeStep } from '../lib/step.ts';
import { count } from '../lib/base/failure.ts';
import { fitAndKeep, fitted, forgetFit, keptFit, ownedFits, valuesPath } from '../lib/deployment/release/fitted.ts';
import { gkeRelease } from '../lib/deployment/release/release.ts';
import { runAlone } from './entry.ts';

export const step: ChangeStep = {
  id: '2.4',
  kind: 'change',
  title: 'Values fit the chart, release complete',
  needs: [],

  async check(ctx) {
    const targeted = await gkeRelease(ctx);
    const kept = await keptFit(ctx, targeted);
    return kept
      ? done(`${valuesPath(ctx, targeted)} fits this chart and these settings`)
      : absent('not fitted to this chart and these settings yet');
  },

  async apply(ctx) {
    await fitAndKeep(ctx, await gkeRelease(ctx));
  },

  async verify(ctx) {
    const targeted = await gkeRelease(ctx);
    const { findings } = await fitted(ctx, targeted);
    return `${valuesPath(ctx, targeted)}: complete, ${count(findings.length, 'warning')} (make lint-chart)`;
  },

  owns: ({ settings }) => ({ elsewhere: () => Promise.resolve(ownedFits(settings, [settings.gkeClusterId])) }),

  async undo(ctx) {
    await forgetFit(ctx, ctx.settings.gkeClusterId);
  },
};

void runAlone(import.meta);
