/** Plan step 3.2: every remote executor is registered, runs, and is connected. */
import pLimit from 'p-limit';
import { absent, differs, done, type ChangeStep, type Check } from '../lib/step.ts';
import { kubentlyApi } from '../lib/api.ts';
import type { Context } from '../lib/context.ts';
import { remoteSecret, tokenOf } from '../lib/deployment.ts';
import { drift, isNone } from '../lib/drift.ts';
import { namespaceObject } from '../lib/infrastructure.ts';
import { registered, selector } from '../lib/redis.ts';
import { applyRelease, checkRelease, releaseWorkloads, remoteRelease } from '../lib/release.ts';
import { waitForRollout, type Workload } from '../lib/rollout.ts';
import type { Remote } from '../lib/target.ts';
import { readTokens, tokenName } from '../lib/tokens.ts';
import { waitFor } from '../lib/wait.ts';

/** Clusters at once: each costs a helm and some kubectl processes. */
const atOnce = pLimit(4);

/** The executor's own word for it (contract 4). */
const CONNECTED = 'SSE connection established';

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

  async undo(ctx) {
    for (const remote of ctx.settings.remotes) {
      await ctx.helm(remote).uninstall(remote.release);
      await ctx.kube(remote).delete('Namespace', remote.namespace, 300_000);
    }
  },
};

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
  await ctx.kube(remote).apply([namespaceObject(remote.namespace), remoteSecret(remote, tokens)]);
  await applyRelease(ctx, await remoteRelease(ctx, remote));
}

/** The pod runs, and a command comes back through it: a running pod says nothing (contract 4). */
async function verifyOne(ctx: Context, remote: Remote): Promise<string> {
  const kube = ctx.kube(remote);
  const workloads = await releaseWorkloads(ctx, await remoteRelease(ctx, remote));
  await Promise.all(workloads.map(([kind, name]) => waitForRollout(ctx, kube, `${kind}/${name}` as Workload)));
  const log = (lines = 20): Promise<string> => kube.logs(['--selector', selector(remote.release, 'executor')], lines);
  return waitFor(
    {
      what: `executor of ${remote.id}`,
      timeoutMs: 120_000,
      probe: async () => {
        const answer = await kubentlyApi(ctx).execute(remote.id, ['namespaces']);
        if (answer.status === 'success' && answer.output?.includes('kube-system'))
          return { state: 'ready', value: `${remote.id} answers a command` };
        const said = (await log(200)).split('\n');
        const refused = said.findLast((l) => l.includes('Failed to connect'));
        if (refused?.includes(' 401'))
          return { state: 'failed', reason: 'the API refuses its token (401)', next: './runbook 3.2' };
        const connected = said.some((l) => l.includes(CONNECTED)) ? '' : `; its log does not say "${CONNECTED}"`;
        return { state: 'pending', reason: refused ?? `command: ${answer.status}${connected}` };
      },
      diagnose: () => log(),
      next: `kubectl --context ${remote.context} --namespace ${remote.namespace} logs --selector ${selector(remote.release, 'executor')}`,
    },
    ctx,
  );
}

if (import.meta.main) void import('../lib/program.ts').then(({ main }) => main([step.id, ...process.argv.slice(2)]));
