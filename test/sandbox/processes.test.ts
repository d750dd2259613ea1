import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { daemons, ensureDaemon, pidOf, stopDaemon, startTime } from '../../sandbox/processes.ts';

const folder = vi.hoisted(() => `/tmp/processes-test-${process.pid}`);
vi.mock('../../sandbox/world.ts', () => ({ RUN: folder, PATHS: { logs: `${folder}/logs` } }));
afterAll(() => rmSync(folder, { recursive: true }));

const name = `test-${process.pid}`;
const yes = () => Promise.resolve(true);
afterEach(() => stopDaemon(name));

it('starts a daemon once, finds it again, restarts it when its sources changed, and stops it', async () => {
  const source = join(mkdtempSync(join(tmpdir(), 'daemon-')), 'source');
  writeFileSync(source, 'one');
  const daemon = { name, command: 'sleep', args: ['60'], sources: [source] };
  expect(await ensureDaemon(daemon, yes)).toBe(true);
  const first = pidOf(name);
  expect(first).toBeGreaterThan(1);
  expect(await ensureDaemon(daemon, yes)).toBe(false);
  expect(pidOf(name)).toBe(first);
  writeFileSync(source, 'two');
  expect(await ensureDaemon(daemon, yes)).toBe(true);
  expect(pidOf(name)).not.toBe(first);
  const second = pidOf(name) ?? 0;
  expect(await stopDaemon(name)).toBe(true);
  expect(startTime(second)).toBeUndefined();
  expect(daemons()).not.toContain(name);
  expect(await stopDaemon(name)).toBe(false);
});

it('tells what is wrong when the daemon ends or does not exist', async () => {
  const never = () => Promise.resolve(false);
  await expect(
    ensureDaemon({ name, command: 'sh', args: ['-c', 'echo broken >&2; sleep 0.2; exit 1'] }, never),
  ).rejects.toThrow(/broken/);
  await expect(ensureDaemon({ name, command: '/nowhere/x', args: [] }, never)).rejects.toThrow(/ENOENT/);
});
