/** What happened, for people: .runbook/journal.jsonl (0600). It decides nothing. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { RUNBOOK_FOLDER } from '../base/paths.ts';
import { ownCommit } from './own-commit.ts';
import { thisOwner } from '../base/owner.ts';
import { makePrivateFolder } from '../base/private-file.ts';
import { parsedJson } from '../base/parsed-json.ts';
import { printable } from '../base/say.ts';

export interface JournalEntry {
  /** `run` has what, and state `started` or how it ended; `step`, `look`, `need`, `criterion`, `lock`, `remark`. */
  event: string;
  /** The command: `deploy FROM=2.3`. */
  what?: string;
  step?: string;
  state?: string;
  reason?: string;
  durationMs?: number;
  /** API_HOST of the deployment of which this is evidence (make readiness). */
  deployment?: string;
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
      makePrivateFolder(folder);
      const line = printable(JSON.stringify({ time: new Date().toISOString(), ...who, ...entry }));
      appendFileSync(join(folder, 'journal.jsonl'), `${line}\n`, { mode: 0o600 });
    } catch (error) {
      if (!told) tell(`the journal cannot be written: ${error instanceof Error ? error.message : String(error)}`);
      told = true;
    }
  };
}

const text = z.string().default('');

/** One line as it is read back; what an older runbook did not write is empty. */
const journalLine = z.object({
  time: text,
  run: text,
  user: text,
  host: text,
  pid: z.number().default(0),
  place: text,
  started: text,
  commit: text,
  settings: text,
  event: text,
  deployment: text,
  what: text,
  step: text,
  state: text,
  reason: text,
  durationMs: z.number().default(0),
});

export type JournalLine = z.infer<typeof journalLine>;

/** The journal's lines, oldest first. One that cannot be read (a full disk cut it) is passed over. */
export function journalLines(journal: string): JournalLine[] {
  return journal.split('\n').flatMap((line) => {
    const read = journalLine.safeParse(parsedJson(line));
    return read.success ? [read.data] : [];
  });
}
