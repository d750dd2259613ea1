/** Plan step 3.2: every remote executor is registered, runs, and is connected. */
import pLimit from 'p-limit';
import { removeObjects } from '../lib/deployment/ownership/remove-objects.ts';
import { places } from '../lib/deployment/ownership/ownership.ts';
import {
  applyRemote,
  checkRemote,
  registrations,
  unregister,
  verifyRemote,
} from '../lib/deployment/kubently/remote-executor.ts';
import { absent, differs, done, unknownBefore, type ChangeStep } from '../lib/step.ts';
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

  async undo(ctx, retained) {
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
    const cleared = await Promise.allSettled(remotePlaces.map((p) => atOnce(() => removeObjects(ctx, p, retained))));
    const failed = [...ended, ...cleared].find((e) => e.status === 'rejected');
    if (failed) throw failed.reason;
  },
};

void runAlone(import.meta);
