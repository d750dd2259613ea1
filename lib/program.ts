/** The command line: ./runbook WHAT [flags]. `make` calls it; a script run by itself does too. */
import { Command } from 'commander';
import { endChildren } from './command.ts';
import { BadInput, explain } from './failure.ts';
import { STATUS } from './status.ts';

interface Flags {
  plan?: true;
  from?: string;
  until?: string;
  only?: string;
  json?: true;
}

const HELP_END = `
WHAT is one of
  deploy                all phases as one graph
  phase1 … phase4       one phase of the plan
  1.0, 2.3, …           one step (list below)
  status                every step's check at once, nothing changed
  verify                the 13 success criteria, each with its evidence
  doctor                the preflight alone: tools, settings, clusters, checkout

Settings come from .env (ENV_FILE=path names another). Status: 0 done, 1 failed, 2 bad input,
3 there is something to do (status, --plan), 4 something could not be proven (verify).
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
    .option('--json', 'with status and --plan: one JSON document on standard output')
    .addHelpText('after', HELP_END)
    .addHelpText('after', () => stepList);
  const { STEPS } =
    argv.some((a) => a === '--help' || a === '-h') || argv.length === 0
      ? await import('../scripts/steps.ts')
      : { STEPS: [] };
  const stepList = STEPS.map((s) => `  ${s.id}  ${s.title}`).join('\n');
  await runProgram(program, argv, async () => {
    const [what] = program.args;
    if (what === undefined) {
      program.outputHelp();
      return STATUS.badInput;
    }
    return (await import('./operations.ts')).operate(what, program.opts<Flags>());
  });
}

/**
 * Runs a command line of its own (scripts/ops) with the ways every program of the runbook ends: exit statuses of
 * design.md, errors for the operator, children ended with it.
 * @param argv without node and script
 */
export async function runProgram(
  program: Command,
  argv: readonly string[],
  work: () => Promise<number>,
): Promise<void> {
  endOnSignals();
  program.exitOverride((error) => process.exit(error.exitCode === 0 ? STATUS.done : STATUS.badInput));
  program.parse(argv, { from: 'user' });
  try {
    process.exitCode = await work();
  } catch (error) {
    console.error(explain(error));
    if (process.env['DEBUG'] && error instanceof Error) console.error(error.stack);
    process.exitCode = error instanceof BadInput ? STATUS.badInput : STATUS.failed;
  }
}

function endOnSignals(): void {
  let ended = false;
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      if (ended) process.exit(status);
      ended = true;
      endChildren('SIGTERM');
      console.error(`\nended by ${signal}; nothing is lost: the same command goes on`);
      process.exit(status);
    });
  }
}

if (import.meta.main) await main(process.argv.slice(2));
