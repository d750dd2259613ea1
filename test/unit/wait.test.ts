import { expect, test, vi } from 'vitest';
import { CommandFailed } from '../../lib/base/command.ts';
import { Failure, TimedOut } from '../../lib/base/failure.ts';
import { patience, waitFor, type Probe, type Suspect } from '../../lib/base/wait.ts';
import { fakeClock } from './outside.ts';

const pending: Probe<string> = { state: 'pending', reason: 'not yet' };
const ready: Probe<string> = { state: 'ready', value: 'there' };

function world() {
  const notes: string[] = [];
  return { ...fakeClock(), notes, note: (text: string) => void notes.push(text) };
}

function probes(...answers: (Probe<string> | Error)[]) {
  let n = 0;
  return vi.fn(() => {
    const answer = answers[Math.min(n++, answers.length - 1)] ?? pending;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  });
}

const refused = (stderr: string): CommandFailed =>
  new CommandFailed({ binary: 'kubectl', args: ['get'], mutates: false }, 1, { stdout: '', stderr }, false);

test('what is ready is given at once, without a sleep', async () => {
  const w = world();
  expect(await waitFor({ what: 'x', timeoutMs: 1000, probe: probes(ready), next: '' }, w)).toBe('there');
  expect(w.sleeps).toEqual([]);
});

test('each reason is told while it waits', async () => {
  const w = world();
  const probe = probes(pending, { state: 'pending', reason: 'almost' }, ready);
  await waitFor({ what: 'the pod', timeoutMs: 10_000, everyMs: 500, probe, next: '' }, w);
  expect(w.notes).toEqual(['the pod: not yet', 'the pod: almost']);
  expect(w.sleeps).toEqual([500, 500]);
});

test('the deadline is never overslept, and after the last try nothing is slept', async () => {
  const w = world();
  const probe = probes(pending);
  const diagnose = vi.fn(() => Promise.resolve('event: OOM'));
  const failed = waitFor({ what: 'the pod', timeoutMs: 2500, everyMs: 1000, probe, diagnose, next: 'look' }, w);
  await expect(failed).rejects.toBeInstanceOf(TimedOut);
  await expect(failed).rejects.toMatchObject({
    message: 'the pod: timed out after 3 s',
    parts: { found: 'not yet', detail: 'event: OOM', next: 'look' },
  });
  expect(w.sleeps).toEqual([1000, 1000, 500]);
  expect(probe).toHaveBeenCalledTimes(4);
  expect(diagnose).toHaveBeenCalledTimes(1);
});

test('a slow probe eats the time too', async () => {
  const w = world();
  const probe = vi.fn(() => {
    w.clock.advance(700);
    return Promise.resolve(pending);
  });
  await expect(waitFor({ what: 'x', timeoutMs: 1000, everyMs: 1000, probe, next: '' }, w)).rejects.toBeInstanceOf(
    TimedOut,
  );
  expect(w.sleeps).toEqual([300]);
});

test('ready at the very last try counts', async () => {
  const w = world();
  expect(await waitFor({ what: 'x', timeoutMs: 1000, probe: probes(pending, ready), next: '' }, w)).toBe('there');
});

test('a terminal condition ends it at once: a Failure, no TimedOut', async () => {
  const w = world();
  const probe = probes({ state: 'failed', reason: 'ErrImageNeverPull', detail: 'pod x', next: 'build it' });
  const ended = waitFor({ what: 'x', timeoutMs: 9000, probe, diagnose: () => Promise.resolve('log'), next: 'no' }, w);
  await expect(ended).rejects.toMatchObject({
    name: 'Failure',
    message: 'x: ErrImageNeverPull',
    parts: { detail: 'pod x\nlog', next: 'build it' },
  });
  await expect(ended).rejects.not.toBeInstanceOf(TimedOut);
  await expect(ended).rejects.toBeInstanceOf(Failure);
  expect(w.sleeps).toEqual([]);
});

test('a transient error is a reason to wait; any other ends it', async () => {
  const w = world();
  const probe = probes(refused('connection refused'), ready);
  expect(await waitFor({ what: 'x', timeoutMs: 5000, probe, next: '' }, w)).toBe('there');
  expect(w.notes).toHaveLength(1);
  const forbidden = refused('Forbidden');
  await expect(waitFor({ what: 'x', timeoutMs: 5000, probe: probes(forbidden), next: '' }, w)).rejects.toBe(forbidden);
  const fault = new TypeError('a fault of the code');
  await expect(waitFor({ what: 'x', timeoutMs: 5000, probe: probes(fault), next: '' }, w)).rejects.toBe(fault);
});

test('patience: a suspect that stays for its grace is terminal; one that was gone starts anew', () => {
  const { clock } = fakeClock();
  const judge = patience(clock);
  const down: Suspect = { key: 'p/image', reason: 'registry refuses', next: 'start it', graceMs: 1000 };
  const told: Suspect = { key: 'p/probe', reason: 'probe fails', graceMs: Infinity };
  expect(judge([], 'half')).toEqual({ state: 'pending', reason: 'half' });
  expect(judge([down], 'half')).toEqual({ state: 'pending', reason: 'half; registry refuses' });
  clock.advance(900);
  expect(judge([], 'half')).toMatchObject({ state: 'pending' });
  clock.advance(200);
  expect(judge([down], 'half')).toMatchObject({ state: 'pending' });
  clock.advance(1000);
  expect(judge([told, down], 'half')).toEqual({ state: 'failed', reason: 'registry refuses', next: 'start it' });
  clock.advance(9e9);
  expect(judge([told], 'half')).toMatchObject({ state: 'pending' });
  expect(judge([{ ...down, graceMs: 0 }], 'half')).toMatchObject({ state: 'failed' });
});
