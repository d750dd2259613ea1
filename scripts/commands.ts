/** The command line: every command with its flags and an example. What a command does is loaded when it is asked for. */
import { join } from 'node:path';
import { Argument, Command, CommanderError } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { ROOT } from '../lib/base/paths.ts';
import { STATUS } from '../lib/base/exit-status.ts';
import { say } from '../lib/base/say.ts';
import { shellWord } from '../lib/base/shell-word.ts';
import { ownCommit } from '../lib/runner/own-commit.ts';
import { KEEPABLE } from '../lib/step.ts';

type Work<F> = (flags: F, command: Command, argument: string) => Promise<number> | number;
type Choice = { from?: string; until?: string; only?: string };
type RunFlags = Choice & { plan?: true; json?: true; wait?: string };
type Yes = { yes?: string | true };

const RUNS: [name: string, description: string][] = [
  ['deploy', 'all four phases as one graph'],
  ['phase1', 'GKE infrastructure: address, DNS, cert-manager, ingress, issuers'],
  ['phase2', 'the release in GKE, with its certificate'],
  ['phase3', 'the executors in the remote clusters'],
  ['phase4', 'tests of the whole'],
  ['phase5', 'what a production environment needs beside it, with PROFILE=production'],
];

/** The program with all its commands. */
export function runbookProgram(): Command {
  const program = new Command('runbook')
    .description('Deploys Kubently to GKE and to remote clusters, step by step as the plan is numbered.')
    .option('-V, --version', 'version and commit')
    .on('option:version', () => {
      say(`runbook ${manifest.version}, commit ${ownCommit(ROOT)}`);
      throw new CommanderError(STATUS.done, 'commander.version', '');
    })
    .exitOverride()
    .showHelpAfterError('./runbook --help lists the commands; with a command before it, its flags')
    .helpCommand(false);
  for (const [name, description] of RUNS)
    run(command(program, name, description, `${name} --from ${firstOf(name)}`), name);
  const step = command(program, 'step', 'one step by its number; ./runbook 2.3 is short for it', '2.3 --plan');
  run(step.argument('<number>', 'as the plan numbers it'));
  looks(program);
  operations(program);
  files(program);
  return program;
}

function firstOf(name: string): string {
  return `${/^phase(\d)$/.exec(name)?.[1] ?? '2'}.${/phase[145]/.test(name) ? '0' : '1'}`;
}

function looks(program: Command): void {
  const plan = choice(command(program, 'plan', 'what a deploy would do, nothing changed', 'plan --only 2.5'));
  ends<Choice>(json(plan), async (flags) => (await operations_()).operate('deploy', { ...flags, plan: true }));
  const status = command(program, 'status', 'every step’s check at once, certificate, connections, versions', 'status');
  ends<RunFlags>(json(status.option('--only <steps>', 'these steps alone, separated by commas')), async (flags) =>
    (await operations_()).operate('status', flags),
  );
  const verify = command(program, 'verify', 'the 13 success criteria, each with its evidence', 'verify --only 3,9');
  ends<RunFlags>(json(verify.option('--only <numbers>', 'these criteria alone, separated by commas')), async (flags) =>
    (await operations_()).operate('verify', flags),
  );
  const readiness = command(program, 'readiness', 'the gaps to a production environment, closed or open', 'readiness');
  ends<RunFlags>(json(readiness), async (flags) => (await operations_()).operate('readiness', flags));
  const doctor = command(program, 'doctor', 'the preflight alone: tools, settings, clusters, checkout', 'doctor');
  ends<RunFlags>(json(doctor), async (flags) => (await operations_()).operate('doctor', flags));
  const history = command(program, 'history', 'the runs so far, from the journal', 'history --last 5');
  ends<{ last: string; json?: true }>(json(history.option('--last <n>', 'how many runs', '20')), async (flags) =>
    (await import('./ops/history.ts')).showHistory(flags.last, flags.json === true),
  );
  const logs = command(program, 'logs', 'follows the logs of all clusters', 'logs --what api --no-follow')
    .option('--what <log>', 'api, executor, remote:ID, ingress or cert-manager; all of them without it')
    .option('--tail <lines>', 'lines of each pod to begin with', '100')
    .option('--no-follow', 'end after these lines, in order of time');
  ends<{ what?: string; tail: string; follow: boolean }>(logs, async (flags) =>
    (await import('./ops/logs.ts')).showLogs(flags),
  );
  const tmux = command(program, 'tmux', 'the run, the live status and the logs in a tmux session', 'tmux');
  ends(tmux, async () => (await import('./ops/tmux.ts')).openTmux());
}

