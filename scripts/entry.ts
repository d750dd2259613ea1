/** Starting a script by itself: node scripts/2.3-secrets.ts, or npx zx scripts/2.3-secrets.ts --plan. */
import { existsSync, realpathSync } from 'node:fs';

/** What stands after the script's path on the command line where it is the one that was started; undefined where it was imported. */
function ownArguments({ main, filename }: ImportMeta): string[] | undefined {
  if (main) return process.argv.slice(2);
  // zx imports the script that it is given, after options of its own.
  const [, starter = '', ...words] = process.argv;
  if (!/[/\\]zx([/\\]build[/\\]cli\.js)?$/.test(starter)) return undefined;
  const script = words.findIndex((word) => word.endsWith('.ts') && existsSync(word));
  return script >= 0 && realpathSync(words[script] ?? '') === filename ? words.slice(script + 1) : undefined;
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
