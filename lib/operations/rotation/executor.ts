/** An executor's token: the API knows one for each cluster, so the executor restarts between the old and the new. */
import { ensureRegistered } from '../../deployment/kubently/api.ts';
import type { Context } from '../../context.ts';
import { tokenOf } from '../../deployment/kubently/secrets.ts';
import { everyExecutorAnswers } from '../../deployment/kubently/executor-connection.ts';
import { gkeRelease, remoteRelease } from '../../deployment/release/release.ts';
import { nextOf, previousOf, tokenName } from '../../settings/tokens-file.ts';
import { forgetPrevious, promote } from './marks.ts';
import { executorTokenRefused } from './proofs.ts';
import { applyGkeSecrets, applyRemoteSecret, restartReaders } from './restart.ts';

/** Finishes the rotation of the cluster's token from wherever it stands. @returns the evidence */
export async function rotateExecutor(ctx: Context, id: string): Promise<string> {
  const { settings } = ctx;
  const name = tokenName(id);
  if (ctx.tokens()[nextOf(name)]) await promote(ctx, name);
  const tokens = ctx.tokens();
  const remote = settings.remotes.find((r) => r.id === id);
  ctx.note(`${id}: the new token`);
  // Registered by the API beside what the chart's init container does for the cluster of its own.
  await ensureRegistered(ctx, id, tokenOf(tokens, name));
  if (remote) await applyRemoteSecret(ctx, remote);
  else await applyGkeSecrets(ctx);
  await restartReaders(ctx, remote ? await remoteRelease(ctx, remote) : await gkeRelease(ctx));
  await ensureRegistered(ctx, id, tokenOf(tokens, name));
  await everyExecutorAnswers(ctx);
  await executorTokenRefused(ctx, id, tokenOf(tokens, previousOf(name)));
  await forgetPrevious(ctx, name);
  return `${id} answers a command with its new token, and the old one is refused (401)`;
}
