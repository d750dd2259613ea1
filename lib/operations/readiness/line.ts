/** A line of the plan's gap list: what closes it, and what was found (make readiness). */
import type { Context } from '../../context.ts';

export type Found =
  /** `at`: when that was so, in milliseconds since the epoch. */
  | { state: 'closed'; evidence: string; at: number }
  | { state: 'open'; evidence: string; at: number; next: string }
  /** Not by a program, or not by this one. */
  | { state: 'cannot'; because: string; at: number; next: string };

/** What the lines are judged by. */
export interface Seen {
  ctx: Context;
  /** The text of the journal: what was proven before now. */
  journal: string;
}

export interface Line {
  /** `1` to `17` in the order of the plan's gaps, `N1` to `N7` its recommended next steps. */
  id: string;
  /** The plan's own words. */
  title: string;
  /** Reads only. @throws where it cannot be read, which leaves the line open */
  look: (seen: Seen) => Promise<Found>;
}

/** What no command of this runbook closes yet. */
export const NOT_HERE_YET = 'no command of this runbook closes it yet: docs/readiness.md says what would';

/** Seen at this moment. */
export function closed({ ctx }: Seen, evidence: string): Found {
  return { state: 'closed', evidence, at: ctx.clock.now() };
}

/** Seen at this moment. */
export function open({ ctx }: Seen, evidence: string, next: string): Found {
  return { state: 'open', evidence, at: ctx.clock.now(), next };
}
