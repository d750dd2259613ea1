/** Redis refuses whoever has no password, and takes the deployment's. */
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { Failure } from '../../lib/base/failure.ts';
import { redisCli, redisPod } from '../../lib/deployment/kubently/redis.ts';
import { runAlone } from '../entry.ts';

export const criterion: Criterion = {
  number: 5,
  title: 'Redis authentication enabled',
  async prove(ctx) {
    const pod = await redisPod(ctx);
    const bare = await ctx.kube(ctx.settings.gke).exec(pod, undefined, ['redis-cli', 'PING']);
    if (!bare.includes('NOAUTH'))
      throw new Failure({ what: 'Redis answers without a password', found: bare.trim(), next: './runbook 2.5' });
    const known = (await redisCli(ctx, ['PING'])).trim();
    if (known !== 'PONG')
      throw new Failure({ what: "Redis does not take the deployment's password", found: known, next: './runbook 2.3' });
    return proven('rejects unauthenticated clients, accepts the password');
  },
};

void runAlone(import.meta);
