/** Puts the tokens of TOKENS_FILE into the clusters' Secrets and restarts what reads them. */
import type { Context } from '../../context.ts';
import { gkeSecrets, remoteSecret } from '../../deployment/kubently/secrets.ts';
import { secretStamps } from '../../deployment/release/extra-objects.ts';
import { fitted } from '../../deployment/release/fitted.ts';
import { preparedRelease, releaseWorkloads, waitForWorkloads } from '../../deployment/release/release.ts';
import type { Remote } from '../../base/target.ts';
import type { TargetedRelease } from '../../deployment/release/targeted-release.ts';

const LONGEST_MS = 600_000;

/** The Secrets of the GKE side as the tokens file has them now (as step 2.3). */
export async function applyGkeSecrets(ctx: Context): Promise<void> {
  const { settings } = ctx;
  await ctx.kube(settings.gke).apply(gkeSecrets(settings, ctx.tokens()));
}

/** The Secret of a remote cluster as the tokens file has it now (as step 3.2). */
export async function applyRemoteSecret(ctx: Context, remote: Remote): Promise<void> {
  await ctx.kube(remote).apply([remoteSecret(remote, ctx.tokens())]);
}

/** Upgrades the release, which restarts the workloads whose Secrets have changed, and waits. */
export async function restartReaders(ctx: Context, targeted: TargetedRelease): Promise<void> {
  const { chart, release, input } = await preparedRelease(ctx, targeted);
  await ctx.helm(targeted.target).upgrade(input, ctx)`
    upgrade --install ${release} ${chart} --create-namespace --force-conflicts`;
  const workloads = await releaseWorkloads(ctx, targeted);
  await waitForWorkloads(ctx, targeted, workloads, LONGEST_MS);
}

/** As restartReaders, for some of the workloads only: the rest keeps what it has until the release is upgraded. */
export async function restartSome(
  ctx: Context,
  targeted: TargetedRelease,
  which: (kind: string) => boolean,
): Promise<void> {
  const kube = ctx.kube(targeted.target);
  const stamps = (await secretStamps(ctx, targeted, await fitted(ctx, targeted))).filter(({ kind }) => which(kind));
  for (const { kind, name, body } of stamps)
    await kube.change`patch ${kind}.apps/${name} --patch ${JSON.stringify(body)}`;
  const restarted = stamps.flatMap(({ kind, name }) => (kind === 'DaemonSet' ? [] : [[`${kind}.apps`, name] as const]));
  await waitForWorkloads(ctx, targeted, restarted, LONGEST_MS);
}
