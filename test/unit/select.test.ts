import { expect, test } from 'vitest';
import { BadInput } from '../../lib/base/failure.ts';
import { select, type Selection } from '../../lib/runner/select.ts';
import { byId, type StepId } from '../../lib/step.ts';
import { PRODUCTION_STEPS, STEPS, stepsFor } from '../../scripts/steps.ts';

const ids = (what: string, flags: Selection = {}): string =>
  select(STEPS, what, flags)
    .map((s) => s.id)
    .join(' ');

test.each<[string, Selection, string]>([
  ['2.3', {}, '2.3'],
  ['phase1', {}, '1.0 1.1 1.2 1.3 1.4'],
  ['phase3', {}, '3.1 3.2'],
  ['phase2', { from: '2.6' }, '2.6 2.7 2.8'],
  ['deploy', { from: '2.7', until: '3.1' }, '2.7 2.8 3.1'],
  ['deploy', { only: '2.3, 1.0' }, '1.0 2.3'],
  ['deploy', { from: '4.3' }, '4.3'],
])('%s %j', (what, flags, expected) => {
  expect(ids(what, flags)).toBe(expected);
});

test('deploy is every step', () => {
  expect(select(STEPS, 'deploy', {})).toHaveLength(STEPS.length);
});

test.each<[string, Selection, string]>([
  ['9.9', {}, '9.9: unknown step'],
  ['phase5', {}, 'phase5: has no step with these settings'],
  ['phase6', {}, 'phase6: unknown step'],
  ['5.0', {}, '5.0: unknown step'],
  ['deploy', { from: '2' }, 'FROM: unknown step "2"'],
  ['deploy', { only: '1.0,x' }, 'ONLY: unknown step "x"'],
  ['phase1', { only: '2.3' }, 'phase1: FROM, UNTIL and ONLY leave no step'],
  ['deploy', { from: '3.1', until: '1.1' }, 'FROM 3.1 comes after UNTIL 1.1'],
  ['phase1', { from: '2.5', until: '2.3' }, 'FROM 2.5 comes after UNTIL 2.3'],
])('refused: %s %j', (what, flags, message) => {
  expect(() => ids(what, flags)).toThrow(BadInput);
  expect(() => ids(what, flags)).toThrow(message);
});

test('phase 5 belongs to the profile of production alone', () => {
  expect(stepsFor({ profile: 'staging' })).toBe(STEPS);
  const production = stepsFor({ profile: 'production' });
  expect(production).toEqual([...STEPS, ...PRODUCTION_STEPS]);
  expect(select(production, 'deploy', {})).toHaveLength(production.length);
  expect(select(production, 'phase5', {}).map((s) => s.id)).toEqual(PRODUCTION_STEPS.map((s) => s.id));
  expect(PRODUCTION_STEPS.every((s) => s.id.startsWith('5.'))).toBe(true);
});

test('numbers sort as numbers', () => {
  const steps = (['2.10', '2.9', '10.0', '1.4'] satisfies StepId[]).map((id) => ({ id }));
  expect(steps.sort(byId).map((s) => s.id)).toEqual(['1.4', '2.9', '2.10', '10.0']);
});

const ALL = stepsFor({ profile: 'production' });

test('every need is a step of the plan, and none waits for itself', () => {
  const all = new Set(ALL.map((s) => s.id));
  for (const { id, needs, needsToVerify = [] } of ALL)
    for (const need of [...needs, ...needsToVerify])
      expect(all.has(need) && need !== id, `${id} needs ${need}`).toBe(true);
});

test('the graph has an order: no circle', () => {
  const done = new Set<StepId>();
  for (let before = -1; before !== done.size;) {
    before = done.size;
    for (const s of ALL) if ([...s.needs, ...(s.needsToVerify ?? [])].every((n) => done.has(n))) done.add(s.id);
  }
  expect(done.size).toBe(ALL.length);
});
