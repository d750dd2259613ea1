import { expect, test } from 'vitest';
import { BadInput, count, explain, Failure } from '../../lib/base/failure.ts';

test('one line, then what is known, each in its row', () => {
  const failure = new Failure({
    what: 'the pod does not run',
    wanted: '2 ready',
    found: '1 ready\nand more',
    command: 'kubectl get pod',
    detail: 'event A\nevent B\n',
    next: 'look',
  });
  expect(explain(failure)).toBe(
    [
      'the pod does not run',
      '  wanted   2 ready',
      '  found    1 ready',
      '           and more',
      '  command  kubectl get pod',
      '    event A',
      '    event B',
      '  next     look',
    ].join('\n'),
  );
});

test('what is not known takes no row', () => {
  expect(explain(new Failure({ what: 'x', found: undefined, detail: '' }))).toBe('x');
});

test('all problems of the input at once, with remedies', () => {
  const problem = (about: string) => ({ about, message: 'is not set', remedy: 'set it' });
  expect(explain(new BadInput([problem('A'), problem('B')]))).toBe(
    '2 problems found; nothing was changed:\n  A: is not set\n      set it\n  B: is not set\n      set it',
  );
});

test('foreign errors and values', () => {
  expect(explain(new TypeError('boom'))).toBe('boom');
  expect(explain('text')).toBe('text');
  expect(count(1, 'problem')).toBe('1 problem');
  expect(count(0, 'problem')).toBe('0 problems');
});
