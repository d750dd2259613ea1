/** One remote cluster's executor: registered, released, connected (plan step 3.2). */
import { STEP } from '../../base/plan-steps.ts';
import { kubentlyApi } from './api.ts';
import type { Context } from '../../context.ts';
import { CA_CONFIG_MAP } from '../../chart/release-spec.ts';
import { remoteSecret } from './secrets.ts';
import { drift, isNone } from '../../clients/drift.ts';
import { newExecutorAnswers } from './executor-connection.ts';
import { differenceLines } from '../../clients/field-differences.ts';
import { registered, runningRedis, selector } from './redis.ts';
import { checkRelease, releaseWorkloads, remoteRelease, waitForWorkloads } from '../release/release.ts';
import { absent, differs, unknownBefore, type Check } from '../../step.ts';
import type { Secret } from '../../base/secret.ts';
import type { Remote } from '../../base/target.ts';
import { tokenName } from '../../settings/tokens-file.ts';
import { executorTokenSecret } from '../../chart/secret-names.ts';

/** As good as possible: with the API or its Redis the registration goes anyway. */
export async function unregister(ctx: Context, { id }: Remote): Promise<void> {
  if (!(await ctx.helm(ctx.settings.gke).release(ctx.settings.release))) return;
  try {
    await kubentlyApi(ctx).unregister(id);
  } catch (error) {
    ctx.note(`${id} stays registered until Redis goes: ${error instanceof Error ? error.message : String(error)}`);
  }
}

type Registrations = Awaited<ReturnType<typeof registered>>;

/** What Redis has registered for all remote clusters, asked once, by the first who needs it; undefined where no Redis runs. */
export function registrations(ctx: Context): () => Promise<Registrations | undefined> {
  let asked: Promise<Registrations | undefined> | undefined;
  const ask = async (): Promise<Registrations | undefined> => {
    const redis = await runningRedis(ctx);
    if (redis === undefined) return undefined;
    const tokens = ctx.tokens();
    const known = ctx.settings.remotes.flatMap(({ id }): [string, Secret][] => {
      const token = tokens[tokenName(id)];
      return token ? [[id, token]] : [];
    });
    return registered(ctx, new Map(known), redis);
  };
  return () => (asked ??= ask());
}

/** Live truth of one remote cluster: its token's Secret and registration, and its release. */
export async function checkRemote(
  ctx: Context,
  remote: Remote,
  registration: ReturnType<typeof registrations>,
): Promise<Check> {
  const tokens = ctx.tokens();
  if (!tokens[tokenName(remote.id)] || !tokens['REDIS_PASSWORD'])
    return unknownBefore(STEP.tokens, `its token is known after ${STEP.tokens}`);
  // Asked at once; what the Secret says comes first.
  const rest = Promise.all([
    registration(),
    remoteRelease(ctx, remote).then((targeted) => checkRelease(ctx, targeted)),
  ]);
  rest.catch(() => undefined);
  const secret = await drift(ctx.kube(remote), [remoteSecret(remote, tokens)]);
  if (secret.absent.length > 0) return absent('no token Secret');
  if (!isNone(secret))
    return differs('its token Secret does not match the configuration', differenceLines(secret.changed));
  const [known, release] = await rest;
  if (known === undefined) return unknownBefore(STEP.release, `what is registered is known after ${STEP.release}`);
  if (known.get(remote.id) !== 'registered') return differs('its token is not the registered one');
  return release.state === 'done' && (await isBehind(ctx, remote))
    ? differs('its pod was started before its token Secret or CA file was last changed')
    : release;
}

/**
 * A pod reads the token when it starts, and sees a mended CA file only a minute later; the release's stamps tell only
 * what it was upgraded with.
 */
async function isBehind(ctx: Context, remote: Remote): Promise<boolean> {
  const kube = ctx.kube(remote);
  const [token, trust, pods] = await Promise.all([
    kube.changedAt('Secret', executorTokenSecret(remote.release)),
    ctx.settings.tls.caFile ? kube.changedAt('ConfigMap', CA_CONFIG_MAP) : undefined,
    kube.list('Pod', selector(remote.release, 'executor')),
  ]);
  const changed = Math.max(token ?? 0, trust ?? 0);
  return pods.some(
    ({ metadata: { creationTimestamp = '', deletionTimestamp } }) =>
      deletionTimestamp === undefined && Date.parse(creationTimestamp) < changed,
  );
}

/** Restarts the executor where its pod is older than what it reads. */
export async function restartIfBehind(ctx: Context, remote: Remote): Promise<void> {
  if (!(await isBehind(ctx, remote))) return;
  // The upgrade may be replacing the pods by itself.
  await rolledOut(ctx, remote);
  if (await isBehind(ctx, remote))
    await ctx.kube(remote).change`rollout restart deployment --selector ${selector(remote.release, 'executor')}`;
}

/** The pod runs, and a command comes back through it. */
export async function verifyRemote(ctx: Context, remote: Remote): Promise<string> {
  await rolledOut(ctx, remote);
  return newExecutorAnswers(ctx, remote);
}

async function rolledOut(ctx: Context, remote: Remote): Promise<void> {
  const targeted = await remoteRelease(ctx, remote);
  await waitForWorkloads(ctx, targeted, await releaseWorkloads(ctx, targeted));
}
