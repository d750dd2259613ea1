/** The command line: ./runbook WHAT [flags]. `make` calls it; a script run by itself does too. */
import { Command } from 'commander';
import { BadInput, explain } from '../lib/base/failure.ts';
import { complain, printable } from '../lib/base/say.ts';
import { Locked } from '../lib/runner/lock.ts';
import { STATUS } from '../lib/base/exit-status.ts';
import { basename } from 'node:path';
import { processStop, Stopped } from '../lib/runner/stop.ts';

interface Flags {
  plan?: true;
  from?: string;
  until?: string;
  only?: string;
  wait?: string;
  json?: true;
}

const HELP_END = `
WHAT is one of
  deploy                all phases as one graph
  phase1 … phase4       one phase of the plan
  1.0, 2.3, …           one step (list below)
  status                every step's check at once, nothing changed
  verify                the 13 success criteria, each with its evidence; --only 3,9 some of them
  doctor                the preflight alone: tools, settings, clusters, checkout

Settings come from .env (ENV_FILE=path names another). Status: 0 done, 1 failed, 2 bad input or
declined, 3 there is something to do (status, --plan), 4 something could not be proven (verify), 5 somebody else
holds the lock, 129, 130, 143 ended by SIGHUP, SIGINT, SIGTERM.
`;

/** Runs the program; sets the process's exit status. @param argv without node and script */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('runbook')
    .description('Deploys Kubently to GKE and to remote Kind clusters, step by step as the plan is numbered.')
    .argument('[what]', 'what to run')
    .option('--plan', 'only look: what each step would do, nothing changed')
    .option('--from <step>', 'start at this step; what it needs is checked again')
    .option('--until <step>', 'stop after this step')
    .option('--only <steps>', 'these steps alone, separated by commas')
    .option('--wait <time>', 'where another run holds the lock, wait so long for it: 90s, 10m, 1h')
    .option('--json', 'with status and --plan: one JSON document on standard output')
    .addHelpText('after', HELP_END)
    .addHelpText('after', () => stepList);
  const { STEPS } =
    argv.some((a) => a === '--help' || a === '-h') || argv.length === 0 ? await import('./steps.ts') : { STEPS: [] };
  const stepList = STEPS.map((s) => `  ${s.id}  ${s.title}`).join('\n');
  await runProgram(program, argv, async () => {
    const [what] = program.args;
    if (what === undefined) {
      program.outputHelp();
      return STATUS.badInput;
    }
    return (await import('./operate.ts')).operate(...named(what, program.opts<Flags>()));
  });
}

/**
 * Runs a command line of its own (scripts/ops) with the ways every program of the runbook ends: exit statuses of
 * docs/architecture.md, errors for the operator, children ended with it.
 * @param argv without node and script
 */
export async function runProgram(
  program: Command,
  argv: readonly string[],
  work: () => Promise<number>,
): Promise<void> {
  stopOnSignals();
  outliveTerminal();
  tellTheUnexpected();
  program.configureOutput({ outputError: (text, write) => write(printable(text)) });
  program.exitOverride((error) => process.exit(error.exitCode === 0 ? STATUS.done : STATUS.badInput));
  program.parse(argv, { from: 'user' });
  try {
    process.exitCode = await work();
  } catch (error) {
    complain(explain(error));
    if (process.env['DEBUG'] && error instanceof Error) complain(error.stack ?? '');
    process.exitCode = statusOf(error);
  }
  // What a stopped run left pending must not keep the process.
  if (processStop.reason) process.exit(processStop.reason.status);
}

function statusOf(error: unknown): number {
  if (error instanceof BadInput) return STATUS.badInput;
  if (error instanceof Locked) return STATUS.locked;
  return error instanceof Stopped ? error.status : STATUS.failed;
}

/** make passes on the signal that it got; only a later one is the operator's second. */
const SAME_SIGNAL_MS = 100;
/** When a stop hangs: longer than children and the lock get. */
const STOP_AT_MOST_MS = 60_000;

function stopOnSignals(): void {
  let firstAt: number | undefined;
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      const now = Date.now();
      if (firstAt !== undefined && now - firstAt < SAME_SIGNAL_MS) return;
      if (firstAt !== undefined) process.exit(status);
      firstAt = now;
      complain(`\n${signal}: ending what runs and freeing the lock; once more ends at once`);
      setTimeout(() => process.exit(status), STOP_AT_MOST_MS).unref();
      processStop.request(
        new Stopped({ what: `ended by ${signal}`, next: 'nothing is lost: rerun the same command to resume' }, status),
      );
    });
  }
}

/** A terminal or pipe that is gone must not end a run half-way: what it would have shown is dropped. */
function outliveTerminal(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
}

/** Node's own words about an error that nobody caught would show it unscrubbed. */
function tellTheUnexpected(): void {
  process.on('uncaughtException', (error) => {
    complain(error.stack ?? explain(error));
    process.exit(STATUS.failed);
  });
}

/** A script's path means its step, or its criterion. */
function named(what: string, flags: Flags): [what: string, flags: Flags] {
  const criterion = /[/\\]criteria[/\\](\d+)-[^/\\]+\.ts$/.exec(what)?.[1];
  if (criterion !== undefined) return ['verify', { ...flags, only: String(Number(criterion)) }];
  const step = /^(\d+\.\d+)-.+\.ts$/.exec(basename(what))?.[1];
  return [step ?? what, flags];
}

if (import.meta.main) await main(process.argv.slice(2));
