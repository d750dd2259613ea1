/** Plan step 3.2: every remote executor is registered, runs, and is connected. */
import pLimit from 'p-limit';
import { absent, differs, done, type ChangeStep, type Check } from '../lib/step.ts';
import { kubentlyApi } from '../lib/api.ts';
import type { Context } from '../lib/context.ts';
import { remoteSecret, tokenOf } from '../lib/deployment.ts';
import { drift, isNone } from '../lib/drift.ts';
import { clear } from '../lib/clear.ts';
import { newNamespace } from '../lib/infrastructure.ts';
import { places } from '../lib/ownership.ts';
import { registered, selector } from '../lib/redis.ts';
import { applyRelease, checkRelease, releaseWorkloads, remoteRelease } from '../lib/release.ts';
import { waitForRollout, type Workload } from '../lib/rollout.ts';
import type { Remote } from '../lib/target.ts';
import { readTokens, tokenName } from '../lib/tokens.ts';
import { waitFor } from '../lib/wait.ts';

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
    return unmet.every(({ f }) => f.state === 'absent') ? absent(reason) : differs(reason);
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
  const token = tokenOf(readTokens(ctx.settings.tokensFile), tokenName(remote.id));
  const [secret, known] = await Promise.all([
    drift(ctx.kube(remote), [remoteSecret(remote, readTokens(ctx.settings.tokensFile))]),
    registered(ctx, new Map([[remote.id, token]])),
  ]);
  if (secret.absent.length > 0) return absent('no token Secret');
  if (!isNone(secret)) return differs('its token Secret is not as meant');
  if (known.get(remote.id) !== 'registered') return differs('its token is not the registered one');
  return checkRelease(ctx, await remoteRelease(ctx, remote));
}

async function applyOne(ctx: Context, remote: Remote): Promise<void> {
  const tokens = readTokens(ctx.settings.tokensFile);
  const token = tokenOf(tokens, tokenName(remote.id));
  const api = kubentlyApi(ctx);
  const known = (await registered(ctx, new Map([[remote.id, token]]))).get(remote.id);
  if (known === 'other') await api.unregister(remote.id);
  if (known !== 'registered') await api.register(remote.id, token);
  const kube = ctx.kube(remote);
  await kube.apply([...(await newNamespace(kube)), remoteSecret(remote, tokens)]);
  await applyRelease(ctx, await remoteRelease(ctx, remote));
}

/** The pod runs, and a command comes back through it: a running pod says nothing (contract 4). */
async function verifyOne(ctx: Context, remote: Remote): Promise<string> {
  const kube = ctx.kube(remote);
  const workloads = await releaseWorkloads(ctx, await remoteRelease(ctx, remote));
  await Promise.all(workloads.map(([kind, name]) => waitForRollout(ctx, kube, `${kind}/${name}` as Workload)));
  const log = (): Promise<string> => kube.logs(['--selector', selector(remote.release, 'executor')], 20);
  return waitFor(
    {
      what: `executor of ${remote.id}`,
      timeoutMs: 120_000,
      probe: async () => {
        const answer = await kubentlyApi(ctx).execute(remote.id, ['namespaces']);
        if (answer.status === 'success' && answer.output?.includes('kube-system'))
          return { state: 'ready', value: `${remote.id} answers a command` };
        const refused = (await log()).split('\n').findLast((l) => l.includes('Failed to connect'));
        if (refused?.includes(' 401'))
          return { state: 'failed', reason: 'the API refuses its token (401)', next: './runbook 3.2' };
        return { state: 'pending', reason: refused ?? `command: ${answer.status}` };
      },
      diagnose: log,
      next: `kubectl --context ${remote.context} --namespace ${remote.namespace} logs --selector ${selector(remote.release, 'executor')}`,
    },
    ctx,
  );
}

if (import.meta.main) void import('../lib/program.ts').then(({ main }) => main([step.id, ...process.argv.slice(2)]));
