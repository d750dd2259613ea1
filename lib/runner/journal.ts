/** What happened, for people: .runbook/journal.jsonl (0600). It decides nothing. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BadInput } from '../base/failure.ts';
import { Locked } from './lock.ts';
import { ownCommit } from './own-commit.ts';
import { thisOwner } from '../base/owner.ts';
import { scrub } from '../base/secret.ts';
import { STATUS } from '../base/exit-status.ts';
import { Stopped } from './stop.ts';

/** Folder of what the runbook writes beside its checkout; git-ignored. */
export const RUNBOOK_FOLDER = join(import.meta.dirname, '..', '..', '.runbook');

export interface JournalEntry {
  /** `run` has what, and state `started` or how it ended; `step`, `look`, `need`, `criterion`, `lock`, `remark`. */
  event: string;
  /** The command: `deploy FROM=2.3`. */
  what?: string;
  step?: string;
  state?: string;
  reason?: string;
  durationMs?: number;
}

export type Journal = (entry: JournalEntry) => void;

/** Appends one line an event, scrubbed. A journal that cannot be written is told once and stops nothing. */
export function openJournal(settingsFile: string, tell: (warning: string) => void, folder = RUNBOOK_FOLDER): Journal {
  const { run, user, host, pid, place, started } = thisOwner();
  const commit = ownCommit(join(folder, '..'));
  const who = { run, user, host, pid, place, started, commit, settings: settingsFile };
  let told = false;
  return (entry) => {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const line = scrub(JSON.stringify({ time: new Date().toISOString(), ...who, ...entry }));
      appendFileSync(join(folder, 'journal.jsonl'), `${line}\n`, { mode: 0o600 });
    } catch (error) {
      if (!told) tell(`the journal cannot be written: ${error instanceof Error ? error.message : String(error)}`);
      told = true;
    }
  };
}

/**
 * Journals a command from its start to its end, whichever that is.
 * @returns the work's exit status; throws what it throws
 */
export async function journalled(journal: Journal, what: string, work: () => Promise<number>): Promise<number> {
  const began = Date.now();
  const end = (state: string, reason?: string): void =>
    journal({ event: 'run', what, state, durationMs: Date.now() - began, ...(reason ? { reason } : {}) });
  journal({ event: 'run', what, state: 'started' });
  try {
    const status = await work();
    end(ENDINGS[status] ?? 'stopped');
    return status;
  } catch (error) {
    end(endingOf(error), (error instanceof Error ? error.message : String(error)).replaceAll('\n', '; '));
    throw error;
  }
}

const ENDINGS: Record<number, string> = {
  [STATUS.done]: 'done',
  [STATUS.failed]: 'failed',
  [STATUS.badInput]: 'refused',
  [STATUS.somethingToDo]: 'something to do',
  [STATUS.unproven]: 'unproven',
  [STATUS.locked]: 'locked',
};

function endingOf(error: unknown): string {
  if (error instanceof BadInput) return 'refused';
  if (error instanceof Locked) return 'locked';
  return error instanceof Stopped ? 'stopped' : 'failed';
}
