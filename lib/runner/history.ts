/** The journal's lines as runs: who ran what, how it ended, and what failed. */
import { lifeOf } from '../base/owner.ts';
import { journalLines, type JournalLine } from './journal.ts';

/** One run as `make history` shows it. */
export interface RunRecord {
  run: string;
  /** ISO time of its start. */
  time: string;
  user: string;
  host: string;
  commit: string;
  settings: string;
  what: string;
  /** done, failed, refused, locked, stopped, …; `running`, or `killed` where it has no end. */
  result: string;
  durationMs: number | undefined;
  /** Why it ended so, where it did not end well. */
  reason: string | undefined;
  failed: { step: string; reason: string }[];
  remarks: string[];
}

const SHOWN_RESULTS = new Set(['failed', 'stopped']);

/** The runs of a journal's text, oldest first. */
export function runsOf(journal: string): RunRecord[] {
  const runs = new Map<string, RunRecord>();
  for (const line of journalLines(journal)) {
    if (line.run === '') continue;
    const known = runs.get(line.run) ?? begin(line);
    runs.set(line.run, known);
    const { state, step, reason } = line;
    switch (line.event) {
      case 'run':
        if (line.what !== '') known.what = line.what;
        if (state === 'started') break;
        known.result = state;
        known.durationMs = line.durationMs;
        if (reason !== '') known.reason = reason;
        break;
      case 'step':
        if (SHOWN_RESULTS.has(state)) known.failed.push({ step, reason });
        break;
      case 'remark':
        known.remarks.push(`${step} ${reason}`.trim());
        break;
      case 'lock':
        known.remarks.push(`lock ${state}: ${reason}`);
        break;
    }
  }
  return [...runs.values()];
}

function begin(line: JournalLine): RunRecord {
  const { run, time, user, host, commit, settings } = line;
  return {
    run,
    time,
    user,
    host,
    commit,
    settings,
    what: '',
    result: lifeOf(line) === 'alive' ? 'running' : 'killed',
    durationMs: undefined,
    reason: undefined,
    failed: [],
    remarks: [],
  };
}
