/** The API key, with overlap: both in the Secret until the new one is proven, then the new one alone. */
import type { Context } from '../../context.ts';
import { tokenOf } from '../../deployment/kubently/secrets.ts';
import { everyExecutorAnswers } from '../../deployment/kubently/executor-connection.ts';
import { gkeRelease } from '../../deployment/release/release.ts';
import { nextOf, previousOf } from '../../settings/tokens-file.ts';
import { forgetPrevious, promote } from './marks.ts';
import { apiKeyIs } from './proofs.ts';
import { applyGkeSecrets, restartReaders } from './restart.ts';

const NAME = 'API_KEY';

/** Finishes the key's rotation from wherever it stands. @returns the evidence */
export async function rotateApiKey(ctx: Context): Promise<string> {
  const { tokensFile } = ctx.settings;
  const targeted = await gkeRelease(ctx);
  const coming = ctx.tokens()[nextOf(NAME)];
  if (coming) {
    ctx.note('the new key beside the old one');
    await applyGkeSecrets(ctx);
    await restartReaders(ctx, targeted);
    await apiKeyIs(ctx, 'taken', coming);
    await promote(ctx, NAME);
  }
  ctx.note('the old key out');
  await applyGkeSecrets(ctx);
  await restartReaders(ctx, targeted);
  const tokens = ctx.tokens();
  await apiKeyIs(ctx, 'taken', tokenOf(tokens, NAME));
  await apiKeyIs(ctx, 'refused', tokenOf(tokens, previousOf(NAME)));
  await everyExecutorAnswers(ctx);
  await forgetPrevious(ctx, NAME);
  return `every replica takes the new key and refuses the old one (401); it is API_KEY in ${tokensFile}`;
}
