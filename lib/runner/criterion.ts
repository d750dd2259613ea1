/** A success criterion of the plan, proven afresh (README.md). */
import type { Context } from '../context.ts';
import type { Proof } from '../step.ts';
import type { Journal } from './journal.ts';
import { explain } from '../base/failure.ts';

export interface Criterion {
  number: number;
  /** The plan's own words. */
  title: string;
  /** @throws Failure when it does not hold */
  prove: (ctx: Context) => Promise<Proof>;
}

export type Outcome = { criterion: Criterion } & (Proof | { state: 'failed'; error: unknown });

/** Proves all at once. @returns each one's outcome to come, in the plan's order; none of them rejects */
export function proveAll(criteria: readonly Criterion[], given: Context, journal: Journal): Promise<Outcome>[] {
  // Whoever looks from another machine has fitted nothing there.
  const ctx: Context = { ...given, plannedFits: new Map() };
  return criteria.map(async (criterion): Promise<Outcome> => {
    const started = ctx.clock.now();
    const outcome = await criterion.prove(ctx).then(
      (proof): Outcome => ({ criterion, ...proof }),
      (error: unknown): Outcome => ({ criterion, state: 'failed', error }),
    );
    journal({
      event: 'criterion',
      step: String(criterion.number),
      state: outcome.state,
      reason: reasonOf(outcome),
      durationMs: ctx.clock.now() - started,
    });
    return outcome;
  });
}

/** Its evidence, why it stays unproven, or how it failed. */
export function reasonOf(outcome: Outcome): string {
  switch (outcome.state) {
    case 'proven':
      return outcome.evidence;
    case 'unproven':
      return outcome.reason;
    case 'failed':
      return explain(outcome.error);
  }
}

/** The last line of `make verify`. */
export function verdict(outcomes: readonly Outcome[]): string {
  const open = outcomes.filter((o) => o.state !== 'proven');
  const named = open.map((o) => `${o.criterion.number} (${o.criterion.title}: ${o.state})`).join(', ');
  return `${outcomes.length - open.length} of ${outcomes.length} criteria proven${open.length > 0 ? `; not proven: ${named}` : ''}`;
}
