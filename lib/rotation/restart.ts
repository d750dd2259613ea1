/** Puts the tokens of TOKENS_FILE into the clusters' Secrets and restarts what reads them. */
import type { Context } from '../context.ts';
import { gkeSecrets, remoteSecret } from '../deployment.ts';
import type { KubeObject } from '../kubectl.ts';
import { applyAround, releaseWorkloads, type Placed } from '../release.ts';
import { waitForRollout, type Workload } from '../rollout.ts';
import type { Remote } from '../target.ts';
import { readTokens } from '../tokens.ts';

/** The Secrets of the GKE side as the tokens file has them now (as step 2.3). */
export async function applyGkeSecrets(ctx: Context): Promise<void> {
  const { settings } = ctx;
  await ctx.kube(settings.gke).apply(gkeSecrets(settings, readTokens(settings.tokensFile)));
}

/** The Secret of a remote cluster as the tokens file has it now (as step 3.2). */
export async function applyRemoteSecret(ctx: Context, remote: Remote): Promise<void> {
  await ctx.kube(remote).apply([remoteSecret(remote, readTokens(ctx.settings.tokensFile))]);
}

/**
 * Restarts the workloads whose Secrets have changed, by the annotation that step 2.5 and 3.2 mean, and waits.
 * @param which only these; all where nothing is said
 */
export async function restartReaders(
  ctx: Context,
  placed: Placed,
  which: (object: Pick<KubeObject, 'kind'>) => boolean = () => true,
): Promise<void> {
  await applyAround(ctx, placed, which);
  const kube = ctx.kube(placed.target);
  const workloads = (await releaseWorkloads(ctx, placed)).filter(([kind]) => which({ kind: kind.split('.')[0] ?? '' }));
  await Promise.all(workloads.map(([kind, name]) => waitForRollout(ctx, kube, `${kind}/${name}` as Workload, 600_000)));
}
