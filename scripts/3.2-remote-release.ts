/** Plan step 3.2: every remote executor is registered, runs, and is connected. */
import pLimit from 'p-limit';
import { removeObjects } from '../lib/deployment/ownership/remove-objects.ts';
import { placesOf } from '../lib/deployment/ownership/ownership.ts';
import {
  checkRemote,
  registrations,
  restartIfBehind,
  unregister,
  verifyRemote,
} from '../lib/deployment/kubently/remote-executor.ts';
import { absent, differs, done, unknownBefore, type ChangeStep } from '../lib/step.ts';
import type { Remote } from '../lib/base/target.ts';
import type { Context } from '../lib/context.ts';
import { newNamespace } from '../lib/deployment/cluster/infrastructure.ts';
import { ensureRegistered } from '../lib/deployment/kubently/api.ts';
import { remoteSecret, tokenOf } from '../lib/deployment/kubently/secrets.ts';
import { tokenName } from '../lib/settings/tokens-file.ts';
import { preparedRelease, remoteRelease } from '../lib/deployment/release/release.ts';
import { runAlone } from './entry.ts';

/** Clusters at once: each costs a helm and some kubectl processes. */
const atOnce = pLimit(4);

export const step: ChangeStep = {
  id: '3.2',
  kind: 'change',
  title: 'Remote executors registered and connected',
  needs: ['2.7', '3.1'],

  async check(ctx) {
    const { remotes } = ctx.settings;
    const registration = registrations(ctx);
    const found = await Promise.all(remotes.map((r) => atOnce(() => checkRemote(ctx, r, registration))));
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
    await Promise.all(ctx.settings.remotes.map((r) => atOnce(() => applyRemote(ctx, r))));
  },

  async verify(ctx) {
    const evidence = await Promise.all(ctx.settings.remotes.map((r) => atOnce(() => verifyRemote(ctx, r))));
    return evidence.join('; ');
  },

  owns: ({ settings: { remotes } }) => ({ objects: remotes.map((r) => ({ target: r, releases: [r.release] })) }),

  async undo(ctx, { owned, retained }) {
    const { settings } = ctx;
    const ended = await Promise.allSettled(
      settings.remotes.map((remote) =>
        atOnce(async () => {
          await unregister(ctx, remote);
          await ctx.helm(remote).change`uninstall ${remote.release} --ignore-not-found --wait --timeout 5m`;
        }),
      ),
    );
    const remotePlaces = placesOf(owned).filter((p) => p.step === step.id);
    const cleared = await Promise.allSettled(remotePlaces.map((p) => atOnce(() => removeObjects(ctx, p, retained))));
    const failed = [...ended, ...cleared].find((e) => e.status === 'rejected');
    if (failed) throw failed.reason;
  },
};

/** Registers the token, then makes Secret and release (docs/kubently-contract.md 4: an executor without a registration is refused). */
async function applyRemote(ctx: Context, remote: Remote): Promise<void> {
  const tokens = ctx.tokens();
  const kube = ctx.kube(remote);
  await ensureRegistered(ctx, remote.id, tokenOf(tokens, tokenName(remote.id)));
  await kube.apply([...(await newNamespace(kube)), remoteSecret(remote, tokens)]);
  const { chart, release, input } = await preparedRelease(ctx, await remoteRelease(ctx, remote));
  await ctx.helm(remote).upgrade(input, ctx)`
    upgrade --install ${release} ${chart} --create-namespace --force-conflicts`;
  await restartIfBehind(ctx, remote);
}

void runAlone(import.meta);
