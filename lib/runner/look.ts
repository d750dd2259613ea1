/** Looks at every step at once and changes nothing: what a run would create, change or leave alone, each with its reason. */
import { STEP } from '../base/plan-steps.ts';
import { deployedFacts, type DeployedFact } from '../deployment/kubently/deployed.ts';
import { withReadCache, type Context } from '../context.ts';
import { firstLine, type Problem } from '../base/failure.ts';
import { withSettingsFile } from '../base/next-command.ts';
import { oneLine } from '../base/say.ts';
import { printJson } from '../base/json-document.ts';
import { knownFit } from '../deployment/release/fitted.ts';
import { gkeRelease, remoteRelease } from '../deployment/release/release.ts';
import { unreached } from './preflight.ts';
import { mark, visitOnce, type Row } from './rows.ts';
import type { Session } from './session.ts';
import { STATUS } from '../base/exit-status.ts';
import type { Check, Step, StepId } from '../step.ts';

/** What the runbook does beside a step's release, a line each. */
export interface ExtraLine {
  step: StepId;
  says: string;
}

export interface View {
  kind: 'plan' | 'status';
  steps: readonly Step[];
  /** All steps of the plan: what a step needs may lie outside the choice. */
  catalogue: readonly Step[];
  /** One JSON document instead of lines. */
  json: boolean;
}

const SHOWN_LINES = 40;

/** Shows the view. @returns the exit status: 0 all match the configuration, 1 a step could not be looked at, 3 something is to do */
export async function look(
  { ctx, out, journal }: Pick<Session, 'ctx' | 'out' | 'journal'>,
  { kind, steps, catalogue, json }: View,
): Promise<number> {
  const cached = withReadCache(ctx);
  const seeing: Context = kind === 'plan' ? { ...cached, plannedFits: new Map() } : cached;
  const [found, extras, facts] = await Promise.all([
    lookAtSteps(steps, catalogue, seeing),
    kind === 'plan' ? extraLines(steps, seeing) : [],
    // They are about the whole deployment.
    kind === 'status' && steps.length === catalogue.length ? deployedFacts(cached) : [],
  ]);
  const causes = found.some((r) => r.state === 'failed') ? await unreached(cached) : [];
  const rows = causes.length === 0 ? found : found.map((r) => withCause(r, causes));
  for (const { id, state, reason } of rows) journal({ event: kind, step: id, state, reason });
  const status = statusOf(rows);
  const verdict = kind === 'plan' ? planVerdict(rows) : statusVerdict(rows);
  if (json) {
    const facts_ = kind === 'status' ? { deployed: facts } : { extras };
    printJson(kind, { status, verdict, causes, steps: rows, ...facts_ });
    return status;
  }
  const { chalk } = out;
  for (const row of rows) {
    const { state, reason, lines: all = [] } = row;
    out.line(
      `${mark(state, chalk)} ${row.id} ${row.title.padEnd(46)} ${state.padEnd(9)} ${chalk.gray(oneLine(reason))}`,
    );
    const lines = all.length > 1 || all[0] !== reason ? all : [];
    for (const line of lines.slice(0, SHOWN_LINES)) out.line(chalk.gray(`        ${line}`));
    if (lines.length > SHOWN_LINES) out.line(chalk.gray(`        and ${lines.length - SHOWN_LINES} more (--json)`));
    if (row.next !== undefined)
      out.line(`        a run would stop here; next: ${withSettingsFile(row.next, ctx.settings.file)}`);
    for (const { says } of extras.filter((a) => a.step === row.id))
      out.line(chalk.gray(`        beside the chart: ${says}`));
  }
  // Facts are read from the same clusters.
  for (const fact of causes.length === 0 ? facts : []) out.line(factLine(fact, chalk));
  for (const { about, message, remedy } of causes)
    out.line(`${chalk.red('✗')} ${about}: ${message}\n      ${withSettingsFile(remedy, ctx.settings.file)}`);
  out.line(verdict);
  return status;
}

