/** What every command of the program starts with: settings, the outside, the screen and the journal. */
import { makeContext, realOutside, type Context } from './context.ts';
import { openJournal, type Journal } from './journal.ts';
import { loadSettings } from './settings.ts';
import { screen, type Screen } from './show.ts';

export interface Session {
  ctx: Context;
  out: Screen;
  journal: Journal;
}

/**
 * @param looking true when nothing may be changed: a command that mutates is refused
 * @param stream where lines for people go
 * @throws BadInput with every problem of the settings
 */
export function openSession(looking: boolean, stream: NodeJS.WriteStream = process.stdout): Session {
  const out = screen(stream);
  const settings = loadSettings();
  const journal = openJournal(settings.file, out.line);
  return { ctx: makeContext(settings, realOutside(settings), looking), out, journal };
}
