/** What every command of the program starts with: settings, the outside, the screen, the journal and the stop. */
import { makeContext, realOutside, type Context, type Outside } from '../context.ts';
import { outlasting } from './api-server-outage.ts';
import { openJournal, type Journal } from './journal.ts';
import { changesJournalled } from './journal-changes.ts';
import { refuseOpenToolFiles } from '../settings/secret-files.ts';
import { loadSettings } from '../settings/settings.ts';
import { screen, type Screen } from './show.ts';
import { processStop, stoppable, type Stop } from './stop.ts';

export interface Session {
  /** For the work: it starts nothing new once the run is to end. */
  ctx: Context;
  /** For what still has to be done then, such as freeing the lock. */
  outside: Outside;
  stop: Stop;
  out: Screen;
  journal: Journal;
}

/**
 * @param looking true when nothing may be changed: a command that mutates is refused
 * @param stream where lines for people go
 * @throws BadInput with every problem of the settings, or of the files with which the tools sign in
 */
export function openSession(looking: boolean, stream: NodeJS.WriteStream = process.stdout): Session {
  const out = screen(stream);
  const settings = loadSettings();
  refuseOpenToolFiles(settings.childEnvironment);
  const journal = openJournal(settings.file, out.line);
  const outside = realOutside(settings);
  const tell = (text: string): void => {
    out.line(text);
    journal({ event: 'remark', reason: text });
  };
  const ctx = makeContext(
    settings,
    outlasting(stoppable(changesJournalled(outside, journal), processStop), tell),
    looking,
  );
  return { ctx, outside, stop: processStop, out, journal };
}
