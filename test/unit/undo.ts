/** Undoes one step as a removal does. */
import type { Context } from '../../lib/context.ts';
import { ownedBy } from '../../lib/deployment/ownership/ownership.ts';
import { STEPS } from '../../scripts/steps.ts';
import type { Part, Removal, Step } from '../../lib/step.ts';

/** What a removal of the whole plan knows. */
export function removalOf(ctx: Context, retained: Removal['retained'] = new Map()): Removal {
  return { retained, owned: ownedBy(STEPS, ctx) };
}

/** @throws Error for a step that has no undo */
export async function undo(step: Step, ctx: Context, retained: ReadonlyMap<Part, string> = new Map()): Promise<void> {
  if (step.kind === 'proof' || typeof step.undo !== 'function') throw new Error(`${step.id} has no undo`);
  await step.undo(ctx, removalOf(ctx, retained));
}
