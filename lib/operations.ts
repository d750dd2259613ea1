/** What the program can be asked for: run steps, look at them, prove the criteria, preflight. Each gives an exit status. */
import { relative } from 'node:path';
import { STEPS } from '../scripts/steps.ts';
import { proveAll, verdict, type Outcome } from './criterion.ts';
import { BadInput, explain } from './failure.ts';
import { look } from './look.ts';
import { preflight } from './preflight.ts';
import { STATUS } from './status.ts';
import { runSteps } from './run.ts';
import { select, type Selection } from './select.ts';
import { openSession, type Session } from './session.ts';
import type { Settings } from './settings.ts';
import { summarise, watch } from './show.ts';
import type { Step } from './step.ts';

/** Does what the command line says. @throws BadInput, Failure */
export async function operate(what: string, flags: Selection & { plan?: true; json?: true }): Promise<number> {
  const looking = flags.plan === true || what === 'status' || what === 'doctor';
  const json = flags.json === true;
  if (json && what !== 'status' && flags.plan !== true)
    throw new BadInput([
      { about: '--json', message: `does not go with ${what}`, remedy: 'it goes with status and --plan' },
    ]);
  const session = openSession(looking, json ? process.stderr : process.stdout);
  if (what === 'doctor') return doctor(session);
  if (what === 'status') return look(session, { kind: 'status', steps: STEPS, catalogue: STEPS, json });
  if (what === 'verify') return verify(session);
  const chosen = select(STEPS, what, flags);
  if (flags.plan) return look(session, { kind: 'plan', steps: chosen, catalogue: STEPS, json });
  return run(session, what, chosen);
}

async function run({ ctx, out, journal }: Session, what: string, chosen: readonly Step[]): Promise<number> {
  const started = Date.now();
  journal({ event: 'run', reason: what });
  const problems = await preflight(ctx);
  if (problems.length > 0) {
    journal({ event: 'refused', reason: problems.map((p) => p.about).join(', ') });
    throw new BadInput(problems);
  }
  warnings(ctx.settings).forEach((w) => out.line(out.chalk.yellow(w)));
  const watcher = watch(out);
  const rows = await runSteps(chosen, STEPS, ctx, journal, watcher);
  watcher.stop();
  const failed = rows.some((r) => r.state === 'failed' || r.state === 'blocked');
  const suffix = envSuffix(ctx.settings);
  summarise(
    out,
    rows,
    Date.now() - started,
    failed ? `make ${/^\d/.test(what) ? 'deploy' : what}${suffix} (goes on where this ended)` : `make verify${suffix}`,
  );
  journal({ event: 'run', reason: what, state: failed ? 'failed' : 'done', durationMs: Date.now() - started });
  return failed ? STATUS.failed : STATUS.done;
}

async function verify({ ctx, out, journal }: Session): Promise<number> {
  const { CRITERIA } = await import('../scripts/criteria/criteria.ts');
  const { chalk } = out;
  const outcomes = await proveAll(CRITERIA, ctx, journal, () => undefined);
  const line = (o: Outcome): string => {
    const head = `${String(o.criterion.number).padStart(2)} ${o.criterion.title}`;
    switch (o.state) {
      case 'proven':
        return `${chalk.green('✓')} ${head}\n     ${chalk.gray(o.evidence)}`;
      case 'unproven':
        return `${chalk.yellow('?')} ${head}\n     ${o.reason}`;
      case 'failed':
        return `${chalk.red('✗')} ${head}\n     ${explain(o.error).replaceAll('\n', '\n     ')}`;
    }
  };
  outcomes.forEach((o) => out.line(line(o)));
  out.line(verdict(outcomes));
  return outcomes.some((o) => o.state === 'failed')
    ? STATUS.failed
    : outcomes.some((o) => o.state === 'unproven')
      ? STATUS.unproven
      : STATUS.done;
}

async function doctor({ ctx, out }: Session): Promise<number> {
  const problems = await preflight(ctx);
  if (problems.length > 0) throw new BadInput(problems);
  warnings(ctx.settings).forEach((w) => out.line(out.chalk.yellow(w)));
  out.line(
    `ready: tools, project ${ctx.settings.project}, zone ${ctx.settings.dnsZone}, ${1 + ctx.settings.remotes.length} clusters and the checkout are as they should be`,
  );
  return STATUS.done;
}

function warnings({ gkeExecutorApiUrl, llm, tls }: Settings): string[] {
  return [
    ...(gkeExecutorApiUrl.startsWith('http:')
      ? [
          `warning: the GKE executor speaks plain http to ${gkeExecutorApiUrl} (GKE_EXECUTOR_API_URL): its token crosses the cluster network unencrypted`,
        ]
      : []),
    ...(Object.keys(llm.keys).length === 0
      ? ['warning: no LLM key is set: the agent (4.3, criterion 11) cannot answer']
      : []),
    ...(tls.issuer === 'staging' && !tls.caFile
      ? [
          'warning: TLS_ISSUER=staging without TLS_CA_FILE: executors do not trust the staging certificate and will not connect',
        ]
      : []),
  ];
}

/** ` ENV_FILE=…` where the settings are not those of .env. */
function envSuffix({ file }: Settings): string {
  const name = relative(process.cwd(), file);
  return name === '.env' ? '' : ` ENV_FILE=${name}`;
}
