import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { childrenOf, leftBy, lifeOf, RUN_VARIABLE, thisOwner } from '../../lib/base/owner.ts';

test('this process lives', () => {
  expect(lifeOf(thisOwner())).toBe('alive');
});

test('a pid that is used again is not its owner', () => {
  expect(lifeOf({ ...thisOwner(), started: '1' })).toBe('dead');
});

test('a process that has ended is dead', async () => {
  const child = spawn('true');
  const { pid = 0 } = child;
  await once(child, 'exit');
  expect(lifeOf({ ...thisOwner(), pid })).toBe('dead');
});

test.each(['', 'another boot/pid:[1]'])('of place %j only its heartbeat can tell', (place) => {
  expect(lifeOf({ ...thisOwner(), place, started: '1' })).toBe('elsewhere');
});

test('children are found by their run, and by nothing less', async () => {
  const child = spawn('sleep', ['60'], { env: { PATH: process.env['PATH'], [RUN_VARIABLE]: 'unitrun-1' } });
  await once(child, 'spawn');
  expect(childrenOf('unitrun-1')).toEqual([child.pid]);
  expect(childrenOf('unitrun')).toEqual([]);
  child.kill();
  await once(child, 'exit');
  expect(childrenOf('unitrun-1')).toEqual([]);
});

test.each([
  ['of a run that lives: its process is the parent', `unitrun2-${process.pid}`, false],
  ['of a run that has ended', 'unitrun2-1999999999', true],
  ['of what is no run', '.*', false],
  ['of no run at all', '', false],
])('what a Lease names, children %s', async (_, run, left) => {
  const child = spawn('sleep', ['60'], { env: { PATH: process.env['PATH'], [RUN_VARIABLE]: run } });
  await once(child, 'spawn');
  expect(leftBy(run)).toEqual(left ? [child.pid] : []);
  child.kill();
  await once(child, 'exit');
});
