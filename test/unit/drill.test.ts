/** make drill: what it refuses, in which order it goes, and that nothing is destroyed before the way back is known. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity } from 'age-encryption';
import { Chalk } from 'chalk';
import { beforeEach, expect, test, vi } from 'vitest';
import { BadInput, type Problem } from '../../lib/base/failure.ts';
import type { Backup } from '../../lib/operations/backup/backup-file.ts';
import type { JournalEntry } from '../../lib/runner/journal.ts';
import { Lease, type HeldClaim } from '../../lib/runner/lease.ts';
import { Locked } from '../../lib/runner/lock.ts';
import { Stop } from '../../lib/runner/stop.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import type { Keep } from '../../lib/step.ts';
import { drill } from '../../scripts/ops/drill.ts';
import { FakeCluster } from './fake-cluster.ts';
import { contextOf, fakeOutside, settings, temporaryFolder, type FakeOutside } from './outside.ts';
import { REDIS_POD, withTokens } from './remote.ts';

const HOST = 'unit-api.kubently.io';
const TAKEN = '2026-01-01T00:00:00.000Z';

/** The operations, which have tests of their own, on a Redis of one map. */
interface World {
  order: string[];
  redis: Map<string, string>;
  saved: Map<string, string>;
  problems: Problem[];
  /** By operation: what it ends with, and what it throws. */
  status: Record<string, number>;
  fails: Record<string, Error>;
  /** Told how long each takes, in milliseconds. */
  takes: (ms: number) => void;
  stored: string | undefined;
  backupTakenAt: string;
  keepsRedis: boolean;
}

const world = vi.hoisted((): World => ({
  order: [],
  redis: new Map(),
  saved: new Map(),
  problems: [],
  status: {},
  fails: {},
  takes: () => undefined,
  stored: undefined,
  backupTakenAt: '',
  keepsRedis: false,
}));

async function did(what: string, ms: number): Promise<number> {
  world.order.push(what);
  world.takes(ms);
  const error = world.fails[what.split(' ')[0] ?? ''];
  return error ? Promise.reject(error) : Promise.resolve(world.status[what.split(' ')[0] ?? ''] ?? 0);
}

vi.mock('../../lib/runner/preflight.ts', () => ({ preflight: () => Promise.resolve(world.problems) }));
vi.mock('../../scripts/ops/backup.ts', async (real) => ({
  ...(await real<typeof import('../../scripts/ops/backup.ts')>()),
  backup: async () => {
    await did('backup', 1000);
    world.saved = new Map(world.redis);
    return { path: '/backups/1.age', stored: world.stored, takenAt: TAKEN };
  },
}));
vi.mock('../../scripts/ops/remove.ts', async (real) => ({
  ...(await real<typeof import('../../scripts/ops/remove.ts')>()),
  remove: (_: unknown, keep: ReadonlySet<string>, yes: string) => {
    if (!world.keepsRedis) world.redis.clear();
    return did(`remove keep=${[...keep].join()} yes=${yes}`, 60_000);
  },
}));
vi.mock('../../scripts/operate.ts', () => ({
  run: (_: unknown, what: string) => did(`run ${what}`, 300_000),
  verify: () => did('verify', 20_000),
}));
vi.mock('../../scripts/ops/restore.ts', () => ({
  savedBackup: async (_: unknown, name: string): Promise<Pick<Backup, 'keys' | 'takenAt'>> => {
    await did(`read ${name}`, 0);
    const keys = [...world.saved.keys()].map((k) => ({ key: Buffer.from(k).toString('base64'), payload: '' }));
    return { keys, takenAt: world.backupTakenAt };
  },
  restore: async (_: unknown, name: string, yes: string) => {
    for (const [k, v] of world.saved) world.redis.set(k, v);
    return did(`restore ${name} yes=${yes}`, 10_000);
  },
}));

let given: Settings;
let outside: FakeOutside;
let lines: string[];
let entries: JournalEntry[];

beforeEach(async () => {
  Object.assign(world, {
    order: [],
    redis: new Map(),
    saved: new Map(),
    problems: [],
    status: {},
    fails: {},
    stored: undefined,
    backupTakenAt: TAKEN,
    keepsRedis: false,
  });
  const identityFile = join(temporaryFolder(), 'identity.txt');
  writeFileSync(identityFile, await generateX25519Identity());
  given = withTokens(
    settings({
      backup: { recipients: ['age1unit'], identityFile, bucket: undefined, keepDays: 30 },
    }),
  );
  lines = [];
  entries = [];
});

/** redis-cli in the pod. */
function redisCli(argv: readonly string[]): string {
  const [verb = '', key = '', value = ''] = argv;
  if (verb === 'GET') return `${world.redis.get(key) ?? ''}\n`;
  world.order.push(`${verb} ${argv.slice(1, verb === 'DEL' ? undefined : 2).join(' ')}`);
  if (verb === 'SET') world.redis.set(key, value);
  else argv.slice(1).forEach((k) => world.redis.delete(k));
  return 'OK\n';
}

function start(host: string | null = HOST, keep: Keep[] = [], yes: '1' | null = '1'): Promise<number> {
  const rows = [
    {
      binary: 'kubectl' as const,
      args: (a: readonly string[]) => a[0] === 'exec',
      answer: ({ args }: { args: readonly string[] }) => redisCli(args.slice(args.lastIndexOf('sh') + 1)),
    },
  ];
  outside = fakeOutside({ worlds: [new FakeCluster('gke-context', [REDIS_POD])], rows });
  world.takes = (ms) => outside.clock.advance(ms);
  const out = {
    line: (t: string) => void lines.push(t),
    chalk: new Chalk({ level: 0 }),
    live: false,
    stream: process.stdout,
  };
  const ctx = contextOf(outside, given);
  return drill(
    { ctx, outside, stop: new Stop(), out, journal: (e) => void entries.push(e) },
    host ?? undefined,
    new Set(keep),
    yes ?? undefined,
  );
}

