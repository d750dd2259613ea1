/** The order in which a removal undoes steps, and what a failure leaves. */
import { expect, test } from 'vitest';
import { undoSteps } from '../../lib/operations/removal/removal.ts';
import type { ChangeStep } from '../../lib/step.ts';
import { contextOf, fakeOutside } from './outside.ts';
import { steps } from './undo.ts';

async function undo(all: ChangeStep[]) {
  const rows = await undoSteps(all, contextOf(fakeOutside({})), { retained: new Map(), owned: [] }, () => undefined, {
    changed: () => undefined,
  });
  return Object.fromEntries(rows.map((r) => [r.id, r.state]));
}

test('steps are undone after all that need them, also those that need them only to verify', async () => {
  const log: string[] = [];
  const step = steps(log);
  await undo([step('1.0'), step('1.3', ['1.0']), step('2.5'), step('2.6', [], ['1.3', '2.5']), step('3.2', ['2.6'])]);
  expect(log.slice(0, 2)).toEqual(['3.2', '2.6']);
  expect(log.indexOf('1.3')).toBeLessThan(log.indexOf('1.0'));
  expect(log).toHaveLength(5);
});

test('what a failed step builds on is left; a failed remote stops nothing', async () => {
  const log: string[] = [];
  const step = steps(log, ['1.3', '3.2']);
  expect(await undo([step('1.0'), step('1.3', ['1.0']), step('2.6', ['1.3']), step('3.2', ['2.6'])])).toEqual({
    '3.2': 'failed',
    '2.6': 'removed',
    '1.3': 'failed',
    '1.0': 'blocked',
  });
});
