/** What happened, for people: .runbook/journal.jsonl (0600). It decides nothing. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { scrub } from './secret.ts';

/** Folder of what the runbook writes beside its checkout; git-ignored. */
export const RUNBOOK_FOLDER = join(import.meta.dirname, '..', '.runbook');

export interface JournalEntry {
  event: string;
  step?: string;
  state?: string;
  reason?: string;
  durationMs?: number;
}

export type Journal = (entry: JournalEntry) => void;

/** Appends one line an event, scrubbed. A journal that cannot be written is told once and stops nothing. */
export function openJournal(settingsFile: string, tell: (warning: string) => void, folder = RUNBOOK_FOLDER): Journal {
  const who = {
    run: `${Date.now().toString(36)}-${process.pid}`,
    user: userInfo().username,
    host: hostname(),
    settings: settingsFile,
  };
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
