/** Plan step 4.0: Redis holds exactly the tokens that the executors use. */
import { clusterIds } from '../lib/kubently/api.ts';
import { tokenOf } from '../lib/kubently/deployment.ts';
import { Failure } from '../lib/failure.ts';
import { registered } from '../lib/kubently/redis.ts';
import type { ProofStep } from '../lib/runner/step.ts';
import { readTokens, tokenName } from '../lib/kubently/tokens.ts';

export const step: ProofStep = {
  id: '4.0',
  kind: 'proof',
  title: 'Executor tokens registered in Redis',
  needs: ['2.5', '3.2'],

  async prove(ctx) {
    const tokens = readTokens(ctx.settings.tokensFile);
    const wanted = new Map(clusterIds(ctx).map((id) => [id, tokenOf(tokens, tokenName(id))]));
    const wrong = [...(await registered(ctx, wanted))].filter(([, state]) => state !== 'registered');
    if (wrong.length > 0) {
      const found = wrong
        .map(([id, state]) => `${id}: ${state === 'absent' ? 'no token' : 'another token'}`)
        .join(', ');
      throw new Failure({
        what: 'Redis does not hold the tokens of all executors',
        found,
        next: wrong.some(([id]) => id === ctx.settings.gkeClusterId)
          ? `kubectl logs of the API's init container sync-executor-tokens`
          : './runbook 3.2',
      });
    }
    return `${[...wanted.keys()].join(', ')}: the tokens in Redis are the executors' own`;
  },
};

if (import.meta.main)
  void import('../lib/runner/program.ts').then(({ main }) => main([step.id, ...process.argv.slice(2)]));
