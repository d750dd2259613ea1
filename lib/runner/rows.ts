/** A step as plan, status, run and removal show it: one row, one set of states and marks, one walk over the steps. */
import type { ChalkInstance } from 'chalk';
import type { Clock } from '../base/clock.ts';
import type { Check, Step, StepId } from '../step.ts';

export type State =
  /** As its check finds it: done, absent, differs, conflict, unknown. */
  | Check['state']
  | 'waiting'
  | 'checking'
  | 'applying'
  | 'verifying'
  | 'undoing'
  /** A run found it done. */
  | 'unchanged'
  | 'proven'
  /** Not shown: nobody asked for the proof, or it cannot be shown here. */
  | 'unproven'
  | 'removed'
  /** It has no undo, on purpose. */
  | 'kept'
  /** Ended badly: by itself, or because a step that it needs did. */
  | 'failed'
  | 'blocked'
  /** Ended with the run: a signal, or the lock was lost. */
  | 'stopped';

export interface Row {
  id: StepId;
  title: string;
  state: State;
  /** What was found, what it waits for, or why it ended so. */
  reason: string;
  /** Field by field, where it differs. */
  lines?: string[];
  /** The step after which more is known. */
  after?: StepId;
  /** The way out of a conflict. */
  next?: string;
  /** ms of the clock. */
  startedAt?: number;
  endedAt?: number;
  error?: unknown;
}

const AT_WORK: ReadonlySet<State> = new Set(['waiting', 'checking', 'applying', 'verifying', 'undoing']);

export interface Watcher {
  /** Called on each change of state or reason. */
  changed: (row: Row, all: readonly Row[]) => void;
}

/** True for a state that a run or a removal leaves no more. */
export function isEnded(state: State): boolean {
  return !AT_WORK.has(state);
}

/** A row of each step, in this order. */
export function waitingRows(steps: readonly Pick<Step, 'id' | 'title'>[]): Row[] {
  return steps.map(({ id, title }) => ({ id, title, state: 'waiting', reason: '' }));
}

/** Takes the row into the state, with its time. */
export function moveTo(row: Row, state: State, reason: string, clock: Clock): void {
  row.state = state;
  row.reason = reason;
  if (state !== 'waiting') row.startedAt ??= clock.now();
  if (isEnded(state)) row.endedAt = clock.now();
}

/** Visits each step once, however many others ask for it. @throws Error for a step that is not in the catalogue */
export function visitOnce<S extends Step, T>(
  catalogue: readonly S[],
  visit: (step: S) => Promise<T>,
): (id: StepId) => Promise<T> {
  const visits = new Map<StepId, Promise<T>>();
  return (id) => {
    const known = visits.get(id);
    if (known) return known;
    const step = catalogue.find((s) => s.id === id);
    if (!step) throw new Error(`no step ${id}`);
    const made = visit(step);
    visits.set(id, made);
    return made;
  };
}

/** Marks and colours of the states. */
export function mark(state: State, chalk: ChalkInstance): string {
  switch (state) {
    case 'waiting':
      return chalk.gray('·');
    case 'checking':
    case 'applying':
    case 'verifying':
    case 'undoing':
      return chalk.cyan('▸');
    case 'done':
    case 'unchanged':
    case 'proven':
    case 'removed':
    case 'kept':
      return chalk.green('✓');
    case 'absent':
      return chalk.cyan('+');
    case 'differs':
      return chalk.yellow('~');
    case 'conflict':
      return chalk.red('!');
    case 'unknown':
    case 'unproven':
      return chalk.yellow('?');
    case 'failed':
      return chalk.red('✗');
    case 'blocked':
      return chalk.yellow('-');
    case 'stopped':
      return chalk.yellow('■');
  }
}
