/** Runs steps as one graph: each as soon as what it needs is done; those that do not need each other at once. */
import type { Context } from '../context.ts';
import { Failure, firstLine } from '../base/failure.ts';
import { listening } from '../base/telling.ts';
import type { Journal } from './journal.ts';
import { stepAtWork } from './journal-changes.ts';
import { isEnded, moveTo, visitOnce, waitingRows, type Row, type State, type Watcher } from './rows.ts';
import { Stopped } from './stop.ts';
import { byId, type ChangeStep, type Check, type Step, type StepId } from '../step.ts';

/**
 * Runs the chosen steps. Needs outside the choice are only checked.
 * @param catalogue all steps of the plan
 * @returns one Row a chosen step, in the plan's order; never throws for a step's failure
 */
export async function runSteps(
  chosen: readonly Step[],
  catalogue: readonly Step[],
  ctx: Context,
  journal: Journal,
  watcher: Watcher,
): Promise<Row[]> {
  const steps = [...chosen].sort(byId);
  const all = waitingRows(steps);
  const rows = new Map(all.map((row) => [row.id, row]));

  /** True once the step is done, run here or found done by its check. */
  const end = visitOnce(catalogue, (step): Promise<boolean> => {
    const row = rows.get(step.id);
    return row
      ? stepAtWork.run(step.id, () => listening.run(noteOf(row), () => runOne(step, row)))
      : isDoneAlready(step, ctx, journal);
  });

  const unmet = async (ids: readonly StepId[]): Promise<StepId[]> => {
    const met = await Promise.all(ids.map(end));
    return ids.filter((_, i) => !met[i]);
  };

  // All steps are looked at at once. What was seen holds until the run changes something, since it has the lock.
  let changed = false;
  const noteOf =
    (row: Row) =>
    (text: string): void => {
      row.reason = text;
      watcher.changed(row, all);
    };
  const look = async (step: Step): Promise<Check | undefined> => {
    const row = rows.get(step.id);
    if (step.kind !== 'change' || !row) return undefined;
    return listening.run(noteOf(row), () => step.check(ctx).catch(() => undefined));
  };
  const seen = new Map(steps.map((step) => [step.id, look(step)]));
  const asSeen = async (step: ChangeStep, own: Context): Promise<Check> =>
    (changed ? undefined : await seen.get(step.id)) ?? step.check(own);

  const runOne = async (step: Step, row: Row): Promise<boolean> => {
    const set = (state: State, reason = ''): void => {
      moveTo(row, state, reason, ctx.clock);
      const durationMs =
        row.endedAt !== undefined && row.startedAt !== undefined ? { durationMs: row.endedAt - row.startedAt } : {};
      journal({ event: 'step', step: step.id, state, reason, ...durationMs });
      watcher.changed(row, all);
    };
    const own: Context = {
      ...ctx,
      note: noteOf(row),
      remark: (text) => {
        own.note(text);
        journal({ event: 'remark', step: step.id, reason: text });
      },
    };
    const waitFor = async (ids: readonly StepId[]): Promise<void> => {
      const waiting = ids.filter((id) => !isEnded(rows.get(id)?.state ?? 'done'));
      if (waiting.length > 0) own.note(`needs ${waiting.join(', ')}`);
      const missing = await unmet(ids);
      if (missing.length > 0) throw new Blocked(missing);
    };
    try {
      await waitFor(step.needs);
      const ended =
        step.kind === 'proof'
          ? await prove(step, own, set, waitFor)
          : await change(step, own, set, waitFor, asSeen, () => (changed = true));
      set(ended.state, ended.reason);
      return true;
    } catch (error) {
      row.error = error;
      set(badEnd(error), firstLine(error));
      return false;
    }
  };

  await Promise.all(steps.map((s) => end(s.id)));
  return all;
}

type Set_ = (state: State, reason?: string) => void;
type WaitFor = (ids: readonly StepId[]) => Promise<void>;

async function prove(
  step: Step & { kind: 'proof' },
  ctx: Context,
  set: Set_,
  waitFor: WaitFor,
): Promise<Pick<Row, 'state' | 'reason'>> {
  await step.prepare?.(ctx);
  await waitFor(step.needsToVerify ?? []);
  set('verifying');
  const proof = await step.prove(ctx);
  return { state: proof.state, reason: proof.state === 'proven' ? proof.evidence : proof.reason };
}

async function change(
  step: ChangeStep,
  ctx: Context,
  set: Set_,
  waitFor: WaitFor,
  check: (step: ChangeStep, ctx: Context) => Promise<Check>,
  willChange: () => void,
): Promise<Pick<Row, 'state' | 'reason'>> {
  set('checking');
  const found = await check(step, ctx);
  if (found.state !== 'done') {
    if (found.state === 'conflict') {
      throw new Failure({
        what: `${step.id}: what is there conflicts with the configuration and was left alone`,
        found: found.reason,
        next: found.next,
      });
    }
    willChange();
    set('applying', found.reason);
    await step.apply(ctx);
  }
  await waitFor(step.needsToVerify ?? []);
  set('verifying');
  const evidence = await step.verify(ctx);
  return found.state === 'done' ? { state: 'unchanged', reason: found.reason } : { state: 'done', reason: evidence };
}

/** A need that is not part of this run: its check alone decides. */
async function isDoneAlready(step: Step, ctx: Context, journal: Journal): Promise<boolean> {
  if (step.kind === 'proof') return true;
  const found: Check = await step
    .check(ctx)
    .catch((error: unknown): Check => ({ state: 'absent', reason: firstLine(error) }));
  journal({ event: 'need', step: step.id, state: found.state, reason: found.reason });
  return found.state === 'done';
}

function badEnd(error: unknown): State {
  return error instanceof Blocked ? 'blocked' : error instanceof Stopped ? 'stopped' : 'failed';
}

class Blocked extends Error {
  constructor(ids: readonly StepId[]) {
    super(`needs ${ids.join(', ')}, which ${ids.length === 1 ? 'is' : 'are'} not done`);
  }
}
