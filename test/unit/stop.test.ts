import { expect, test } from 'vitest';
import { realRun } from '../../lib/base/command.ts';
import { systemClock } from '../../lib/base/clock.ts';
import { runSteps } from '../../lib/runner/run.ts';
import { absent, type ChangeStep } from '../../lib/step.ts';
import { Stop, Stopped, stoppable } from '../../lib/runner/stop.ts';
import { waitFor } from '../../lib/base/wait.ts';
import { contextOf, fakeOutside } from './outside.ts';

const SIGINT = new Stopped({ what: 'ended by SIGINT' }, 130);

function world() {
  const stop = new Stop();
  const outside = fakeOutside({ rows: [{ binary: 'git', args: ['x'], answer: 'y' }] });
  return { stop, outside, guarded: stoppable(outside, stop) };
}

test('nothing is in its way while it goes on', async () => {
  const { guarded, outside } = world();
  expect((await guarded.run({ binary: 'git', args: ['x'], mutates: false })).stdout).toBe('y');
  await guarded.clock.sleep(5);
  expect(outside.sleeps).toEqual([5]);
});

test('once stopped, no command, request or sleep begins; the first reason stays', async () => {
  const { stop, guarded, outside } = world();
  stop.request(SIGINT);
  stop.request(new Stopped({ what: 'later' }, 1));
  await expect(guarded.run({ binary: 'git', args: ['x'], mutates: false })).rejects.toBe(SIGINT);
  await expect(guarded.http({ url: 'https://x.test' })).rejects.toBe(SIGINT);
  await expect(guarded.clock.sleep(5)).rejects.toBe(SIGINT);
  expect([outside.commands, outside.requests, outside.sleeps]).toEqual([[], [], []]);
});

test('what removes a probe still runs', async () => {
  const { stop, guarded, outside } = world();
  stop.request(SIGINT);
  await guarded.run({ binary: 'git', args: ['x'], mutates: true, whileStopping: true });
  expect(outside.commands).toHaveLength(1);
});

test('a sleep and a child that run are ended at once; the child’s failure is the stop', async () => {
  const { stop, outside } = world();
  const guarded = stoppable(
    { ...outside, clock: systemClock, run: realRun({ PATH: process.env['PATH'] ?? '' }) },
    stop,
  );
  const started = Date.now();
  const both = [
    guarded.clock.sleep(60_000),
    guarded.run({ binary: 'node', args: ['-e', 'setTimeout(() => {}, 60000)'], mutates: true }),
  ];
  setTimeout(() => stop.request(SIGINT), 300);
  expect(await Promise.allSettled(both)).toEqual([
    { status: 'rejected', reason: SIGINT },
    { status: 'rejected', reason: SIGINT },
  ]);
  expect(Date.now() - started).toBeLessThan(10_000);
});

test('a stopped run: the step in work is stopped, what needs it is blocked, what was done stays done', async () => {
  const { stop, guarded } = world();
  const step = (id: ChangeStep['id'], needs: ChangeStep['needs'], verify: ChangeStep['verify']): ChangeStep => ({
    id,
    kind: 'change',
    title: id,
    needs,
    check: () => Promise.resolve(absent('')),
    apply: () => Promise.resolve(),
    verify,
    owns: () => ({}),
    undo: () => Promise.resolve(),
  });
  const steps = [
    step('1.0', [], () => Promise.resolve('')),
    step('1.1', ['1.0'], (ctx) => {
      stop.request(SIGINT);
      return waitFor(
        { what: 'w', timeoutMs: 9000, next: '', probe: () => Promise.resolve({ state: 'pending', reason: 'r' }) },
        ctx,
      );
    }),
    step('1.2', ['1.1'], () => Promise.resolve('')),
  ];
  const rows = await runSteps(steps, steps, contextOf(guarded), () => undefined, { changed: () => undefined });
  expect(rows).toMatchObject([
    { state: 'done' },
    { state: 'stopped', reason: 'ended by SIGINT' },
    { state: 'blocked' },
  ]);
});
