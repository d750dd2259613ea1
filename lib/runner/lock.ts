/** Two runs on one deployment never overlap, on one machine or two: whoever changes something holds the Lease meanwhile. */
import { randomUUID } from 'node:crypto';
import { childrenEnded } from '../base/command.ts';
import { BadInput, Failure } from '../base/failure.ts';
import { LEASE_MS, Lease, type Claim, type HeldClaim } from './lease.ts';
import { leftBy, lifeOf, thisOwner } from '../base/owner.ts';
import type { Session } from './session.ts';
import type { Settings } from '../settings/settings.ts';
import { STATUS } from '../base/exit-status.ts';
import { aborted, lockExpired, Stopped, type Stop } from './stop.ts';

export interface Wish {
  /** What the lock is wanted for, as another operator reads it: `deploy`. */
  what: string;
  /** How long to wait while somebody else holds it. */
  waitMs: number;
  /** The Lease's name where it is not the deployment's own (tests). */
  lease?: string;
}

/** Tells which steps are being worked at; others read it within a heartbeat. */
export type TellStep = (step: string) => void;

const RENEW_MS = 10_000;
const POLL_MS = 1000;
const TOLD_EVERY_MS = 30_000;
/** What a stopped run's work gets to end by itself; then it is left, and the process ends. */
const GRACE_MS = 10_000;
const CHILD_MS = 30_000;

/** Somebody else holds the lock (exit status 5). */
export class Locked extends Failure {
  override name = 'Locked';

  constructor(held: HeldClaim, lease: Lease, waitedMs: number) {
    const { owner } = held;
    const life = lifeOf(owner);
    super({
      what: `the deployment is locked by ${words(held)}${waitedMs > 0 ? ` (waited ${Math.round(waitedMs / 1000)} s)` : ''}`,
      found: `lease ${lease.name}, last heartbeat ${held.renewed}${life === 'alive' ? `; process ${owner.pid} runs on this machine` : ''}`,
      next: 'the same command with WAIT=10m (make) or --wait 10m waits for it',
    });
  }
}

/** The Lease's name for a deployment. */
export function leaseName({ host }: Pick<Settings, 'host'>): string {
  return `kubently-runbook-${host.replaceAll('.', '-')}`;
}

/** Milliseconds of `90s`, `10m` or `1h`; 0 where nothing is given. @throws BadInput on anything else */
export function waitOf(text: string | undefined): number {
  const [, n, unit] = /^(\d+)(s|m|h)$/.exec(text ?? '0s') ?? [];
  if (n === undefined)
    throw new BadInput([
      { about: 'WAIT', message: `"${text ?? ''}" is not a time`, remedy: 'write 90s, 10m or 1h; for example WAIT=10m' },
    ]);
  return Number(n) * (unit === 'h' ? 3_600_000 : unit === 'm' ? 60_000 : 1000);
}

/**
 * Does the work while holding the deployment's lock, renewed by a heartbeat; a run that loses it is stopped.
 * @returns what work returns
 * @throws Locked when somebody else has it, Stopped when the run is ended or the lock lost, and whatever work throws
 */
export async function withLock<T>(session: Session, wish: Wish, work: (tell: TellStep) => Promise<T>): Promise<T> {
  const { outside, ctx, journal, stop } = session;
  const lease = new Lease(outside.run, ctx.settings.gke.context, wish.lease ?? leaseName(ctx.settings));
  const mine = { id: randomUUID(), owner: thisOwner(), what: wish.what };
  let kept: Kept | undefined;
  try {
    const { held, dead } = await acquire(lease, mine, wish.waitMs, session);
    kept = keep(lease, held, stop, () => outside.clock.now());
    if (dead) await endLeftovers(dead, session);
    return await Promise.race([work(kept.tell), abandoned(stop.signal)]);
  } finally {
    // The lock is not free before every child has ended, or the next owner would race it.
    if (stop.reason) await childrenEnded(CHILD_MS);
    const last = await kept?.end();
    stop.deadline = Infinity;
    if (kept ?? stop.reason)
      await free(lease, last, mine.id).catch((error: unknown) =>
        journal({ event: 'lock', state: 'not freed', reason: error instanceof Error ? error.message : String(error) }),
      );
  }
}

type Mine = Pick<Claim, 'id' | 'owner' | 'what'>;