/** Every step's check at once; one that cannot be read before a step that it needs is unknown, not an error. */
export async function lookAtSteps(steps: readonly Step[], catalogue: readonly Step[], ctx: Context): Promise<Row[]> {
  const at = visitOnce(catalogue, async (step): Promise<Row> => {
    const { id, title } = step;
    if (step.kind === 'proof') return { id, title, state: 'unproven', reason: 'proven by running it', lines: [] };
    try {
      return { id, title, ...asFound(await step.check(ctx)) };
    } catch (error) {
      const reason = firstLine(error);
      const unmet = (await Promise.all(step.needs.map(at))).find((n) => isOpen(n.state));
      if (!unmet) return { id, title, state: 'failed', reason, lines: [] };
      const known = `known after ${unmet.id} (now: ${reason})`;
      return { id, title, state: 'unknown', reason: known, lines: [], after: unmet.id };
    }
  });
  return Promise.all(steps.map((s) => at(s.id)));
}

/** What the runbook does around the chart of each release among the steps; none where the chart cannot be fitted. */
export async function extraLines(steps: readonly Step[], ctx: Context): Promise<ExtraLine[]> {
  const has = (id: StepId): boolean => steps.some((s) => s.id === id);
  const targeted = [
    ...(has(STEP.release) ? [gkeRelease(ctx).then((p) => ({ step: STEP.release, p }))] : []),
    ...(has(STEP.remoteRelease)
      ? ctx.settings.remotes.map((r) => remoteRelease(ctx, r).then((p) => ({ step: STEP.remoteRelease, p })))
      : []),
  ];
  const lines = await Promise.all(
    targeted.map(async (made): Promise<ExtraLine[]> => {
      const { step, p } = await made;
      return ((await knownFit(ctx, p))?.extras ?? []).map(({ says }) => ({ step, says }));
    }),
    // Why it cannot be fitted is told by the step itself.
  ).catch(() => []);
  return lines.flat();
}

function asFound(check: Check): Omit<Row, 'id' | 'title'> {
  const { state, reason } = check;
  switch (check.state) {
    case 'done':
    case 'absent':
      return { state, reason, lines: [] };
    case 'unknown':
      return { state, reason, lines: [], after: check.after };
    case 'differs':
      return { state, reason, lines: check.lines ?? [] };
    case 'conflict':
      return { state, reason, lines: [], next: check.next };
  }
}

function isOpen(state: Row['state']): boolean {
  return state === 'absent' || state === 'differs' || state === 'conflict' || state === 'unknown';
}

function statusOf(rows: readonly Row[]): number {
  if (rows.some((r) => r.state === 'failed')) return STATUS.failed;
  return rows.some((r) => isOpen(r.state)) ? STATUS.somethingToDo : STATUS.done;
}

/** A step that could not be read because a cluster or the project cannot be. */
function withCause(row: Row, causes: readonly Problem[]): Row {
  const about = [...new Set(causes.map((c) => c.about))].join(', ');
  return row.state === 'failed' ? { ...row, reason: `could not be looked at: ${about}, below`, lines: [] } : row;
}

function statusVerdict(rows: readonly Row[]): string {
  const told = (what: string, is: (state: Row['state']) => boolean): string[] => {
    const ids = rows.filter((r) => is(r.state)).map((r) => r.id);
    return ids.length === 0 ? [] : [`${ids.length} ${what}: ${ids.join(', ')}`];
  };
  const parts = [
    ...told('to do', (s) => isOpen(s) && s !== 'unknown'),
    ...told('known later', (s) => s === 'unknown'),
    ...told('could not be looked at', (s) => s === 'failed'),
  ];
  return parts.length === 0 ? 'everything matches the configuration' : parts.join('; ');
}

function planVerdict(rows: readonly Row[]): string {
  const counts = [...Map.groupBy(rows, (r) => r.state)].map(([state, same]) => `${same.length} ${state}`);
  return `plan: ${counts.join(', ')}; nothing was changed`;
}

type Chalk = Session['out']['chalk'];

function factLine({ about, grade, says }: DeployedFact, chalk: Chalk): string {
  const marks = { fine: chalk.green('✓'), warning: chalk.yellow('!'), unknown: chalk.gray('?') };
  return `${marks[grade]} ${about.padEnd(24)} ${grade === 'warning' ? `warning: ${says}` : says}`;
}
