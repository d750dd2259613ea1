/** Starting a script by itself: node scripts/2.3-secrets.ts, or npx zx scripts/2.3-secrets.ts --plan. */
import { resolve } from 'node:path';

/** What stands after the script's path on the command line where it is the one that was started; undefined where it was imported. */
function ownArguments({ main, filename }: ImportMeta): string[] | undefined {
  if (main) return process.argv.slice(2);
  // zx imports the script that it is given.
  const [, starter = '', script = '', ...rest] = process.argv;
  return /[/\\]zx([/\\]build[/\\]cli\.js)?$/.test(starter) && resolve(script) === filename ? rest : undefined;
}

/** Runs the step, criterion or operation of this file where it is the script that was started. */
export async function runAlone(meta: ImportMeta): Promise<void> {
  const args = ownArguments(meta);
  if (!args) return;
  // By a computed name: the program loads every script, so a static import would close a circle.
  const program = (await import(new URL('program.ts', import.meta.url).href)) as {
    main: (argv: readonly string[]) => Promise<void>;
  };
  await program.main([meta.filename, ...args]);
}