function operations(program: Command): void {
  const rotate = command(program, 'rotate', 'new secrets for old, proven', 'rotate --what redis');
  ends<{ what?: string }>(
    rotate.option('--what <what>', 'api-key, executor:ID, redis, dns-key or all'),
    async ({ what }, self) => {
      const { rotateWhat } = await import('./ops/rotate.ts');
      return operation(self, false, (session) => rotateWhat(session, what));
    },
  );
  const rollback = command(program, 'rollback', 'the releases back to an earlier revision', 'rollback --to 3');
  ends<Yes & { to?: string }>(
    yes(rollback.option('--to <revision>', 'the revision in GKE; else the previous one that worked')),
    async (flags, self) => {
      const work = (await import('./ops/rollback.ts')).rollback;
      return operation(self, false, (session) => work(session, flags.to, answer(flags)));
    },
  );
  const remove = command(program, 'remove', 'the deployment away, on both sides', 'remove --keep dns,ip');
  ends<Yes & { keep?: string }>(
    yes(remove.option('--keep <parts>', `what stays, separated by commas: ${KEEPABLE.join(', ')}`)),
    async (flags, self) => {
      const ops = await import('./ops/remove.ts');
      return operation(self, false, (session) => ops.remove(session, ops.keepOf(flags.keep), answer(flags)));
    },
  );
  const backup = command(program, 'backup', 'Redis’ state, encrypted with age', 'backup --out redis.age');
  ends<{ out?: string }>(
    backup.option('--out <file>', 'where to; a file under .runbook without it'),
    async (flags, self) => {
      const work = (await import('./ops/backup.ts')).makeBackup;
      return operation(self, true, (session) => work(session, flags.out));
    },
  );
  const restore = command(program, 'restore', 'Redis’ state from a backup', 'restore --backup redis.age');
  ends<Yes & { backup?: string; unsigned?: string }>(
    yes(
      restore
        .option('--backup <file>', 'the file that backup wrote, or newest: of BACKUP_BUCKET')
        .option('--unsigned <1>', 'take a backup although its signature does not prove who made it'),
    ),
    async (flags, self) => {
      const work = (await import('./ops/restore.ts')).restore;
      return operation(self, false, (session) => work(session, flags.backup, answer(flags), flags.unsigned));
    },
  );
  const drill = command(
    program,
    'drill',
    'disaster recovery for real: backup, all destroyed, rebuilt, restored, proven',
    'drill --drill test-api.kubently.io --keep dns,ip',
  )
    .option('--drill <host>', 'API_HOST of the deployment that is to be destroyed')
    .option('--keep <parts>', 'what is not destroyed, as for remove');
  ends<Yes & { drill?: string; keep?: string }>(yes(drill), async (flags, self) => {
    const [ops, { keepOf }] = await Promise.all([import('./ops/drill.ts'), import('./ops/remove.ts')]);
    return operation(self, false, (session) => ops.drill(session, flags.drill, keepOf(flags.keep), answer(flags)));
  });
  const report = command(
    program,
    'report',
    'a page to hand over: criteria, what is deployed, timeline',
    'report --out r.html',
  );
  ends<{ out?: string; json?: true }>(
    json(report.option('--out <file>', 'where to; among the kept reports in .runbook without it')),
    async (flags, self) => {
      const work = (await import('./ops/report.ts')).report;
      return operation(self, false, (session) => work(session, flags));
    },
  );
  const iac = command(
    program,
    'iac',
    'what was made in Google Cloud as OpenTofu or Terraform code, with import blocks',
    'iac --out tofu',
  );
  ends<{ out?: string }>(iac.option('--out <folder>', 'where to'), async ({ out }, self) => {
    const { writeIac } = await import('./ops/iac.ts');
    return operation(self, true, (session) => writeIac(session, out));
  });
}

