/** Plan step 4.0: Redis holds exactly the tokens that the executors use, and the GKE cluster's own is connected by it. */
import { clusterIds } from '../lib/deployment/kubently/api.ts';
import { tokenOf } from '../lib/deployment/kubently/secrets.ts';
import { gkeExecutor, newExecutorAnswers } from '../lib/deployment/kubently/executor-connection.ts';
import { Failure } from '../lib/base/failure.ts';
import { registered } from '../lib/deployment/kubently/redis.ts';
import { proven, type ProofStep } from '../lib/step.ts';
import { tokenName } from '../lib/settings/tokens-file.ts';
import { runAlone } from './entry.ts';

export const step: ProofStep = {
  id: '4.0',
  kind: 'proof',
  title: 'Executor tokens registered in Redis',
  needs: ['2.5', '2.7', '3.2'],

  async prove(ctx) {
    const { settings } = ctx;
    const tokens = ctx.tokens();
    const wanted = new Map(clusterIds(ctx).map((id) => [id, tokenOf(tokens, tokenName(id))]));
    const wrong = [...(await registered(ctx, wanted))].filter(([, state]) => state !== 'registered');
    if (wrong.length > 0) {
      const found = wrong
        .map(([id, state]) => `${id}: ${state === 'absent' ? 'no token' : 'another token'}`)
        .join(', ');
      throw new Failure({
        what: 'Redis does not hold the tokens of all executors',
        found,
        next: wrong.some(([id]) => id === settings.gkeClusterId)
          ? // Its init container registers the token at each start.
            `kubectl --context ${settings.gke.context} --namespace ${settings.gke.namespace} rollout restart deployment/${settings.release}-api`
          : './runbook 3.2',
      });
    }
    // 3.2 waited for the remote ones; this one tries again each few seconds from when the certificate was served.
    const connected = await newExecutorAnswers(ctx, gkeExecutor(settings));
    return proven(`${[...wanted.keys()].join(', ')}: the tokens in Redis are the executors' own; ${connected}`);
  },
};

void runAlone(import.meta);
