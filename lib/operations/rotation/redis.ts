/** The Redis password, with overlap: Redis takes both while the API moves over, then restarts with the new one alone. */
import { STEP } from '../../base/plan-steps.ts';
import { clusterIds, ensureRegistered } from '../../deployment/kubently/api.ts';
import type { Context } from '../../context.ts';
import { tokenOf } from '../../deployment/kubently/secrets.ts';
import { everyExecutorAnswers } from '../../deployment/kubently/executor-connection.ts';
import { Failure } from '../../base/failure.ts';
import { redisCli, redisShell, redisTakes } from '../../deployment/kubently/redis.ts';
import { gkeRelease } from '../../deployment/release/release.ts';
import { Secret } from '../../base/secret.ts';
import { nextOf, previousOf, tokenName } from '../../settings/tokens-file.ts';
import { forgetPrevious, promote } from './marks.ts';
import { applyGkeSecrets, restartReaders, restartSome } from './restart.ts';

const NAME = 'REDIS_PASSWORD';

/** Finishes the password's rotation from wherever it stands. @returns the evidence */
export async function rotateRedis(ctx: Context): Promise<string> {
  const targeted = await gkeRelease(ctx);
  const coming = ctx.tokens()[nextOf(NAME)];
  if (coming) {
    await takeAlso(ctx, coming, tokenOf(ctx.tokens(), NAME));
    await promote(ctx, NAME);
  }
  const tokens = ctx.tokens();
  const fresh = tokenOf(tokens, NAME);
  const old = tokenOf(tokens, previousOf(NAME));
  // A Redis that restarted in between knows only what its Secret said then.
  await takeAlso(ctx, fresh, old);
  await applyGkeSecrets(ctx);
  ctx.note('the API moves to the new password');
  await restartSome(ctx, targeted, (kind) => kind !== 'StatefulSet');
  // Not left to the signal at its end: where a shell is the container's first process, Redis never sees it.
  await redisCli(ctx, ['SAVE']);
  ctx.note('Redis restarts with the new password');
  await restartReaders(ctx, targeted);
  if (!(await redisTakes(ctx, fresh)))
    throw new Failure({
      what: 'Redis does not take the new password',
      next: `./runbook ${STEP.secrets} && ./runbook ${STEP.release}`,
    });
  if (await redisTakes(ctx, old))
    throw new Failure({ what: 'Redis still takes the old password', next: 'rerun the same command to resume' });
  for (const id of clusterIds(ctx)) await ensureRegistered(ctx, id, tokenOf(tokens, tokenName(id)));
  await everyExecutorAnswers(ctx);
  await forgetPrevious(ctx, NAME);
  return 'Redis takes the new password and refuses the old one; tokens are registered, every executor answers';
}

/** Adds the password to the running Redis's user, signed in by another, where it does not take it yet. */
async function takeAlso(ctx: Context, password: Secret, by: Secret): Promise<void> {
  if (await redisTakes(ctx, password)) return;
  const input = new Secret(`>${password.reveal()}`);
  const said = await redisShell(ctx, 'exec redis-cli --no-auth-warning -x "$@"', ['ACL', 'SETUSER', 'default'], {
    password: by,
    input,
    mutates: true,
  });
  if (!(await redisTakes(ctx, password)))
    throw new Failure({
      what: 'Redis took neither password',
      found: said.trim(),
      next: `./runbook ${STEP.secrets} && ./runbook ${STEP.release}`,
    });
}