function files(program: Command): void {
  const lint = command(
    program,
    'lint-chart',
    'whether the checkout’s chart gives complete releases; no cluster',
    'lint-chart',
  );
  ends<{ json?: true }>(json(lint), async (flags) =>
    (await import('./ops/lint-chart.ts')).lintChart(flags.json === true),
  );
  const render = command(program, 'render', 'both releases as files; no cluster', 'render --out rendered');
  ends<{ out?: string }>(render.option('--out <folder>', 'where to'), async ({ out }) =>
    (await import('./ops/render.ts')).render(out),
  );
  const gitops = command(
    program,
    'gitops',
    'each release as Flux or Argo CD applies it, without Secrets; no cluster',
    'gitops --out fleet --engine flux',
  )
    .option('--out <folder>', 'where to')
    .option('--engine <engine>', 'flux or argocd');
  ends<{ out?: string; engine?: string }>(gitops, async (flags) =>
    (await import('./ops/gitops.ts')).writeGitops(flags),
  );
  const document = command(
    program,
    'document',
    'the deployment as a document to go on with by hand',
    'document --out d.md',
  );
  ends<{ out?: string }>(
    document.alias('runbook-doc').option('--out <file>', 'where to; standard output without it'),
    async (flags) => (await import('./ops/runbook-doc.ts')).writeRunbookDocument(flags),
  );
  const completion = command(
    program,
    'completion',
    'what a shell needs to complete these commands and flags',
    'completion bash >~/.runbook-completion && . ~/.runbook-completion',
  );
  const shell = new Argument('<shell>', 'bash, zsh or fish').choices(['bash', 'zsh', 'fish']);
  ends(completion.addArgument(shell), async (_, __, name) => {
    (await import('@bomb.sh/tab')).default.setup('runbook', shellWord(join(ROOT, 'runbook')), name);
    return 0;
  });
}

function command(program: Command, name: string, description: string, example: string): Command {
  return program.command(name).description(description).addHelpText('after', `\nExample: ./runbook ${example}`);
}

function run(one: Command, what?: string): void {
  choice(one)
    .option('--plan', 'only look: what each step would do, nothing changed')
    .option('--wait <time>', 'where another run holds the lock, wait so long for it: 90s, 10m, 1h');
  ends<RunFlags>(json(one), async (flags, _, number) => (await operations_()).operate(what ?? number, flags));
}

function choice(one: Command): Command {
  return one
    .option('--from <step>', 'start at this step; what it needs is checked again')
    .option('--until <step>', 'stop after this step')
    .option('--only <steps>', 'these steps alone, separated by commas');
}

function json(one: Command): Command {
  return one.option('--json', 'one JSON document on standard output (docs/json.md)');
}

function yes(one: Command): Command {
  return one.option('--yes [1]', 'do not ask');
}

function answer(flags: Yes): string | undefined {
  return flags.yes === true ? '1' : flags.yes;
}

/** The process ends with the work's status. */
function ends<F extends object>(one: Command, work: Work<F>): void {
  one.action(async () => {
    process.exitCode = await work(one.opts<F>(), one, one.args[0] ?? '');
  });
}

const operations_ = () => import('./operate.ts');
const operation: typeof import('./operation.ts').runOperation = async (...given) =>
  (await import('./operation.ts')).runOperation(...given);
