/** What was proven before now, from the journal: a restore, a rotation, a drill. It decides nothing but a line of `make readiness`. */
import { ageText, DAY_MS } from '../../base/clock.ts';
import { journalLines } from '../../runner/journal.ts';
import { open, type Found, type Seen } from './line.ts';

/** What the journal says was proven. */
export interface Recorded {
  /** Milliseconds since the epoch. */
  at: number;
  says: string;
}

/** The newest such event of this deployment that ended well; undefined where this machine's journal has none. */
export function lastDone({ ctx, journal }: Seen, event: string, step?: string): Recorded | undefined {
  const found = journalLines(journal)
    .filter((l) => l.event === event && l.state === 'done' && l.deployment === ctx.settings.host)
    .filter((l) => step === undefined || l.step === step)
    .map(({ time, reason }): Recorded => ({ at: Date.parse(time), says: reason }));
  return found.reduce<Recorded | undefined>((a, b) => (a && a.at > b.at ? a : b), undefined);
}

/** What closes a line by the journal. */
export interface Proving {
  event: string;
  /** Older proofs count no more. */
  days: number;
  /** Beside the proof: what must hold for it now. */
  holds?: (proof: Recorded) => string | undefined;
  /** What is told where there is no proof. */
  never: string;
  next: string;
}

/** Closed by a proof of the last days, open where there is none or it is stale or holds no more. */
export function byRecord(seen: Seen, { event, days, holds, never, next }: Proving): Found {
  const proof = lastDone(seen, event);
  if (proof === undefined) return open(seen, never, next);
  const { at, says } = proof;
  const age = seen.ctx.clock.now() - at;
  if (age > days * DAY_MS)
    return { state: 'open', evidence: `proven ${ageText(age)} ago, which counts for ${days} days: ${says}`, at, next };
  const broken = holds?.(proof);
  if (broken !== undefined) return { state: 'open', evidence: broken, at, next };
  return { state: 'closed', evidence: says, at };
}
