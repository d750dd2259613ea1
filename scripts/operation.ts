/** How an operation of scripts/ops runs: with a session, and with its command and its outcome in the journal. */
import type { Command } from 'commander';
import { complain } from '../lib/base/say.ts';
import { openJournal } from '../lib/runner/journal.ts';
import { recordedRun } from '../lib/runner/recorded-run.ts';
import { openSession, type Session } from '../lib/runner/session.ts';
import { settingsFile } from '../lib/settings/settings.ts';

/**
 * Runs an operation. Refused settings, a declined question and a failure are journalled as well.
 * @param looking true when nothing may be changed
 * @returns the work's exit status; throws what it throws
 */
export function runOperation(
  command: Command,
  looking: boolean,
  work: (session: Session) => Promise<number>,
): Promise<number> {
  // The session's journal needs settings that can be read.
  const journal = openJournal(settingsFile(process.env), complain);
  return recordedRun(journal, commandOf(command), async () => work(openSession(looking)));
}

/** `rollback TO=2 YES=1`, as make is told. */
export function commandOf(program: Command): string {
  const given = program.options.flatMap((option) => {
    const name = option.attributeName();
    if (program.getOptionValueSource(name) !== 'cli') return [];
    const value: unknown = program.getOptionValue(name);
    return [`${name.toUpperCase()}=${value === true ? '1' : value === false ? '0' : String(value)}`];
  });
  return [program.name(), ...given].join(' ');
}
