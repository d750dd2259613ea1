/** Undoes steps as the graph of their needs, reversed: each as soon as all that build on it are undone. */
import type { Context } from '../../context.ts';
import { explain } from '../../base/failure.ts';
import type { Journal } from '../../runner/journal.ts';
import { ENDED, type Progress, type State, type Watcher } from '../../runner/run.ts';
import { byId, type ChangeStep, type Removal, type StepId } from '../../step.ts';

/**
 * Undoes all the steps. What a failed one builds on is left alone: an address is not released under a load balancer.
 * Only phase 3 holds nothing of the other phases: a remote cluster that is gone stops nothing in GKE.
 * @returns one Progress a step, in the order of undoing; never throws for a step's failure
 */
export async function undoSteps(
  steps: readonly ChangeStep[],
  ctx: Context,
  removal: Removal,
  journal: Journal,
  watcher: Watcher,
): Promise<Progress[]> {
  const rows = [...steps]
    .sort((a, b) => byId(b, a))
    .map(({ id, title }): Progress => ({
      id,
      title,
      state: 'waiting',
      note: '',
      startedAt: undefined,
      endedAt: undefined,
    }));
  const ends = new Map<StepId, Promise<boolean>>();

  const end = (step: ChangeStep): Promise<boolean> => {
    const known = ends.get(step.id);
    if (known) return known;
    const made = undoOne(step);
    ends.set(step.id, made);
    return made;
  };

  const undoOne = async (step: ChangeStep): Promise<boolean> => {
    const row = rows.find((r) => r.id === step.id);
    if (!row) throw new Error(`no row for ${step.id}`);
    const set = (state: State, note = ''): void => {
      row.state = state;
      row.note = note;
      row.startedAt ??= ctx.clock.now();
      if (ENDED.has(state)) row.endedAt = ctx.clock.now();
      journal({ event: 'undo', step: step.id, state, reason: note });
      watcher.changed(row, rows);
    };
    const builtOnIt = steps.filter((s) => [...s.needs, ...(s.needsToVerify ?? [])].includes(step.id));
    const ended = await Promise.all(builtOnIt.map(end));
    const standing = builtOnIt.filter((s, i) => !ended[i] && !s.id.startsWith('3.')).map((s) => s.id);
    if (standing.length > 0) {
      set('blocked', `${standing.join(', ')} builds on it and still stands`);
      return false;
    }
    if (typeof step.undo !== 'function') {
      set('kept', step.undo.none);
      return true;
    }
    set('undoing');
    try {
      await step.undo(
        {
          ...ctx,
          note: (text) => {
            row.note = text;
            watcher.changed(row, rows);
          },
        },
        removal,
      );
      set('removed');
      return true;
    } catch (error) {
      row.error = error;
      set('failed', explain(error).split('\n')[0]);
      return false;
    }
  };

  await Promise.all(steps.map(end));
  return rows;
}
