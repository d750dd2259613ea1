/** The program: ./runbook COMMAND [flags]. `make` calls it; a script run by itself does too. */
import { basename } from 'node:path';
import { CommanderError, type Command } from 'commander';
import { STATUS } from '../lib/base/exit-status.ts';
import { BadInput, explain } from '../lib/base/failure.ts';
import { complain, printable } from '../lib/base/say.ts';
import { Locked } from '../lib/runner/lock.ts';
import { processStop, Stopped } from '../lib/runner/stop.ts';
import { runbookProgram } from './commands.ts';
import { outliveTerminal, stopOnSignals, tellTheUnexpected } from './signals.ts';

const HELP_END = `
Settings come from .env (ENV_FILE=path names another). Exit status: 0 done or nothing to do, 1 failed,
2 bad input or declined, 3 there is something to do (status, plan), 4 something could not be proven (verify) or is open (readiness),
5 somebody else holds the lock, 129, 130, 143 ended by SIGHUP, SIGINT, SIGTERM.

The steps, each a command of its own (./runbook 2.3):`;

/** Runs the program; sets the process's exit status. @param argv without node and script */
export async function main(argv: readonly string[]): Promise<void> {
  const program = runbookProgram();
  const [first] = argv;
  if (first === undefined || first.startsWith('-')) {
    const { stepsFor } = await import('./steps.ts');
    const steps = stepsFor({ profile: 'production' }).map(
      (s) => `  ${s.id}  ${s.title}${s.id.startsWith('5.') ? ' (PROFILE=production)' : ''}`,
    );
    program.addHelpText('after', [HELP_END, ...steps].join('\n'));
  }
  if (first === 'complete') (await import('@bomb.sh/tab/commander')).default(program);
  await runProgram(program, named(argv));
}

/**
 * Runs a command line with the ways every program of the runbook ends: exit statuses of docs/architecture.md, errors
 * for the operator, children ended with it. A command's action sets the process's exit status.
 * @param argv without node and script
 */
export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  stopOnSignals();
  outliveTerminal();
  tellTheUnexpected();
  for (const each of [program, ...program.commands])
    each.configureOutput({ outputError: (text, write) => write(printable(text)) });
  try {
    await program.exitOverride().parseAsync(argv, { from: 'user' });
  } catch (error) {
    process.exitCode = statusOf(error);
    // The parser has told it already.
    if (error instanceof CommanderError) return;
    complain(explain(error));
    if (process.env['DEBUG'] && error instanceof Error) complain(error.stack ?? '');
  }
  // What a stopped run left pending must not keep the process.
  if (processStop.reason) process.exit(processStop.reason.status);
}

function statusOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? STATUS.done : STATUS.badInput;
  if (error instanceof BadInput) return STATUS.badInput;
  if (error instanceof Locked) return STATUS.locked;
  return error instanceof Stopped ? error.status : STATUS.failed;
}

/** A number means its step, and a script's path its step, its criterion or its operation. */
function named([first, ...rest]: readonly string[]): string[] {
  if (first === undefined) return [];
  const criterion = /[/\\]criteria[/\\](\d+)-[^/\\]+\.ts$/.exec(first)?.[1];
  if (criterion !== undefined) return ['verify', '--only', String(Number(criterion)), ...rest];
  const operation = /[/\\]ops[/\\]([a-z-]+)\.ts$/.exec(first)?.[1];
  if (operation !== undefined) return [operation, ...rest];
  const step = /^(\d+\.\d+)-.+\.ts$/.exec(basename(first))?.[1] ?? /^\d[\d.]*$/.exec(first)?.[0];
  return step === undefined ? [first, ...rest] : ['step', step, ...rest];
}

if (import.meta.main) await main(process.argv.slice(2));
