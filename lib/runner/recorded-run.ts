/** A command's run in the journal, from its start to its end. */
import { BadInput } from '../base/failure.ts';
import { STATUS } from '../base/exit-status.ts';
import { Declined } from './confirm.ts';
import { Locked } from './lock.ts';
import type { Journal } from './journal.ts';
import { Stopped } from './stop.ts';

/**
 * Journals a command from its start to its end, whichever that is.
 * @returns the work's exit status; throws what it throws
 */
export async function recordedRun(journal: Journal, what: string, work: () => Promise<number>): Promise<number> {
  const began = Date.now();
  const end = (state: string, reason?: string): void =>
    journal({ event: 'run', what, state, durationMs: Date.now() - began, ...(reason ? { reason } : {}) });
  journal({ event: 'run', what, state: 'started' });
  try {
    const status = await work();
    end(ENDINGS[status] ?? 'stopped');
    return status;
  } catch (error) {
    end(endingOf(error), (error instanceof Error ? error.message : String(error)).replaceAll('\n', '; '));
    throw error;
  }
}

const ENDINGS: Record<number, string> = {
  [STATUS.done]: 'done',
  [STATUS.failed]: 'failed',
  [STATUS.badInput]: 'refused',
  [STATUS.somethingToDo]: 'something to do',
  [STATUS.unproven]: 'unproven',
  [STATUS.locked]: 'locked',
};

function endingOf(error: unknown): string {
  if (error instanceof BadInput) return 'refused';
  if (error instanceof Locked) return 'locked';
  if (error instanceof Declined) return 'declined';
  return error instanceof Stopped ? 'stopped' : 'failed';
}
