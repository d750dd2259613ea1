/** Looks at every step at once and changes nothing: what a run would create, change or leave alone, each with its reason. */
import { STEP } from '../base/plan-steps.ts';
import { deployedFacts, type Fact } from '../deployment/kubently/deployed.ts';
import { withReadCache, type Context } from '../context.ts';
import { firstLine } from '../base/failure.ts';
import { knownFit } from '../deployment/release/fitted.ts';
import { gkeRelease, remoteRelease } from '../deployment/release/release.ts';
import type { Session } from './session.ts';
import { STATUS } from '../base/exit-status.ts';
import type { Check, Step, StepId } from '../step.ts';

/** A step as it was found. `proof`: proven by running it. `failed`: it could not be looked at. */
export interface Looked {
  id: StepId;
  title: string;
  state: Check['state'] | 'proof' | 'failed';
  reason: string;
  /** Field by field, where it differs. */
  lines: string[];
  /** The step after which more is known. */
  after?: StepId;
  /** The way out of a conflict. */
  next?: string;
}

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
  const [rows, extras, facts] = await Promise.all([
    lookAtSteps(steps, catalogue, seeing),
    kind === 'plan' ? extraLines(steps, seeing) : [],
    kind === 'status' ? deployedFacts(cached) : [],
  ]);
  for (const { id, state, reason } of rows) journal({ event: kind, step: id, state, reason });
  const status = statusOf(rows);
  const verdict = kind === 'plan' ? planVerdict(rows) : statusVerdict(rows);
  if (json) {
    const facts_ = kind === 'status' ? { deployed: facts } : { extras };
    process.stdout.write(`${JSON.stringify({ kind, status, verdict, steps: rows, ...facts_ }, null, 2)}\n`);
    return status;
  }
  const { chalk } = out;
  for (const row of rows) {
    const word = kind === 'plan' ? planWord(row) : row.state;
    out.line(`${mark(row, chalk)} ${row.id} ${row.title.padEnd(46)} ${word.padEnd(9)} ${chalk.gray(row.reason)}`);
    const lines = row.lines.length > 1 || row.lines[0] !== row.reason ? row.lines : [];
    for (const line of lines.slice(0, SHOWN_LINES)) out.line(chalk.gray(`        ${line}`));
    if (lines.length > SHOWN_LINES) out.line(chalk.gray(`        and ${lines.length - SHOWN_LINES} more (--json)`));
    if (row.next !== undefined) out.line(`        a run would stop here; next: ${row.next}`);
    for (const { says } of extras.filter((a) => a.step === row.id))
      out.line(chalk.gray(`        beside the chart: ${says}`));
  }
  for (const fact of facts) out.line(factLine(fact, chalk));
  out.line(verdict);
  return status;
}

/** Every step's check at once; one that cannot be read before a step that it needs is unknown, not an error. */
export async function lookAtSteps(steps: readonly Step[], catalogue: readonly Step[], ctx: Context): Promise<Looked[]> {
  const known = new Map<StepId, Promise<Looked>>();
  const at = (id: StepId): Promise<Looked> => {
    const step = catalogue.find((s) => s.id === id);
    if (!step) throw new Error(`no step ${id}`);
    const looked = known.get(id) ?? lookAt(step);
    known.set(id, looked);
    return looked;
  };
  const lookAt = async (step: Step): Promise<Looked> => {
    const { id, title } = step;
    if (step.kind === 'proof') return { id, title, state: 'proof', reason: 'proven by running it', lines: [] };
    try {
      return { id, title, ...asFound(await step.check(ctx)) };
    } catch (error) {
      const reason = firstLine(error);
      const unmet = (await Promise.all(step.needs.map(at))).find((n) => isOpen(n.state));
      return unmet
        ? {
            id,
            title,
            state: 'unknown',
            reason: `known after ${unmet.id} (now: ${reason})`,
            lines: [],
            after: unmet.id,
          }
        : { id, title, state: 'failed', reason, lines: [] };
    }
  };
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

function asFound(check: Check): Pick<Looked, 'state' | 'reason' | 'lines' | 'after' | 'next'> {
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

function isOpen(state: Looked['state']): boolean {
  return state === 'absent' || state === 'differs' || state === 'conflict' || state === 'unknown';
}

function statusOf(rows: readonly Looked[]): number {
  if (rows.some((r) => r.state === 'failed')) return STATUS.failed;
  return rows.some((r) => isOpen(r.state)) ? STATUS.somethingToDo : STATUS.done;
}

function statusVerdict(rows: readonly Looked[]): string {
  const open = rows.filter((r) => r.state !== 'done' && r.state !== 'proof');
  return open.length === 0
    ? 'everything matches the configuration'
    : `${open.length} to do: ${open.map((r) => r.id).join(', ')}`;
}

function planVerdict(rows: readonly Looked[]): string {
  const words = rows.map((r) => (r.state === 'unknown' ? 'known later' : planWord(r)));
  const counts = [...new Set(words)].map((word) => `${words.filter((w) => w === word).length} ${word}`);
  return `plan: ${counts.join(', ')}; nothing was changed`;
}

/** What a run would do with the step, in a word or two. */
function planWord({ state, after }: Looked): string {
  switch (state) {
    case 'done':
      return 'leave';
    case 'absent':
      return 'create';
    case 'differs':
      return 'change';
    case 'conflict':
      return 'conflict';
    case 'unknown':
      return `after ${after ?? ''}`;
    case 'proof':
      return 'prove';
    case 'failed':
      return 'failed';
  }
}

type Chalk = Session['out']['chalk'];

function mark({ state }: Looked, chalk: Chalk): string {
  switch (state) {
    case 'done':
      return chalk.green('✓');
    case 'absent':
      return chalk.cyan('+');
    case 'differs':
      return chalk.yellow('~');
    case 'conflict':
      return chalk.red('!');
    case 'unknown':
      return chalk.gray('?');
    case 'failed':
      return chalk.red('✗');
    case 'proof':
      return chalk.gray('·');
  }
}

function factLine({ about, grade, says }: Fact, chalk: Chalk): string {
  const marks = { fine: chalk.green('✓'), warning: chalk.yellow('!'), unknown: chalk.gray('?') };
  return `${marks[grade]} ${about.padEnd(24)} ${grade === 'warning' ? `warning: ${says}` : says}`;
}
