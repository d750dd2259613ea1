import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Failure } from '../../lib/base/failure.ts';
import type { JournalEntry } from '../../lib/runner/journal.ts';
import { runSteps } from '../../lib/runner/run.ts';
import type { Row } from '../../lib/runner/rows.ts';
import {
  absent,
  conflict,
  done,
  proven,
  unproven,
  type ChangeStep,
  type Check,
  type ProofStep,
  type Step,
  type StepId,
} from '../../lib/step.ts';
import { contextOf, fakeOutside } from './outside.ts';

/** Steps that write down what is called. */
function plan() {
  const log: string[] = [];
  const change = (id: StepId, needs: StepId[] = [], more: Partial<ChangeStep> & { found?: Check } = {}): ChangeStep => {
    const called = (what: string) => {
      log.push(`${what} ${id}`);
      return new Promise<void>((go) => setImmediate(go));
    };
    return {
      id,
      kind: 'change',
      title: `step ${id}`,
      needs,
      check: () => called('check').then(() => more.found ?? absent('not there')),
      apply: () => called('apply'),
      verify: () => called('verify').then(() => `evidence ${id}`),
      owns: () => ({}),
      undo: () => called('undo'),
      ...more,
    };
  };
  return { log, change };
}

async function run(chosen: Step[], catalogue: Step[] = chosen) {
  const journal: JournalEntry[] = [];
  const seen: string[] = [];
  const rows = await runSteps(chosen, catalogue, contextOf(fakeOutside({})), (e) => void journal.push(e), {
    changed: (p: Row) => void seen.push(`${p.id} ${p.state}`),
  });
  return { rows, journal, seen, states: Object.fromEntries(rows.map((r) => [r.id, r.state])) };
}

test('each step runs after what it needs, whatever order they are given in', async () => {
  const { log, change } = plan();
  const { states, rows } = await run([change('1.2', ['1.1']), change('1.1', ['1.0']), change('1.0')]);
  // All are looked at first; after a change what was seen counts no more.
  const looks = ['check 1.0', 'check 1.1', 'check 1.2'];
  const work = ['1.0', '1.1', '1.2'].flatMap((id) => [`check ${id}`, `apply ${id}`, `verify ${id}`]);
  expect(log).toEqual([...looks, ...work.slice(1)]);
  expect(states).toEqual({ '1.0': 'done', '1.1': 'done', '1.2': 'done' });
  expect(rows.map((r) => r.reason)).toEqual(['evidence 1.0', 'evidence 1.1', 'evidence 1.2']);
});

test('steps that do not need each other run at once', async () => {
  const { log, change } = plan();
  await run([change('1.0'), change('1.1')]);
  expect(log.slice(0, 2)).toEqual(['check 1.0', 'check 1.1']);
});

test('a need that two share runs once', async () => {
  const { log, change } = plan();
  await run([change('1.0'), change('1.1', ['1.0']), change('1.2', ['1.0'])]);
  expect(log.filter((l) => l === 'apply 1.0')).toHaveLength(1);
});

test('what is as meant is verified, not applied, and told as unchanged', async () => {
  const { log, change } = plan();
  const { rows } = await run([change('1.0', [], { found: done('as meant') })]);
  expect(log).toEqual(['check 1.0', 'verify 1.0']);
  expect(rows[0]).toMatchObject({ state: 'unchanged', reason: 'as meant' });
});

test('with nothing to change each step is looked at once, all at the same moment', async () => {
  const { log, change } = plan();
  const found = done('as meant');
  const { states } = await run([change('1.0', [], { found }), change('1.1', ['1.0'], { found })]);
  expect(states).toEqual({ '1.0': 'unchanged', '1.1': 'unchanged' });
  expect(log).toEqual(['check 1.0', 'check 1.1', 'verify 1.0', 'verify 1.1']);
});

test('a look that failed is repeated when it is the step’s turn', async () => {
  let looks = 0;
  const check = (): Promise<Check> =>
    looks++ === 0 ? Promise.reject(new Error('not yet')) : Promise.resolve(done('there'));
  const { change } = plan();
  const { states } = await run([change('1.0', [], { check })]);
  expect(states).toEqual({ '1.0': 'unchanged' });
});

test('what must not be overwritten stops the step before apply', async () => {
  const { log, change } = plan();
  const { rows } = await run([change('1.0', [], { found: conflict('somebody else’s', 'decide') })]);
  expect(log).toEqual(['check 1.0']);
  expect(rows[0]).toMatchObject({ state: 'failed', error: { parts: { found: 'somebody else’s', next: 'decide' } } });
});

test('a need outside the choice is checked and never applied', async () => {
  const { log, change } = plan();
  const met = change('1.0', [], { found: done('there') });
  const chosen = change('1.1', ['1.0']);
  const { states, journal } = await run([chosen], [met, chosen]);
  expect(log.toSorted()).toEqual(['apply 1.1', 'check 1.0', 'check 1.1', 'verify 1.1']);
  expect(states).toEqual({ '1.1': 'done' });
  expect(journal).toContainEqual({ event: 'need', step: '1.0', state: 'done', reason: 'there' });
});

