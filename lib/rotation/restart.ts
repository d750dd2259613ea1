/** Puts the tokens of TOKENS_FILE into the clusters' Secrets and restarts what reads them. */
import type { Context } from '../context.ts';
import { gkeSecrets, remoteSecret } from '../deployment.ts';
import { secretStamps } from '../around.ts';
import { fitted } from '../fitted.ts';
import { applyRelease, releaseWorkloads, type Placed } from '../release.ts';
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

/** Upgrades the release, which restarts the workloads whose Secrets have changed, and waits. */
export async function restartReaders(ctx: Context, placed: Placed): Promise<void> {
  await applyRelease(ctx, placed);
  const workloads = await releaseWorkloads(ctx, placed);
  await Promise.all(workloads.map((w) => rolledOut(ctx, placed, w)));
}

/** As restartReaders, for some of the workloads only: the rest keeps what it has until the release is upgraded. */
export async function restartSome(
  ctx: Context,
  placed: Placed,
  which: (kind: 'Deployment' | 'StatefulSet') => boolean,
): Promise<void> {
  const kube = ctx.kube(placed.target);
  const stamps = (await secretStamps(ctx, placed, await fitted(ctx, placed))).filter(({ kind }) => which(kind));
  for (const { kind, name, body } of stamps)
    await kube.change(['patch', `${kind}.apps/${name}`, '--patch', JSON.stringify(body)]);
  await Promise.all(stamps.map(({ kind, name }) => rolledOut(ctx, placed, [`${kind}.apps`, name])));
}

async function rolledOut(ctx: Context, { target }: Placed, [kind, name]: [string, string]): Promise<void> {
  await waitForRollout(ctx, ctx.kube(target), `${kind}/${name}` as Workload, 600_000);
}
