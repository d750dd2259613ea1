/** Waits with a deadline, a last reason, and a stop at once on a terminal condition (docs/architecture.md rule 4). */
import type { Clock } from './clock.ts';
import { isTransient } from './command.ts';
import { Failure, TimedOut } from './failure.ts';

export type Probe<T> =
  | { state: 'ready'; value: T }
  | { state: 'pending'; reason: string }
  /** No more waiting can help. */
  | { state: 'failed'; reason: string; detail?: string; next?: string };

export interface Wait<T> {
  /** What is waited for, as the end of "waiting for …". */
  what: string;
  timeoutMs: number;
  everyMs?: number;
  probe: () => Promise<Probe<T>>;
  /** Read only when the wait ends badly: conditions, events, log lines. */
  diagnose?: () => Promise<string>;
  /** What the operator can do when it times out. */
  next: string;
}

/** A look is a request or two; what is waited for is mostly over within seconds. */
const EVERY_MS = 500;

export interface Waiter {
  clock: Clock;
  /** Told each reason for waiting, for the live list and its heartbeat. */
  note: (text: string) => void;
}

/** Something that may keep a wait from ever ending well: terminal once it has stayed for its grace. */
export interface Suspect {
  /** Object and kind of trouble: what is known by the same key from one look to the next. */
  key: string;
  /** Object, condition, message. */
  reason: string;
  next?: string | undefined;
  /** How long it may last and still pass by itself; Infinity: it is only told. */
  graceMs: number;
}

type Pending = Exclude<Probe<never>, { state: 'ready' }>;

/**
 * Judges suspects over the looks of one wait: failed with the first whose grace is over, else pending, with the first
 * suspect beside the ordinary reason. A suspect that was gone in between starts anew.
 */
export function patience(clock: Clock): (suspects: readonly Suspect[], reason: string) => Pending {
  let since = new Map<string, number>();
  return (suspects, reason) => {
    const now = clock.now();
    since = new Map(suspects.map(({ key }) => [key, since.get(key) ?? now]));
    const over = suspects.find(({ key, graceMs }) => now - (since.get(key) ?? now) >= graceMs);
    if (over) return { state: 'failed', reason: over.reason, ...(over.next ? { next: over.next } : {}) };
    const [first] = suspects;
    return {
      state: 'pending',
      reason: first && !reason.includes(first.reason) ? `${reason}; ${first.reason}` : reason,
    };
  };
}

/**
 * The probe's value once it is ready. Never sleeps past the deadline, nor after the last try.
 * @throws Failure on a terminal condition, TimedOut at the deadline; both with the diagnosis.
 */
export async function waitFor<T>(wait: Wait<T>, { clock, note }: Waiter): Promise<T> {
  const deadline = clock.now() + wait.timeoutMs;
  for (;;) {
    const probe = await wait.probe().catch((error: unknown): Probe<T> => {
      if (!isTransient(error)) throw error;
      return { state: 'pending', reason: error instanceof Error ? error.message : String(error) };
    });
    switch (probe.state) {
      case 'ready':
        return probe.value;
      case 'failed':
        throw new Failure({
          what: `${wait.what}: ${probe.reason}`,
          detail: [probe.detail, await wait.diagnose?.()].filter(Boolean).join('\n'),
          next: probe.next ?? wait.next,
        });
      case 'pending': {
        note(`${wait.what}: ${probe.reason}`);
        const left = deadline - clock.now();
        if (left <= 0) {
          throw new TimedOut({
            what: `${wait.what}: timed out after ${Math.round(wait.timeoutMs / 1000)} s`,
            found: probe.reason,
            detail: await wait.diagnose?.(),
            next: wait.next,
          });
        }
        await clock.sleep(Math.min(wait.everyMs ?? EVERY_MS, left));
      }
    }
  }
}
