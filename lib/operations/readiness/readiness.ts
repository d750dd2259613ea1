/** `make readiness`: each of the plan's gaps and next steps, closed or not, by evidence with its age. */
import { ageText } from '../../base/clock.ts';
import { STATUS } from '../../base/exit-status.ts';
import { Failure, firstLine } from '../../base/failure.ts';
import { printJson } from '../../base/json-document.ts';
import { scrub } from '../../base/secret.ts';
import { withReadCache } from '../../context.ts';
import type { Session } from '../../runner/session.ts';
import { COMPLIANCE } from './compliance.ts';
import { HIGH_AVAILABILITY } from './high-availability.ts';
import type { Found, Line, Seen } from './line.ts';
import { MATURITY } from './maturity.ts';
import { NEXT_STEPS } from './next-steps.ts';
import { SECURITY } from './security.ts';

/** The plan's 17 gaps, then its 7 next steps, in its order. */
export const LINES: readonly Line[] = [...HIGH_AVAILABILITY, ...SECURITY, ...MATURITY, ...COMPLIANCE, ...NEXT_STEPS];

/** A line as it is shown, and as JSON has it. */
export interface Row {
  id: string;
  title: string;
  /** `failed`: it could not be read, and counts as open. */
  state: Found['state'] | 'failed';
  /** What was found, or why it cannot be closed here. */
  evidence: string;
  /** ISO time of the evidence, and how old it is in milliseconds. */
  at: string;
  ageMs: number;
  next?: string;
}

/** Each line as it is now. @throws never: what cannot be read is a row */
export function judge(lines: readonly Line[], seen: Seen): Promise<Row[]> {
  const { clock } = seen.ctx;
  const rowOf = ({ id, title }: Line, found: Found): Row => {
    const { state, at } = found;
    const ageMs = Math.max(0, clock.now() - at);
    const evidence = found.state === 'cannot' ? found.because : found.evidence;
    const next = found.state === 'closed' ? {} : { next: found.next };
    return { id, title, state, evidence, at: new Date(at).toISOString(), ageMs, ...next };
  };
  return Promise.all(
    lines.map(async (line): Promise<Row> => {
      try {
        return rowOf(line, await line.look(seen));
      } catch (error) {
        const evidence = `could not be read: ${because(error)}`;
        const at = new Date(clock.now()).toISOString();
        return { id: line.id, title: line.title, state: 'failed', evidence, at, ageMs: 0, next: 'make status' };
      }
    }),
  );
}

/** What failed, and the last that the tool said of it. */
function because(error: unknown): string {
  const { found, detail } = error instanceof Failure ? error.parts : {};
  const said = (found ?? detail)?.trimEnd().split('\n').at(-1);
  return said ? `${firstLine(error)}: ${said}` : firstLine(error);
}

/** Shows all lines. @returns 0 none is open, 1 one could not be read, 4 one is open */
export async function readiness({ ctx, out, journal }: Session, json: boolean, text: string): Promise<number> {
  // Boxes every token, so that scrub knows it.
  ctx.tokens();
  const rows = (await judge(LINES, { ctx: withReadCache(ctx), journal: text })).map((r) => ({
    ...r,
    evidence: scrub(r.evidence),
  }));
  for (const { id, state, evidence } of rows) journal({ event: 'readiness', step: id, state, reason: evidence });
  const status = statusOf(rows);
  const { profile } = ctx.settings;
  const verdict = `${verdictOf(rows)} (PROFILE=${profile})`;
  if (json) {
    printJson('readiness', { status, verdict, profile, lines: rows });
    return status;
  }
  const { chalk } = out;
  const marks: Record<Row['state'], string> = {
    closed: chalk.green('✓'),
    open: chalk.yellow('~'),
    cannot: chalk.gray('–'),
    failed: chalk.red('✗'),
  };
  for (const row of rows) {
    out.line(`${marks[row.state]} ${row.id.padStart(2)} ${row.title.padEnd(60)} ${WORDS[row.state]}`);
    const age = row.ageMs < 60_000 ? 'now' : `${ageText(row.ageMs)} ago`;
    out.line(chalk.gray(`     ${row.state === 'cannot' ? 'because' : age}: ${row.evidence}`));
    if (row.next !== undefined) out.line(`     next: ${row.next}`);
  }
  out.line(verdict);
  return status;
}

const WORDS: Record<Row['state'], string> = {
  closed: 'closed',
  open: 'open',
  cannot: 'cannot be closed here',
  failed: 'open, not readable',
};

function statusOf(rows: readonly Row[]): number {
  if (rows.some((r) => r.state === 'failed')) return STATUS.failed;
  return rows.some((r) => r.state === 'open') ? STATUS.unproven : STATUS.done;
}

function verdictOf(rows: readonly Row[]): string {
  const n = (...states: Row['state'][]): number => rows.filter((r) => states.includes(r.state)).length;
  return `${n('closed')} of ${rows.length} closed, ${n('open', 'failed')} open, ${n('cannot')} cannot be closed here`;
}
