/** Undoes one step as a removal does. */
import { Failure } from '../../lib/base/failure.ts';
import type { Context } from '../../lib/context.ts';
import { ownedBy } from '../../lib/deployment/ownership/ownership.ts';
import { STEPS } from '../../scripts/steps.ts';
import { absent, type ChangeStep, type Part, type Removal, type Step, type StepId } from '../../lib/step.ts';

/** What a removal of the whole plan knows. */
export function removalOf(ctx: Context, retained: Removal['retained'] = new Map()): Removal {
  return { retained, owned: ownedBy(STEPS, ctx) };
}

/** @throws Error for a step that has no undo */
export async function undo(step: Step, ctx: Context, retained: ReadonlyMap<Part, string> = new Map()): Promise<void> {
  if (step.kind === 'proof' || typeof step.undo !== 'function') throw new Error(`${step.id} has no undo`);
  await step.undo(ctx, removalOf(ctx, retained));
}

/** Steps that log when they are undone; those that are failing will not go. */
export function steps(log: string[], failing: readonly StepId[] = []) {
  return (id: StepId, needs: StepId[] = [], needsToVerify: StepId[] = []): ChangeStep => ({
    id,
    kind: 'change',
    title: id,
    needs,
    needsToVerify,
    check: () => Promise.resolve(absent('')),
    apply: () => Promise.resolve(),
    verify: () => Promise.resolve(''),
    owns: () => ({}),
    undo: () => {
      log.push(id);
      return failing.includes(id) ? Promise.reject(new Failure({ what: `${id} will not go` })) : Promise.resolve();
    },
  });
}
