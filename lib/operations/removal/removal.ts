/** Undoes steps as the graph of their needs, reversed: each as soon as all that build on it are undone. */
import type { Context } from '../../context.ts';
import { explain } from '../../base/failure.ts';
import type { Journal } from '../../runner/journal.ts';
import { moveTo, visitOnce, waitingRows, type Row, type State, type Watcher } from '../../runner/rows.ts';
import { byId, type ChangeStep, type Removal } from '../../step.ts';

/**
 * Undoes all the steps. What a failed one builds on is left alone: an address is not released under a load balancer.
 * Only phase 3 holds nothing of the other phases: a remote cluster that is gone stops nothing in GKE.
 * @returns one Row a step, in the order of undoing; never throws for a step's failure
 */
export async function undoSteps(
  steps: readonly ChangeStep[],
  ctx: Context,
  removal: Removal,
  journal: Journal,
  watcher: Watcher,
): Promise<Row[]> {
  const rows = waitingRows([...steps].sort((a, b) => byId(b, a)));
  const end = visitOnce(steps, (step) => undoOne(step));

  const undoOne = async (step: ChangeStep): Promise<boolean> => {
    const row = rows.find((r) => r.id === step.id);
    if (!row) throw new Error(`no row for ${step.id}`);
    const set = (state: State, reason = ''): void => {
      moveTo(row, state, reason, ctx.clock);
      journal({ event: 'undo', step: step.id, state, reason });
      watcher.changed(row, rows);
    };
    const builtOnIt = steps.filter((s) => [...s.needs, ...(s.needsToVerify ?? [])].includes(step.id));
    const ended = await Promise.all(builtOnIt.map((s) => end(s.id)));
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
            row.reason = text;
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

  await Promise.all(steps.map((s) => end(s.id)));
  return rows;
}
