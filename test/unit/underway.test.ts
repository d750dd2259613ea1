import { expect, test } from 'vitest';
import { underway } from '../../lib/base/underway.ts';

test('asked at the same moment: one question, one answer; asked later: anew', async () => {
  const asked = new Map<string, Promise<number>>();
  let n = 0;
  const ask = (): Promise<number> => Promise.resolve(++n);
  expect(await Promise.all([underway(asked, 'a', ask), underway(asked, 'a', ask), underway(asked, 'b', ask)])).toEqual([
    1, 1, 2,
  ]);
  expect(await underway(asked, 'a', ask)).toBe(3);
  expect(asked.size).toBe(0);
});

test('a question that fails is not kept', async () => {
  const asked = new Map<string, Promise<number>>();
  await expect(underway(asked, 'a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await underway(asked, 'a', () => Promise.resolve(1))).toBe(1);
});
