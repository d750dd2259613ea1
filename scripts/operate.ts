/** What the program can be asked for: run steps, look at them, prove the criteria, preflight. Each gives an exit status. */
import { join } from 'node:path';
import { stepsFor } from './steps.ts';
import { proveAll, reasonOf, verdict, type Criterion, type Outcome } from '../lib/runner/criterion.ts';
import { BadInput } from '../lib/base/failure.ts';
import { printJson } from '../lib/base/json-document.ts';
import { RUNBOOK_FOLDER } from '../lib/base/paths.ts';
import { journalText } from '../lib/operations/report/last-run.ts';
import { withSettingsFile } from '../lib/base/next-command.ts';
import { waitOf, withLock } from '../lib/runner/lock.ts';
import { noLlmKey } from '../lib/chart/release-spec.ts';
import { askGateway } from '../lib/runner/llm-gateway.ts';
import { look } from '../lib/runner/look.ts';
import { clusterWarnings } from '../lib/runner/cluster-problems.ts';
import { preflight } from '../lib/runner/preflight.ts';
import { STATUS } from '../lib/base/exit-status.ts';
import { isEnded, type Row, type State } from '../lib/runner/rows.ts';
import { runSteps } from '../lib/runner/run.ts';
import { select, type Selection } from '../lib/runner/select.ts';
import { openSession, type Session } from '../lib/runner/session.ts';
import type { Settings } from '../lib/settings/settings.ts';
import { summarise, watch } from '../lib/runner/show.ts';
import { byId, type Step, type StepId } from '../lib/step.ts';
import { recordedRun } from '../lib/runner/recorded-run.ts';

const UNFINISHED: ReadonlySet<State> = new Set(['failed', 'blocked', 'stopped']);

type Flags = Selection & { plan?: true; json?: true; wait?: string };

/** Commands that change nothing. */
const LOOKING: ReadonlySet<string> = new Set(['status', 'doctor', 'readiness']);

/** Does what the command line says. @throws BadInput, Failure, Locked, Stopped */
export async function operate(what: string, flags: Flags): Promise<number> {
  const looking = flags.plan === true || LOOKING.has(what);
  const json = flags.json === true;
  if (json && !looking && what !== 'verify')
    throw new BadInput([
      { about: '--json', message: `does not go with ${what}`, remedy: 'it goes with --plan: what a run would do' },
    ]);
  const waitMs = waitOf(flags.wait);
  const session = openSession(looking, json ? process.stderr : process.stdout);
  const choice = choiceOf(flags);
  const catalogue = stepsFor(session.ctx.settings);
  if (what === 'status') {
    const steps = select(catalogue, 'deploy', flags);
    // Looked at again and again (make tmux), it would hide the runs.
    return look({ ...session, journal: () => undefined }, { kind: 'status', steps, catalogue, json });
  }
  return recordedRun(session.journal, `${flags.plan ? 'plan ' : ''}${what}${choice}`, async () => {
    if (what === 'doctor') return doctor(session, json);
    if (what === 'verify') return verify(session, flags.only, json);
    if (what === 'readiness') return showReadiness(session, json);
    const steps = select(catalogue, what, flags);
    return flags.plan
      ? look(session, { kind: 'plan', steps, catalogue, json })
      : run(session, `${what}${choice}`, steps, waitMs);
  });
}

/** Runs the steps under the lock, and says how they ended. @returns 0, 1 or 4 @throws BadInput, Locked, Stopped */
export async function run(session: Session, what: string, chosen: readonly Step[], waitMs: number): Promise<number> {
  const { ctx, out, journal, stop } = session;
  const catalogue = stepsFor(ctx.settings);
  const started = Date.now();
  const problems = await preflight(ctx, 'as kept');
  if (problems.length > 0) throw new BadInput(problems);
  [...warnings(ctx.settings), ...(await clusterWarnings(ctx))].forEach((w) =>
    out.line(out.chalk.yellow(`warning: ${w}`)),
  );
  const rows = await withLock(session, { what, waitMs }, async (tell) => {
    const watcher = await watch(out);
    try {
      return await runSteps(chosen, catalogue, ctx, journal, {
        changed: (row, all) => {
          tell(all.flatMap((r) => (isEnded(r.state) || r.state === 'waiting' ? [] : [r.id])).join(', '));
          watcher.changed(row, all);
        },
      });
    } finally {
      watcher.stop();
    }
  });
  const unfinished = rows.some((r) => UNFINISHED.has(r.state));
  summarise(
    out,
    rows,
    Date.now() - started,
    withSettingsFile(
      unfinished ? `${again(what, rows, catalogue)} (resumes where this ended)` : 'make verify',
      ctx.settings.file,
    ),
  );
  if (stop.reason) throw stop.reason;
  if (unfinished) return STATUS.failed;
  return rows.some((r) => r.state === 'unproven') ? STATUS.unproven : STATUS.done;
}

/** ` FROM=2.3 UNTIL=2.6`, as it was asked for. */
function choiceOf({ from, until, only }: Selection): string {
  return Object.entries({ FROM: from, UNTIL: until, ONLY: only })
    .flatMap(([name, steps]) => (steps === undefined ? [] : [` ${name}=${steps}`]))
    .join('');
}

