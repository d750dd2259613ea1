/** The judges of the fault tests and of the leak scan: they must be able to say no. */
import { expect, test } from 'vitest';
import { judge, type Seen } from '../faults/fault.ts';
import type { Ran } from '../faults/run.ts';
import { shownIn } from '../faults/secret-forms.ts';

const FAULT = { id: 'x', fault: 'something is away', done: 'taken away' };

function ran(status: number, ...lines: [seconds: number, text: string][]): Ran {
  const at = lines.map(([s, text]) => ({ at: s * 1000, text }));
  return { command: './runbook deploy', status, lines: at, startedAt: 0, endedAt: 90_000 };
}

const verdict = (runs: Ran[], more: Partial<Seen> = {}) =>
  judge(FAULT, { command: './runbook deploy', runs, cause: /registry/, ...more });

const NAMED = ran(1, [1, 'starts'], [20, 'no answer from the registry']);

test('a run that completes', () => {
  expect(verdict([ran(0, [3, '2 done, 0 failed in 3 s'])])).toMatchObject({
    passed: true,
    result: 'completes',
    secondsToNamed: null,
  });
});

test('a run that names the cause, and completes with the same command', () => {
  expect(verdict([NAMED, ran(0)])).toMatchObject({
    passed: true,
    result: 'ends with the cause named; the same command then completes (run 2)',
    secondsToNamed: 20,
    line: 'no answer from the registry',
  });
});

test.each<[string, Ran[], Partial<Seen>, string]>([
  ['that never completes', [NAMED, NAMED, NAMED], {}, 'does not complete in 3 runs'],
  ['with another cause', [ran(1, [9, 'timed out']), ran(0)], {}, 'without naming the cause'],
  ['that names it too late', [ran(1, [61, 'the registry']), ran(0)], {}, 'too late'],
  ['that named it before it could', [NAMED, ran(0)], { knowableAt: 30_000 }, 'without naming the cause'],
  ['whose fault did not strike', [ran(0)], { unproven: 'no call came' }, 'no call came'],
])('a run %s is not passed', (_, runs, more, why) => {
  const { passed, result } = verdict(runs, more);
  expect(passed).toBe(false);
  expect(result).toContain(why);
});

const VALUE = 'p4ss/word+with&8c1f';

test.each([
  ['plain', `a ${VALUE} b`],
  ['in a URL', `?token=${encodeURIComponent(VALUE)}`],
  ...[0, 1, 2].map((n): [string, string] => [
    `base64 after ${n} bytes`,
    Buffer.from(`${'x'.repeat(n)}${VALUE}more`).toString('base64'),
  ]),
  ...[0, 1, 2].map((n): [string, string] => [
    `base64url after ${n} bytes`,
    Buffer.from(`${'x'.repeat(n)}${VALUE}`).toString('base64url'),
  ]),
])('the scan finds a secret %s, and tells its name only', (_, text) => {
  const found = shownIn(text, [{ name: 'TOKEN', value: VALUE }]);
  expect(found.length).toBeGreaterThan(0);
  expect(found.join()).not.toContain(VALUE);
});

test('the scan finds nothing where there is nothing', () => {
  expect(shownIn('a p4ss word', [{ name: 'TOKEN', value: VALUE }])).toEqual([]);
});