test('an unmet need outside the choice blocks, and says which', async () => {
  const { log, change } = plan();
  const broken = change('1.1', [], { check: () => Promise.reject(new Error('no answer')) });
  const chosen = change('1.2', ['1.0', '1.1']);
  const { rows } = await run([chosen], [change('1.0'), broken, chosen]);
  expect(rows[0]).toMatchObject({ state: 'blocked', reason: 'needs 1.0, 1.1, which are not done' });
  expect(log).toEqual(['check 1.2', 'check 1.0']);
});

test('a failed step blocks what needs it, and stops nothing else', async () => {
  const { log, change } = plan();
  const failing = change('1.0', [], { apply: () => Promise.reject(new Failure({ what: 'refused\nmore' })) });
  const { states, rows } = await run([failing, change('1.1', ['1.0']), change('1.2', ['1.1']), change('1.3')]);
  expect(states).toEqual({ '1.0': 'failed', '1.1': 'blocked', '1.2': 'blocked', '1.3': 'done' });
  expect(rows[0]?.reason).toBe('refused');
  expect(log).not.toContain('apply 1.1');
});

test('a failing verify is a failure', async () => {
  const { change } = plan();
  const { states } = await run([change('1.0', [], { verify: () => Promise.reject(new Error('not served')) })]);
  expect(states).toEqual({ '1.0': 'failed' });
});

test('needsToVerify does not hold apply back, only verify', async () => {
  const { log, change } = plan();
  await run([change('1.0', [], { needsToVerify: ['1.1'] }), change('1.1')]);
  expect(log.indexOf('apply 1.0')).toBeLessThan(log.indexOf('verify 1.1'));
  expect(log.indexOf('verify 1.0')).toBeGreaterThan(log.indexOf('verify 1.1'));
});

test('needsToVerify that fails blocks after the apply', async () => {
  const { log, change } = plan();
  const failing = change('1.1', [], { apply: () => Promise.reject(new Error('no')) });
  const { states } = await run([change('1.0', [], { needsToVerify: ['1.1'] }), failing]);
  expect(states).toEqual({ '1.0': 'blocked', '1.1': 'failed' });
  expect(log).toContain('apply 1.0');
  expect(log).not.toContain('verify 1.0');
});

test('a proof is proven, never unchanged', async () => {
  const proof: ProofStep = {
    id: '4.0',
    kind: 'proof',
    title: 'p',
    needs: [],
    prove: () => Promise.resolve(proven('seen')),
  };
  const { rows, seen } = await run([proof]);
  expect(rows[0]).toMatchObject({ state: 'proven', reason: 'seen' });
  expect(seen).toEqual(['4.0 verifying', '4.0 proven']);
});

test('a proof that could not be shown is unproven, and blocks nothing', async () => {
  const first: ProofStep = {
    id: '4.0',
    kind: 'proof',
    title: 'p',
    needs: [],
    prove: () => Promise.resolve(unproven('no key')),
  };
  const second: ProofStep = { ...first, id: '4.1', needs: ['4.0'], prove: () => Promise.resolve(proven('seen')) };
  const { rows } = await run([first, second]);
  expect(rows.map((r) => [r.state, r.reason])).toEqual([
    ['unproven', 'no key'],
    ['proven', 'seen'],
  ]);
});

test('a proof prepares itself after what it needs and beside what only its proof needs', async () => {
  const { log, change } = plan();
  const proof: ProofStep = {
    id: '4.0',
    kind: 'proof',
    title: 'p',
    needs: ['1.0'],
    needsToVerify: ['1.1'],
    prepare: () => Promise.resolve(log.push('prepare 4.0')),
    prove: () => Promise.resolve(proven(String(log.push('prove 4.0')))),
  };
  await run([
    proof,
    change('1.0'),
    change('1.1', ['1.0'], { verify: () => delay(5).then(() => String(log.push('verify 1.1'))) }),
  ]);
  expect(log.indexOf('prepare 4.0')).toBeGreaterThan(log.indexOf('verify 1.0'));
  expect(log.indexOf('prepare 4.0')).toBeLessThan(log.indexOf('verify 1.1'));
  expect(log.indexOf('prove 4.0')).toBeGreaterThan(log.indexOf('verify 1.1'));
});

test('a preparation that fails is the proof’s failure', async () => {
  const prepare = (): Promise<never> => Promise.reject(new Error('no build'));
  const proof: ProofStep = {
    id: '4.0',
    kind: 'proof',
    title: 'p',
    needs: [],
    prepare,
    prove: () => Promise.resolve(proven('')),
  };
  expect((await run([proof])).rows[0]).toMatchObject({ state: 'failed', reason: 'no build' });
});

test('every change of state is told and journalled, with its duration at the end', async () => {
  const { change } = plan();
  const { seen, journal } = await run([change('1.0')]);
  expect(seen).toEqual(['1.0 checking', '1.0 applying', '1.0 verifying', '1.0 done']);
  expect(journal.map((e) => e.state)).toEqual(['checking', 'applying', 'verifying', 'done']);
  expect(journal.at(-1)).toMatchObject({ event: 'step', step: '1.0', durationMs: 0 });
});