/** The command that goes on: the same again, or up to these steps where what blocks them lies outside the choice. */
function again(what: string, rows: readonly Row[], steps: readonly Step[]): string {
  const chosen = new Map(rows.map((r) => [r.id, r]));
  const stepOf = (id: StepId): Step | undefined => steps.find((s) => s.id === id);
  const needsOf = (id: StepId): readonly StepId[] => [
    ...(stepOf(id)?.needs ?? []),
    ...(stepOf(id)?.needsToVerify ?? []),
  ];
  const blockedOutside = rows.some(
    (r) => r.state === 'blocked' && !needsOf(r.id).some((id) => UNFINISHED.has(chosen.get(id)?.state ?? 'done')),
  );
  if (!blockedOutside) return /^\d/.test(what) ? `./runbook ${what.split(' ')[0] ?? ''}` : `make ${what}`;
  const wanted = new Set<StepId>();
  const want = (id: StepId): void => {
    if (wanted.has(id)) return;
    wanted.add(id);
    needsOf(id).forEach(want);
  };
  rows.forEach((r) => want(r.id));
  const last = [...steps].sort(byId).findLast((s) => wanted.has(s.id));
  return `make deploy UNTIL=${last?.id ?? ''}`;
}

/** Proves the criteria, all or those of ONLY. @returns 0 all proven, 1 one failed, 4 one could not be proven @throws BadInput */
export async function verify({ ctx, out, journal }: Session, only: string | undefined, json: boolean): Promise<number> {
  const { CRITERIA } = await import('./criteria/criteria.ts');
  const chosen = criteriaOf(CRITERIA, only);
  const outcomes: Outcome[] = [];
  for (const ending of proveAll(chosen, ctx, journal)) {
    const outcome = await ending;
    outcomes.push(outcome);
    if (!json) out.line(outcomeLine(outcome, out));
  }
  const status = outcomes.some((o) => o.state === 'failed')
    ? STATUS.failed
    : outcomes.some((o) => o.state === 'unproven')
      ? STATUS.unproven
      : STATUS.done;
  if (json) {
    const criteria = outcomes.map((o) => ({ ...o.criterion, prove: undefined, state: o.state, reason: reasonOf(o) }));
    printJson('verify', { status, verdict: verdict(outcomes), criteria });
  } else out.line(verdict(outcomes));
  return status;
}

function outcomeLine(o: Outcome, { chalk }: Session['out']): string {
  const head = `${String(o.criterion.number).padStart(2)} ${o.criterion.title}`;
  const reason = reasonOf(o).replaceAll('\n', '\n     ');
  switch (o.state) {
    case 'proven':
      return `${chalk.green('✓')} ${head}\n     ${chalk.gray(reason)}`;
    case 'unproven':
      return `${chalk.yellow('?')} ${head}\n     ${reason}`;
    case 'failed':
      return `${chalk.red('✗')} ${head}\n     ${reason}`;
  }
}

async function showReadiness(session: Session, json: boolean): Promise<number> {
  const { readiness } = await import('../lib/operations/readiness/readiness.ts');
  return readiness(session, json, journalText(join(RUNBOOK_FOLDER, 'journal.jsonl')));
}

/** The criteria of ONLY=3,9; all of them without it. @throws BadInput on a number that is none of theirs */
function criteriaOf(all: readonly Criterion[], only: string | undefined): readonly Criterion[] {
  if (only === undefined) return all;
  const wanted = only.split(',').map((n) => n.trim());
  const unknown = wanted.filter((n) => !all.some((c) => String(c.number) === n));
  if (unknown.length > 0)
    throw new BadInput([
      { about: 'ONLY', message: `unknown criterion ${unknown.join(', ')}`, remedy: `choose from 1 to ${all.length}` },
    ]);
  return all.filter((c) => wanted.includes(String(c.number)));
}

async function doctor({ ctx, out }: Session, json: boolean): Promise<number> {
  const [found, gateway, newer] = await Promise.all([preflight(ctx, 'asked'), askGateway(ctx), clusterWarnings(ctx)]);
  const problems = [...found, ...(gateway?.state === 'problem' ? [gateway.problem] : [])];
  const warned = [
    ...warnings(ctx.settings),
    ...newer,
    ...(gateway?.state === 'unreachable' ? [`${gateway.reason}; the API's pods must reach it`] : []),
  ];
  if (json) {
    const status = problems.length > 0 ? STATUS.badInput : STATUS.done;
    printJson('doctor', { status, problems, warnings: warned });
    return status;
  }
  if (problems.length > 0) throw new BadInput(problems);
  warned.forEach((w) => out.line(out.chalk.yellow(`warning: ${w}`)));
  out.line(
    `ready: tools, project ${ctx.settings.project}, zone ${ctx.settings.dnsZone}, ${1 + ctx.settings.remotes.length} clusters and the checkout are as they should be`,
  );
  return STATUS.done;
}

function warnings({ gkeExecutorApiUrl, llm, tls }: Settings): string[] {
  const keyless = noLlmKey(llm);
  return [
    ...(gkeExecutorApiUrl.startsWith('http:')
      ? [
          `the GKE executor speaks plain http to ${gkeExecutorApiUrl} (GKE_EXECUTOR_API_URL): its token crosses the cluster network unencrypted`,
        ]
      : []),
    ...(keyless === undefined
      ? []
      : [`${keyless}: no agent can answer, so 4.2, 4.3 and criteria 10 and 11 stay unproven`]),
    ...(tls.issuer === 'staging' && !tls.caFile
      ? ['TLS_ISSUER=staging without TLS_CA_FILE: executors do not trust the staging certificate and will not connect']
      : []),
  ];
}
