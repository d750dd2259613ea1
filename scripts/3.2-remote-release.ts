/** Plan step 3.2: every remote executor is registered, runs, and is connected. */
import pLimit from 'p-limit';
import { absent, differs, done, unknownBefore, type ChangeStep, type Check } from '../lib/step.ts';
import { ensureRegistered, kubentlyApi } from '../lib/api.ts';
import type { Context } from '../lib/context.ts';
import { remoteSecret, tokenOf } from '../lib/deployment.ts';
import { drift, isNone } from '../lib/drift.ts';
import { clear } from '../lib/clear.ts';
import { differenceLines } from '../lib/field-differences.ts';
import { newNamespace } from '../lib/infrastructure.ts';
import { executorAnswers } from '../lib/executor-connection.ts';
import { places } from '../lib/ownership.ts';
import { registered, runningRedis } from '../lib/redis.ts';
import { applyRelease, checkRelease, releaseWorkloads, remoteRelease } from '../lib/release.ts';
import { waitForRollout, type Workload } from '../lib/rollout.ts';
import type { Remote } from '../lib/target.ts';
import { readTokens, tokenName } from '../lib/tokens.ts';

/** Clusters at once: each costs a helm and some kubectl processes. */
const atOnce = pLimit(4);

export const step: ChangeStep = {
  id: '3.2',
  kind: 'change',
  title: 'Remote executors registered and connected',
  needs: ['2.7', '3.1'],

  async check(ctx) {
    const { remotes } = ctx.settings;
    const found = await Promise.all(remotes.map((r) => atOnce(() => checkOne(ctx, r))));
    const unmet = found.flatMap((f, i) => (f.state === 'done' ? [] : [{ id: remotes[i]?.id ?? '', f }]));
    if (unmet.length === 0) return done(`${remotes.map((r) => r.id).join(', ')}: registered, released, complete`);
    const reason = unmet.map(({ id, f }) => `${id}: ${f.reason}`).join('; ');
    const unknown = unmet.flatMap(({ f }) => (f.state === 'unknown' ? [f] : []));
    if (unknown[0] && unknown.length === unmet.length) return unknownBefore(unknown[0].after, reason);
    if (unmet.every(({ f }) => f.state === 'absent')) return absent(reason);
    return differs(
      reason,
      unmet.flatMap(({ id, f }) => (f.state === 'differs' ? (f.lines ?? []).map((line) => `${id}: ${line}`) : [])),
    );
  },

  async apply(ctx) {
    await Promise.all(ctx.settings.remotes.map((r) => atOnce(() => applyOne(ctx, r))));
  },

  async verify(ctx) {
    const evidence = await Promise.all(ctx.settings.remotes.map((r) => atOnce(() => verifyOne(ctx, r))));
    return evidence.join('; ');
  },

  async undo(ctx, spared) {
    const { settings } = ctx;
    const ended = await Promise.allSettled(
      settings.remotes.map((remote) =>
        atOnce(async () => {
          await unregister(ctx, remote);
          await ctx.helm(remote).uninstall(remote.release);
        }),
      ),
    );
    const remotePlaces = places(settings).filter((p) => p.part === 'remote');
    const cleared = await Promise.allSettled(remotePlaces.map((p) => atOnce(() => clear(ctx, p, spared))));
    const failed = [...ended, ...cleared].find((e) => e.status === 'rejected');
    if (failed) throw failed.reason;
  },
};

/** As good as possible: with the API or its Redis the registration goes anyway. */
async function unregister(ctx: Context, { id }: Remote): Promise<void> {
  if (!(await ctx.helm(ctx.settings.gke).release(ctx.settings.release))) return;
  try {
    await kubentlyApi(ctx).unregister(id);
  } catch (error) {
    ctx.note(`${id} stays registered until Redis goes: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function checkOne(ctx: Context, remote: Remote): Promise<Check> {
  const tokens = readTokens(ctx.settings.tokensFile);
  const token = tokens[tokenName(remote.id)];
  if (!token || !tokens['REDIS_PASSWORD']) return unknownBefore('2.1', 'its token is known after 2.1');
  const [secret, redis] = await Promise.all([
    drift(ctx.kube(remote), [remoteSecret(remote, tokens)]),
    runningRedis(ctx),
  ]);
  if (secret.absent.length > 0) return absent('no token Secret');
  if (!isNone(secret)) return differs('its token Secret is not as meant', differenceLines(secret.changed));
  if (redis === undefined) return unknownBefore('2.5', 'what is registered is known after 2.5');
  const known = await registered(ctx, new Map([[remote.id, token]]), redis);
  if (known.get(remote.id) !== 'registered') return differs('its token is not the registered one');
  return checkRelease(ctx, await remoteRelease(ctx, remote));
}

async function applyOne(ctx: Context, remote: Remote): Promise<void> {
  const tokens = readTokens(ctx.settings.tokensFile);
  const kube = ctx.kube(remote);
  await ensureRegistered(ctx, remote.id, tokenOf(tokens, tokenName(remote.id)));
  await kube.apply([...(await newNamespace(kube)), remoteSecret(remote, tokens)]);
  await applyRelease(ctx, await remoteRelease(ctx, remote));
}

/** The pod runs, and a command comes back through it. */
async function verifyOne(ctx: Context, remote: Remote): Promise<string> {
  const kube = ctx.kube(remote);
  const workloads = await releaseWorkloads(ctx, await remoteRelease(ctx, remote));
  await Promise.all(workloads.map(([kind, name]) => waitForRollout(ctx, kube, `${kind}/${name}` as Workload)));
  return executorAnswers(ctx, remote);
}

if (import.meta.main) void import('../lib/program.ts').then(({ main }) => main([step.id, ...process.argv.slice(2)]));
