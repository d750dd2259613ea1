import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BadInput, explain } from '../../lib/base/failure.ts';
import type { JournalEntry } from '../../lib/runner/journal.ts';
import { LEASE_MS } from '../../lib/runner/lease.ts';
import { leaseName, Locked, waitOf, withLock, type Wish } from '../../lib/runner/lock.ts';
import { RUN_VARIABLE, thisOwner, type Owner } from '../../lib/base/owner.ts';
import type { Session } from '../../lib/runner/session.ts';
import { screen } from '../../lib/runner/show.ts';
import { Stop, Stopped, stoppable } from '../../lib/runner/stop.ts';
import { FakeLeases } from './fake-lease.ts';
import { contextOf, fakeOutside } from './outside.ts';

const NAME = 'kubently-runbook-unit-api-kubently-io';
const ELSEWHERE: Owner = { user: 'ann', host: 'laptop', pid: 7, run: 'other-7', place: 'boot/ns', started: '1' };

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

function world() {
  const leases = new FakeLeases();
  const outside = fakeOutside({ worlds: [leases] });
  const stop = new Stop();
  const journal: JournalEntry[] = [];
  const lines: string[] = [];
  const session: Session = {
    ctx: contextOf(stoppable(outside, stop)),
    outside,
    stop,
    out: { ...screen(), line: (text) => void lines.push(text) },
    journal: (entry) => void journal.push(entry),
  };
  const lock = <T>(work: () => Promise<T>, wish: Partial<Wish> = {}) =>
    withLock(session, { what: 'deploy', waitMs: 0, ...wish }, async (tell) => {
      tell('2.5');
      return work();
    });
  /** Somebody else's Lease; renewed at the fake clock's time less so much. */
  const heldBy = (owner: Owner, agoMs = 0): void => {
    const { user, host, pid, run, place, started } = owner;
    const said = { user, host, pid: String(pid), run, place, started, what: 'phase2', step: '2.6' };
    const at = new Date(outside.clock.now() - agoMs).toISOString();
    leases.put({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: NAME,
        uid: 'theirs',
        annotations: Object.fromEntries(Object.entries(said).map(([k, v]) => [`kubently-runbook/${k}`, v])),
      },
      spec: { acquireTime: at, renewTime: at },
    });
  };
  return { leases, outside, stop, session, lock, heldBy, journal, lines };
}

/** Lets pending work run, and the timers for so long. */
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

test('free: two calls around the work, the Lease says who and what, and is gone afterwards', async () => {
  const { leases, outside, lock } = world();
  const result = await lock(() => {
    expect(leases.leases.get(NAME)).toMatchObject({
      metadata: { annotations: { 'kubently-runbook/what': 'deploy', 'kubently-runbook/run': thisOwner().run } },
      spec: { leaseDurationSeconds: 60, renewTime: '2026-01-01T00:00:00.000000Z' },
    });
    return Promise.resolve('result');
  });
  expect(result).toBe('result');
  expect(outside.commands.map((c) => c.args[0])).toEqual(['create', 'delete']);
  expect(leases.leases.size).toBe(0);
});