/** The Lease in our name. `dead`: whose it was, when it was taken over. */
async function acquire(
  lease: Lease,
  mine: Mine,
  waitMs: number,
  { ctx: { clock }, out, journal }: Session,
): Promise<{ held: HeldClaim; dead?: HeldClaim }> {
  const started = clock.now();
  const claim = (transitions: number): Claim => {
    const now = new Date(clock.now()).toISOString();
    return { ...mine, step: '', since: now, renewed: now, transitions };
  };
  let seen = { beat: '', at: 0 };
  let toldAt = -Infinity;
  let free = true;
  for (;;) {
    const created = free ? await lease.create(claim(0)) : undefined;
    if (created) return { held: created };
    const other = await lease.read();
    free = other === undefined;
    if (!other) continue;
    // The answer to our own create was lost on its way.
    if (other.id === mine.id) return { held: other };
    const now = clock.now();
    const beat = `${other.id} ${other.renewed}`;
    if (seen.beat !== beat) seen = { beat, at: now };
    const life = lifeOf(other.owner);
    // But for a process that is gone from here only a heartbeat seen to stand still is proof: clocks may be wrong, and a
    // living process of that number may have nothing to do with it. Whoever loses the lock so stops by itself.
    if (life === 'dead' || now - seen.at > LEASE_MS) {
      const taken = await lease.replace(other, claim(other.transitions + 1));
      if (!taken) continue;
      journal({ event: 'lock', state: 'taken over', reason: `its owner is dead: ${words(other)}` });
      out.line(`the lock was taken over: its owner is dead (${words(other)})`);
      return { held: taken, dead: other };
    }
    const silent = !(Math.abs(now - Date.parse(other.renewed)) <= LEASE_MS);
    const until = Math.max(started + waitMs, silent ? seen.at + LEASE_MS + POLL_MS : 0);
    if (now >= until) {
      journal({ event: 'lock', state: 'refused', reason: words(other) });
      throw new Locked(other, lease, now - started);
    }
    if (now - toldAt >= TOLD_EVERY_MS) {
      toldAt = now;
      const why = silent ? `no heartbeat since ${other.renewed}; watching it for ${LEASE_MS / 1000} s` : 'waiting';
      out.line(`… the lock is held: ${words(other)}; ${why}, at most ${Math.ceil((until - now) / 1000)} s more`);
    }
    await clock.sleep(Math.min(POLL_MS, until - now));
  }
}

interface Kept {
  tell: TellStep;
  /** Ends the heartbeat; the claim as last seen, or undefined where it was lost. */
  end: () => Promise<HeldClaim | undefined>;
}

/** The heartbeat: renews until it is ended; stops the run when the Lease is another's or could not be renewed. */
function keep(lease: Lease, first: HeldClaim, stop: Stop, now: () => number): Kept {
  let held: HeldClaim | undefined = first;
  let step = '';
  let beating: Promise<void> | undefined;
  const sure = (sentAt: number): void => void (stop.deadline = sentAt + LEASE_MS);
  const beat = async (): Promise<void> => {
    if (!held) return;
    const sentAt = now();
    const renewed = await lease.replace(held, { ...held, step, renewed: new Date(sentAt).toISOString() });
    const found = renewed ?? (await lease.read());
    held = found?.id === first.id ? found : undefined;
    if (held) {
      sure(sentAt);
      return;
    }
    stop.request(
      new Stopped(
        {
          what: `stopped: the lock was taken${found ? ` by ${words(found)}` : ' away: its Lease is gone'}`,
          next: 'look what the other run did, then run the same command again',
        },
        STATUS.locked,
      ),
    );
  };
  sure(now());
  const timer = setInterval(() => {
    if (now() > stop.deadline) stop.request(lockExpired());
    // A beat that fails is tried again by the next one, until the deadline.
    beating ??= beat()
      .catch(() => undefined)
      .finally(() => (beating = undefined));
  }, RENEW_MS);
  return {
    tell: (text) => void (step = text),
    end: async () => {
      clearInterval(timer);
      await beating;
      return held;
    },
  };
}

/** Frees what is ours; a claim that another has is left alone. */
async function free(lease: Lease, last: HeldClaim | undefined, id: string): Promise<void> {
  if (last && (await lease.remove(last))) return;
  const now = await lease.read();
  if (now?.id === id) await lease.remove(now);
}

/** A child of the killed run (helm) may still work: waited for, then ended, never raced. Whoever may write the Lease names the run: those of one that lives are left alone. */
async function endLeftovers({ owner }: HeldClaim, { ctx: { clock }, out, journal }: Session): Promise<void> {
  const left = (): number[] => (lifeOf(owner) === 'elsewhere' ? [] : leftBy(owner.run));
  const found = left();
  if (found.length === 0) return;
  const say = (state: string, pids: readonly number[]): void => {
    journal({ event: 'lock', state, reason: `children of the killed run ${owner.run}: ${pids.join(', ')}` });
    out.line(`children of the killed run still work (pids ${pids.join(', ')}): ${state}`);
  };
  say('waiting for them', found);
  for (const signal of ['none', 'SIGTERM', 'SIGKILL'] as const) {
    const pids = left();
    if (signal !== 'none' && pids.length > 0) {
      say(`ended by ${signal}`, pids);
      for (const pid of pids) kill(pid, signal);
    }
    const until = clock.now() + (signal === 'none' ? CHILD_MS : GRACE_MS);
    while (left().length > 0 && clock.now() < until) await clock.sleep(200);
    if (left().length === 0) return;
  }
  throw new Failure({
    what: `children of the killed run cannot be ended: pids ${left().join(', ')}`,
    next: 'end them by hand, then run the same command again',
  });
}

function kill(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** Rejects once a stopped run's work had its time to end. */
async function abandoned(signal: AbortSignal): Promise<never> {
  await aborted(signal).catch(() => new Promise((go) => setTimeout(go, GRACE_MS).unref()));
  throw signal.reason as Error;
}

/** Holder, host, work, step, since when. */
function words({ owner, what, step, since }: HeldClaim): string {
  const where = owner.host === '' ? owner.user : `${owner.user}@${owner.host} (pid ${owner.pid})`;
  return `${where} runs ${what || 'something'}${step === '' ? '' : `, at step ${step}`}, since ${since.replace(/\.\d+Z$/, 'Z')}`;
}
