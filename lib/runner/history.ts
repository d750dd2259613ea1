/** The journal's lines as runs: who ran what, how it ended, and what failed. */
import { lifeOf } from '../base/owner.ts';

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

type Line = Record<string, unknown>;

const SHOWN_RESULTS = new Set(['failed', 'stopped']);

/** The runs of a journal's text, oldest first. Lines that cannot be read (a full disk cut one) are passed over. */
export function runsOf(text: string): RunRecord[] {
  const runs = new Map<string, RunRecord>();
  for (const line of text.split('\n').flatMap(parsed)) {
    const id = word(line, 'run');
    const known = runs.get(id) ?? begin(line);
    runs.set(id, known);
    const reason = word(line, 'reason');
    switch (line['event']) {
      case 'run':
        if (word(line, 'what') !== '') known.what = word(line, 'what');
        if (line['state'] === 'started') break;
        known.result = word(line, 'state');
        known.durationMs = Number(line['durationMs'] ?? 0);
        if (reason !== '') known.reason = reason;
        break;
      case 'step':
        if (SHOWN_RESULTS.has(word(line, 'state'))) known.failed.push({ step: word(line, 'step'), reason });
        break;
      case 'remark':
        known.remarks.push(`${word(line, 'step')} ${reason}`.trim());
        break;
      case 'lock':
        known.remarks.push(`lock ${word(line, 'state')}: ${reason}`);
        break;
    }
  }
  return [...runs.values()];
}

function begin(line: Line): RunRecord {
  const owner = {
    user: word(line, 'user'),
    host: word(line, 'host'),
    pid: Number(line['pid']),
    run: word(line, 'run'),
    place: word(line, 'place'),
    started: word(line, 'started'),
  };
  const { run, user, host } = owner;
  return {
    run,
    time: word(line, 'time'),
    user,
    host,
    commit: word(line, 'commit'),
    settings: word(line, 'settings'),
    what: '',
    result: lifeOf(owner) === 'alive' ? 'running' : 'killed',
    durationMs: undefined,
    reason: undefined,
    failed: [],
    remarks: [],
  };
}

function word(line: Line, key: string): string {
  const value = line[key];
  return typeof value === 'string' ? value : '';
}

function parsed(text: string): Line[] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'run' in value ? [value] : [];
  } catch {
    return [];
  }
}