test('the work’s error comes through, and the lock is free', async () => {
  const { leases, lock } = world();
  await expect(lock(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(leases.leases.size).toBe(0);
});

test('held: refused at once with holder, host, work, step, since and how to wait; the Lease is left alone', async () => {
  const { leases, outside, lock, heldBy, journal } = world();
  heldBy(ELSEWHERE);
  const before = leases.leases.get(NAME);
  const work = vi.fn();
  const error: unknown = await lock(work).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(Locked);
  expect(explain(error)).toContain('ann@laptop (pid 7) runs phase2, at step 2.6, since 2026-01-01T00:00:00Z');
  expect(explain(error)).toContain('WAIT=10m');
  expect(work).not.toHaveBeenCalled();
  expect(leases.leases.get(NAME)).toBe(before);
  expect(outside.sleeps).toEqual([]);
  expect(journal).toMatchObject([{ event: 'lock', state: 'refused' }]);
});

test('with WAIT it gets in when the other leaves, and says meanwhile for whom it waits', async () => {
  const { leases, outside, session, lock, heldBy, lines } = world();
  heldBy(ELSEWHERE);
  let polls = 0;
  const { clock } = session.ctx;
  const sleep = clock.sleep.bind(clock);
  clock.sleep = async (ms) => {
    await sleep(ms);
    heldBy(ELSEWHERE);
    if (++polls === 45) leases.leases.delete(NAME);
  };
  expect(await lock(() => Promise.resolve(1), { waitMs: 600_000 })).toBe(1);
  expect(outside.sleeps).toHaveLength(45);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain('ann@laptop (pid 7) runs phase2');
});

test('with WAIT it gives up in the end', async () => {
  const { outside, session, lock, heldBy } = world();
  heldBy(ELSEWHERE);
  const sleep = session.ctx.clock.sleep.bind(session.ctx.clock);
  session.ctx.clock.sleep = async (ms) => {
    await sleep(ms);
    heldBy(ELSEWHERE);
  };
  await expect(lock(() => Promise.resolve(), { waitMs: 90_500 })).rejects.toThrow(/waited 91 s/);
  expect(outside.sleeps.reduce((a, b) => a + b)).toBe(90_500);
});

test('a dead process of this machine: taken over at once, and journalled', async () => {
  const { outside, lock, heldBy, journal, leases } = world();
  heldBy({ ...thisOwner(), run: 'dead-1', started: '1' });
  await lock(() => {
    expect(leases.leases.get(NAME)).toMatchObject({ spec: { leaseTransitions: 1 } });
    return Promise.resolve();
  });
  expect(outside.sleeps).toEqual([]);
  expect(journal[0]).toMatchObject({ event: 'lock', state: 'taken over' });
  expect(journal[0]?.reason).toContain('phase2, at step 2.6');
});

test('a living process of this machine keeps its lock while its heartbeat goes on', async () => {
  const { session, lock, heldBy } = world();
  heldBy({ ...thisOwner(), run: 'other' });
  await expect(lock(() => Promise.resolve())).rejects.toThrow(Locked);
  const sleep = session.ctx.clock.sleep.bind(session.ctx.clock);
  session.ctx.clock.sleep = async (ms) => {
    await sleep(ms);
    heldBy({ ...thisOwner(), run: 'other' });
  };
  await expect(lock(() => Promise.resolve(), { waitMs: 3 * LEASE_MS })).rejects.toThrow(Locked);
});

test.each<[string, Owner, number]>([
  ['a process that lives here and has stopped its heartbeat', { ...thisOwner(), run: 'other' }, 10 * LEASE_MS],
  ['pid 1 of another boot', { ...ELSEWHERE, pid: 1, place: 'another boot/pid:[1]' }, 10 * LEASE_MS],
  ['a heartbeat of the year to come', ELSEWHERE, -365 * 86_400_000],
  ['a heartbeat of next week, by a process that lives here', { ...thisOwner(), run: 'other' }, -7 * 86_400_000],
])('forged or dead, it cannot be held for ever: %s', async (_, owner, agoMs) => {
  const { outside, lock, heldBy } = world();
  heldBy(owner, agoMs);
  expect(await lock(() => Promise.resolve(1))).toBe(1);
  expect(outside.sleeps.reduce((a, b) => a + b)).toBeLessThan(LEASE_MS + 5000);
});

test('a Lease that names the run of another, living one: that one’s children are not ended', async () => {
  const { lock, heldBy, lines } = world();
  const run = `unitforged-${process.pid}`;
  const child = spawn('sleep', ['60'], { env: { PATH: process.env['PATH'], [RUN_VARIABLE]: run } });
  await once(child, 'spawn');
  heldBy({ ...thisOwner(), run, started: '1' });
  expect(await lock(() => Promise.resolve(1))).toBe(1);
  expect(child.exitCode ?? child.signalCode).toBeNull();
  expect(lines.join()).not.toContain('children of the killed run');
  child.kill();
});

test('only the heartbeat counts: another change of the Lease keeps nobody in it', async () => {
  const { session, lock, heldBy, leases } = world();
  heldBy(ELSEWHERE, 5 * LEASE_MS);
  const held = leases.leases.get(NAME);
  const sleep = session.ctx.clock.sleep.bind(session.ctx.clock);
  session.ctx.clock.sleep = async (ms) => {
    await sleep(ms);
    // A new resourceVersion, the same renewTime.
    if (held) leases.put(structuredClone(held));
  };
  expect(await lock(() => Promise.resolve(1))).toBe(1);
});

test('elsewhere: an old heartbeat is no proof (clocks differ); one seen to stand still for a minute is', async () => {
  const { outside, lock, heldBy, lines } = world();
  heldBy(ELSEWHERE, 5 * LEASE_MS);
  expect(await lock(() => Promise.resolve(1))).toBe(1);
  const watched = outside.sleeps.reduce((a, b) => a + b);
  expect(watched).toBeGreaterThan(LEASE_MS);
  expect(watched).toBeLessThan(LEASE_MS + 5000);
  expect(lines[0]).toContain('no heartbeat since');
});

test('elsewhere with a wrong clock, but alive: its heartbeat is seen, and it keeps its lock', async () => {
  const { session, lock, heldBy } = world();
  heldBy(ELSEWHERE, 5 * LEASE_MS);
  const sleep = session.ctx.clock.sleep.bind(session.ctx.clock);
  let polls = 0;
  session.ctx.clock.sleep = async (ms) => {
    await sleep(ms);
    if (++polls % 10 === 0) heldBy(ELSEWHERE, 5 * LEASE_MS);
    if (polls > 200) session.stop.request(new Stopped({ what: 'enough' }, 1));
  };
  await expect(lock(() => Promise.resolve())).rejects.toThrow('enough');
});

test('two that take over the same dead Lease: only one gets it', async () => {
  const { leases, lock, heldBy, outside } = world();
  heldBy({ ...thisOwner(), run: 'dead-1', started: '1' });
  // The other takes it between our read and our replace.
  const { command } = leases;
  leases.command = (c) => {
    if (c.args[0] === 'replace') {
      leases.command = command;
      heldBy(ELSEWHERE);
    }
    return command(c);
  };
  await expect(lock(() => Promise.resolve())).rejects.toThrow('ann@laptop');
  expect(outside.commands.filter((c) => c.args[0] === 'replace')).toHaveLength(1);
});

test('the heartbeat renews and says the step; its version is the one that is freed', async () => {
  const { leases, outside, lock } = world();
  await lock(async () => {
    outside.clock.advance(10_000);
    await pass(10_000);
    expect(leases.leases.get(NAME)).toMatchObject({
      metadata: { annotations: { 'kubently-runbook/step': '2.5' } },
      spec: { acquireTime: '2026-01-01T00:00:00.000000Z', renewTime: '2026-01-01T00:00:10.000000Z' },
    });
  });
  expect(outside.commands.map((c) => c.args[0])).toEqual(['create', 'replace', 'delete']);
  expect(leases.leases.size).toBe(0);
});

test('a lock that another took stops the run with status 5, and is not freed', async () => {
  const { leases, session, lock, heldBy } = world();
  const error: unknown = await lock(async () => {
    heldBy(ELSEWHERE);
    await pass(10_000);
    await session.ctx.clock.sleep(1000);
  }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(Stopped);
  expect(error).toMatchObject({ status: 5 });
  expect(explain(error)).toContain('ann@laptop');
  expect(leases.leases.get(NAME)?.metadata.uid).toBe('theirs');
});

test('a short silence of the API server is bridged; past the deadline the run stops, and starts nothing more', async () => {
  const { leases, outside, session, stop, lock } = world();
  const silence = async (ms: number): Promise<void> => {
    leases.down = 'connection refused';
    for (let left = ms; left > 0; left -= 10_000) {
      outside.clock.advance(10_000);
      await pass(10_000);
    }
  };
  const error: unknown = await lock(async () => {
    await silence(40_000);
    leases.down = undefined;
    outside.clock.advance(10_000);
    await pass(10_000);
    expect(stop.reason).toBeUndefined();
    await silence(70_000);
    await session.ctx.run({ binary: 'helm', args: ['upgrade'], mutates: true });
  }).catch((e: unknown) => e);
  expect(explain(error)).toContain('could not be renewed in time');
  expect(outside.commands.some((c) => c.binary === 'helm')).toBe(false);
});

test('after a suspend the first command is refused, before any heartbeat', async () => {
  const { outside, session, lock } = world();
  await expect(
    lock(async () => {
      outside.clock.advance(LEASE_MS + 1);
      await session.ctx.run({ binary: 'helm', args: ['upgrade'], mutates: true });
    }),
  ).rejects.toThrow('could not be renewed in time');
  expect(outside.commands.some((c) => c.binary === 'helm')).toBe(false);
});

test('a stop while it waits ends the wait at once and leaves the other’s Lease alone', async () => {
  const { leases, session, stop, lock, heldBy } = world();
  heldBy(ELSEWHERE);
  const stuck = stoppable(
    { ...session.outside, clock: { ...session.outside.clock, sleep: () => new Promise(() => undefined) } },
    stop,
  );
  session.ctx.clock.sleep = (ms) => stuck.clock.sleep(ms);
  const ended = lock(() => Promise.resolve(), { waitMs: 600_000 }).catch((e: unknown) => e);
  await pass(1);
  stop.request(new Stopped({ what: 'ended by SIGINT' }, 130));
  expect(await ended).toMatchObject({ status: 130 });
  expect(leases.leases.size).toBe(1);
});

test('work that does not end when it is stopped is left after its grace, and the lock freed', async () => {
  const { leases, stop, lock } = world();
  const ended = lock(() => new Promise(() => undefined)).catch((e: unknown) => e);
  await pass(1);
  stop.request(new Stopped({ what: 'ended by SIGTERM' }, 143));
  await pass(9000);
  expect(leases.leases.size).toBe(1);
  await pass(2000);
  expect(await ended).toMatchObject({ status: 143 });
  expect(leases.leases.size).toBe(0);
});

test('an answer that was lost on its way: the Lease is recognised as our own', async () => {
  const { leases, outside, lock } = world();
  const { command } = leases;
  leases.command = (c) => {
    const answer = command(c);
    if (c.args[0] !== 'create') return answer;
    leases.command = command;
    return command(c);
  };
  expect(await lock(() => Promise.resolve(1))).toBe(1);
  expect(outside.commands.map((c) => c.args[0])).toEqual(['create', 'get', 'delete']);
});

test('one process has no privilege: a second claim beside the first is refused', async () => {
  const { leases, lock } = world();
  await lock(async () => {
    await expect(lock(() => Promise.resolve())).rejects.toThrow(Locked);
    expect(leases.leases.size).toBe(1);
  });
  expect(leases.leases.size).toBe(0);
});

test('a lock that cannot be freed is journalled and stops nothing', async () => {
  const { leases, lock, journal } = world();
  const result = await lock(() => {
    leases.down = 'connection refused';
    return Promise.resolve('done');
  });
  expect(result).toBe('done');
  expect(journal).toMatchObject([{ event: 'lock', state: 'not freed' }]);
});

test('the Lease is named for the deployment', () => {
  expect(leaseName({ host: 'test-api.kubently.io' })).toBe('kubently-runbook-test-api-kubently-io');
});

test.each([
  [undefined, 0],
  ['0s', 0],
  ['90s', 90_000],
  ['10m', 600_000],
  ['1h', 3_600_000],
])('WAIT=%s is %d ms', (text, ms) => expect(waitOf(text)).toBe(ms));

test.each(['10', 'm', '-1m', '1.5m', '10 m', '', '10min'])('WAIT=%j is refused', (text) =>
  expect(() => waitOf(text)).toThrow(BadInput),
);

test('what a forged Lease says is one line, without control characters, and not endless', async () => {
  const { lock, heldBy } = world();
  heldBy({ ...ELSEWHERE, user: `ann\n✓ done \x1b]52;c;x\x07`, host: 'h'.repeat(100_000) });
  const error: unknown = await lock(() => Promise.resolve()).catch((e: unknown) => e);
  const [first = '', ...rest] = explain(error).split('\n');
  expect(first).toContain('ann ✓ done \\u001b]52;c;x\\u0007@hhh');
  expect(first.length).toBeLessThan(500);
  expect(rest.every((line) => /^  (found|next) /.test(line))).toBe(true);
});