const BEFORE = 'kubently-runbook:drill:before';
const AFTER = 'kubently-runbook:drill:after';

test('canary, backup, read back, second canary, destroyed, deployed, restored, proven, measured, cleaned up', async () => {
  expect(await start(HOST, ['certs'])).toBe(0);
  expect(world.order).toEqual([
    `SET ${BEFORE}`,
    'backup',
    'read /backups/1.age',
    `SET ${AFTER}`,
    'remove keep=certs yes=1',
    'run deploy',
    'restore /backups/1.age yes=1',
    'verify',
    `DEL ${BEFORE} ${AFTER}`,
  ]);
  expect(world.redis.size).toBe(0);
  expect(entries).toEqual([
    {
      event: 'drill',
      state: 'done',
      reason:
        'RTO 5 min 30 s from when all was gone until every criterion was proven (destroying took 60 s), RPO 1.0 s; kept: certs; from /backups/1.age',
      durationMs: 391_000,
      deployment: HOST,
    },
  ]);
});

test('with a bucket the newest of it is what is read back and restored', async () => {
  world.stored = 'gs://unit-backups/1';
  expect(await start()).toBe(0);
  expect(world.order).toContain('read newest');
  expect(world.order).toContain('restore newest yes=1');
  expect(entries.at(-1)?.reason).toContain('from gs://unit-backups/1');
});

test('KEEP=data: nothing is lost, and RPO says so', async () => {
  world.keepsRedis = true;
  expect(await start(HOST, ['data'])).toBe(0);
  expect(entries.at(-1)?.reason).toContain('RPO 0');
});

test.each<[string, () => Promise<number>, string]>([
  ['without DRILL', () => start(null), 'DRILL'],
  [
    'for another host',
    () => start('test-api.kubently.io'),
    'DRILL: names test-api.kubently.io, the settings are of unit-api',
  ],
  ['without YES and a terminal', () => start(HOST, [], null), 'YES'],
  [
    'without a recipient',
    () => {
      given = { ...given, backup: { ...given.backup, recipients: [] } };
      return start();
    },
    'BACKUP_RECIPIENT',
  ],
  [
    'without an identity',
    () => {
      given = { ...given, backup: { ...given.backup, identityFile: undefined } };
      return start();
    },
    'BACKUP_IDENTITY',
  ],
  [
    'when the deployment could not be deployed again',
    () => {
      world.problems = [{ about: 'docker', message: 'does not answer', remedy: 'start it' }];
      return start();
    },
    'docker: does not answer',
  ],
])('refused %s: nothing was changed', async (_, begin, says) => {
  const error = await begin().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(Error);
  expect((error as Error).message).toContain(says);
  expect(error instanceof BadInput || says === 'YES').toBe(true);
  expect(world.order).toEqual([]);
  expect(entries).toEqual([]);
});

test.each<[string, () => void, string]>([
  [
    'cannot be read (another identity)',
    () => (world.fails['read'] = new BadInput([{ about: 'BACKUP', message: 'cannot be decrypted', remedy: 'r' }])),
    'cannot be decrypted',
  ],
  ['is another one', () => (world.backupTakenAt = '2025-12-31T00:00:00.000Z'), 'nothing was destroyed'],
  ['fails', () => (world.fails['backup'] = new Error('no room')), 'no room'],
])('a backup that %s destroys nothing', async (_, make, says) => {
  make();
  await expect(start()).rejects.toThrow(says);
  expect(world.order.filter((o) => /^(remove|run|restore)/.test(o))).toEqual([]);
  expect(world.redis.size).toBe(0);
  expect(entries).toEqual([]);
});

test.each<[string, () => void, string, string[]]>([
  ['the removal', () => (world.status['remove'] = 1), 'the removal ended with status 1', []],
  ['the deployment', () => (world.status['run'] = 1), 'the deployment ended with status 1', ['run deploy']],
  ['a criterion', () => (world.status['verify'] = 4), 'the proof of the criteria ended with status 4', ['verify']],
  ['Redis that was not destroyed', () => (world.keepsRedis = true), 'Redis was not destroyed', []],
])('%s that fails: no evidence, and the way back is told', async (_, make, says) => {
  make();
  await expect(start()).rejects.toThrow(says);
  expect(entries).toEqual([
    expect.objectContaining({ event: 'drill', state: 'failed', reason: expect.stringContaining(says) as string }),
  ]);
  expect(lines.at(-1)).toMatch(
    /^the way back, from wherever it stands: make deploy\b.*, then make restore BACKUP=\/backups\/1\.age\b/,
  );
});

test('what was lost although it is older than the backup is no drill that passed', async () => {
  world.fails['restore'] = new Error('Redis did not take every key');
  await expect(start()).rejects.toThrow('did not take every key');
  expect(entries.at(-1)?.state).toBe('failed');
});

test('somebody else’s lock ends it as it ends every command', async () => {
  const owner = { user: 'u', host: 'h', pid: 1, run: 'r', place: 'p', started: '' };
  const held = { id: 'i', owner, what: 'deploy', step: '', since: TAKEN, renewed: TAKEN } as HeldClaim;
  world.fails['remove'] = new Locked(
    held,
    new Lease(() => Promise.reject(new Error('not asked')), 'gke-context', 'lease'),
    0,
  );
  await expect(start()).rejects.toBeInstanceOf(Locked);
});
