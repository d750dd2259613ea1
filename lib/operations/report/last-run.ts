/** The last run of steps with these settings, as the journal tells it: when each step was checked, applied and verified. */
import { existsSync, readFileSync } from 'node:fs';
import { journalLines } from '../../runner/journal.ts';
import type { Step } from '../../step.ts';
import type { State } from '../../runner/rows.ts';

export interface Span {
  state: 'checking' | 'applying' | 'verifying';
  /** Milliseconds since the run began. */
  from: number;
  to: number;
}

export interface StepRow {
  id: string;
  title: string;
  state: string;
  reason: string;
  spans: Span[];
}

export interface LastRun {
  /** What was asked for: deploy, phase2, 2.3. */
  what: string;
  /** ISO 8601. */
  started: string;
  user: string;
  /** done, failed, or "not ended" where it was killed. */
  state: string;
  durationMs: number;
  steps: StepRow[];
}

const BUSY: ReadonlySet<string> = new Set(['checking', 'applying', 'verifying'] satisfies State[]);

/** The last run in the journal's text; undefined where these settings were never run. */
export function lastRun(
  journal: string,
  settingsFile: string,
  plan: readonly Pick<Step, 'id' | 'title'>[],
): LastRun | undefined {
  const lines = journalLines(journal).filter((line) => line.settings === settingsFile);
  // status, verify and plan are runs too, without steps.
  const last = lines.findLast((l) => l.event === 'step')?.run;
  const own = lines.filter((l) => l.run === last);
  const begin = own.find((l) => l.event === 'run' && l.state === 'started');
  if (!begin) return undefined;
  const end = own.find((l) => l.event === 'run' && l.state !== 'started');
  const zero = Date.parse(begin.time);
  const until = Date.parse((end ?? own.at(-1) ?? begin).time) - zero;
  const steps = new Map<string, StepRow>();
  for (const { event, step, state, reason, time } of own) {
    if (event !== 'step') continue;
    const row = steps.get(step) ?? {
      id: step,
      title: plan.find((s) => s.id === step)?.title ?? '',
      state,
      reason,
      spans: [],
    };
    const at = Date.parse(time) - zero;
    const open = row.spans.at(-1);
    if (open) open.to = Math.min(open.to, at);
    if (BUSY.has(state)) row.spans.push({ state: state as Span['state'], from: at, to: until });
    steps.set(step, { ...row, state, reason });
  }
  return {
    what: begin.what,
    started: begin.time,
    user: begin.user,
    state: end?.state ?? 'not ended',
    durationMs: until,
    steps: [...steps.values()].sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true })),
  };
}

/** The journal's text; empty where there is none. */
export function journalText(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
