/** An A2A task completes over HTTPS. */
import { proven, type Criterion } from '../../lib/criterion.ts';
import { askAcrossClusters } from '../../lib/scenario.ts';

export const criterion: Criterion = {
  number: 11,
  title: 'A2A protocol works over HTTPS',
  async prove(ctx) {
    if (Object.keys(ctx.settings.llm.keys).length === 0)
      return { state: 'unproven', reason: 'no LLM key is set, so no agent can answer' };
    return proven(await askAcrossClusters(ctx));
  },
};
