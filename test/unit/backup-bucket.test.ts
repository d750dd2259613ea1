/** make backup into a bucket, and make restore of the newest from it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { armor, Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { Chalk } from 'chalk';
import { beforeEach, expect, test } from 'vitest';
import { BadInput } from '../../lib/base/failure.ts';
import { newestBackup, removeOld, storedBackups } from '../../lib/operations/backup/bucket.ts';
import type { JournalEntry } from '../../lib/runner/journal.ts';
import { Stop } from '../../lib/runner/stop.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import { backup, nameOf, type Taken } from '../../scripts/ops/backup.ts';
import { restore } from '../../scripts/ops/restore.ts';
import { FakeBucket } from './fake-bucket.ts';
import { FakeCluster } from './fake-cluster.ts';
import { FakeGoogle } from './fake-google.ts';
import { contextOf, fakeOutside, settings, temporaryFolder, type FakeOutside } from './outside.ts';
import { REDIS_POD, withTokens } from './remote.ts';

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
const NEW = 'unit-api.kubently.io/2026-01-01T00-00-00-000Z.redis.age';
const old = (day: string): string => `unit-api.kubently.io/2025-${day}T00-00-00-000Z.redis.age`;

let folder: string;
let identity: string;
let given: Settings;
let bucket: FakeBucket;
let outside: FakeOutside;
let lines: string[];
let entries: JournalEntry[];

beforeEach(async () => {
  folder = temporaryFolder();
  identity = await generateX25519Identity();
  writeFileSync(join(folder, 'identity.txt'), `${identity}\n`);
  given = withTokens(
    settings({
      backup: {
        recipients: [await identityToRecipient(identity)],
        identityFile: join(folder, 'identity.txt'),
        bucket: 'unit-backups',
        keepDays: 30,
      },
    }),
  );
  bucket = new FakeBucket('unit-backups');
  lines = [];
  entries = [];
});

function session() {
  const dump = `0\n${hex('session:1')} -1 ${hex('\x00\xff')}\n`;
  const rows = [{ binary: 'kubectl' as const, args: (a: readonly string[]) => a[0] === 'exec', answer: dump }];
  outside = fakeOutside({ worlds: [bucket, new FakeGoogle(), new FakeCluster('gke-context', [REDIS_POD])], rows });
  const out = {
    line: (t: string) => void lines.push(t),
    chalk: new Chalk({ level: 0 }),
    live: false,
    stream: process.stdout,
  };
  const ctx = contextOf(outside, given, true);
  return { ctx, outside, stop: new Stop(), out, journal: (e: JournalEntry) => void entries.push(e) };
}

const make = (): Promise<Taken> => backup(session(), join(folder, 'redis.age'));

test('a backup lies in the bucket as age reads it, encrypted, and is the file that was written', async () => {
  expect(nameOf(await make())).toBe('newest');
  expect([...bucket.objects.keys()]).toEqual([NEW]);
  const text = bucket.objects.get(NEW)?.text ?? '';
  expect(text).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----\n/);
  expect(Buffer.from(armor.decode(text))).toEqual(readFileSync(join(folder, 'redis.age')));
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  const { body } = JSON.parse(await decrypter.decrypt(armor.decode(text), 'text')) as { body: string };
  expect(JSON.parse(body)).toMatchObject({ host: given.host });
  expect(lines.slice(1)).toEqual([
    `stored as gs://unit-backups/${NEW}, compared by MD5`,
    '0 backups of more than 30 days removed',
  ]);
  expect(entries).toEqual([
    { event: 'backup', state: 'done', reason: `1 keys in gs://unit-backups/${NEW}`, deployment: given.host },
  ]);
  expect(outside.changes).toEqual([]);
});

test('the newest comes back, whatever the order of the list', async () => {
  await make();
  const [saved] = [...bucket.objects.values()];
  bucket.objects.set(old('12-30'), { text: 'no backup', at: '2025-12-30T00:00:00Z' });
  bucket.objects.set(old('12-31'), { text: 'no backup', at: '2025-12-31T00:00:00Z' });
  bucket.objects.set('unit-api.kubently.io/notes.txt', { text: 'another’s', at: '2026-02-01T00:00:00Z' });
  const found = await newestBackup(session().ctx, 'unit-backups', false);
  expect(found).toMatchObject({ host: given.host, takenAt: '2026-01-01T00:00:00.000Z', keys: [{ payload: 'AP8=' }] });
  expect(saved).toBeDefined();
  // It tells and asks as for a file; without a terminal nothing is restored.
  await expect(restore(session(), 'newest', undefined, undefined)).rejects.toThrow('YES');
  expect(lines.join('\n')).toContain('taken 2026-01-01T00:00:00.000Z');
  expect(outside.changes).toEqual([]);
});

test('what is older than BACKUP_KEEP_DAYS goes once a newer one is stored; others’ objects never', async () => {
  bucket.objects.set(old('12-02'), { text: 'a', at: '2025-12-02T00:00:00Z' });
  bucket.objects.set(old('12-01'), { text: 'b', at: '2025-12-01T00:00:00Z' });
  bucket.objects.set(old('11-01'), { text: 'c', at: '2025-11-01T00:00:00Z' });
  bucket.objects.set('unit-api.kubently.io/notes.txt', { text: 'd', at: '2024-01-01T00:00:00Z' });
  bucket.objects.set(`unit-api.kubently.io.example/${old('11-01').split('/')[1] ?? ''}`, {
    text: 'e',
    at: '2024-01-01T00:00:00Z',
  });
  bucket.held.add(old('11-01'));
  await make();
  expect([...bucket.objects.keys()].sort()).toEqual(
    [
      NEW,
      old('12-02'),
      old('11-01'),
      'unit-api.kubently.io/notes.txt',
      `unit-api.kubently.io.example/${old('11-01').split('/')[1] ?? ''}`,
    ].sort(),
  );
  expect(lines.join('\n')).toContain('1 backup of more than 30 days removed; 1 other stay: the bucket refuses');
});

test('a backup that arrives damaged is told, and nothing older is removed for it', async () => {
  bucket.objects.set(old('11-01'), { text: 'c', at: '2025-11-01T00:00:00Z' });
  bucket.damage = (text) => text.slice(0, -1);
  await expect(make()).rejects.toThrow('is not what was sent');
  expect(bucket.objects.has(old('11-01'))).toBe(true);
  expect(entries).toEqual([]);
});

test('an upload whose answer was lost is found to be there', async () => {
  bucket.losesAnswer = true;
  expect(await make()).toMatchObject({ stored: `gs://unit-backups/${NEW}` });
  expect(outside.sleeps).toEqual([1000]);
  expect([...bucket.objects.keys()]).toEqual([NEW]);
});

test('refused before Redis is asked: no such bucket; newest without a bucket, without a backup, of another identity', async () => {
  given = { ...given, backup: { ...given.backup, bucket: 'none-such' } };
  await expect(make()).rejects.toThrow('BACKUP_BUCKET: there is no bucket none-such');
  expect(outside.commands.map((c) => c.binary)).not.toContain('kubectl');
  given = { ...given, backup: { ...given.backup, bucket: undefined } };
  await expect(restore(session(), 'newest', '1', undefined)).rejects.toThrow('BACKUP_BUCKET: is not set');
  given = { ...given, backup: { ...given.backup, bucket: 'unit-backups' } };
  await expect(restore(session(), 'newest', '1', undefined)).rejects.toThrow('holds no backup of unit-api.kubently.io');
  await expect(restore(session(), undefined, '1', undefined)).rejects.toThrow(BadInput);
  await make();
  writeFileSync(join(folder, 'identity.txt'), `${await generateX25519Identity()}\n`);
  await expect(restore(session(), 'newest', '1', undefined)).rejects.toThrow('cannot be decrypted');
  bucket.objects.set(NEW, { text: 'not age', at: bucket.now });
  await expect(restore(session(), 'newest', '1', undefined)).rejects.toThrow('is no age file');
  given = { ...given, backup: { ...given.backup, identityFile: undefined } };
  await expect(restore(session(), 'newest', '1', undefined)).rejects.toThrow('BACKUP_IDENTITY');
});

test('a bucket that refuses the list is told in Google’s words', async () => {
  bucket.request = () => ({
    status: 403,
    headers: {},
    body: JSON.stringify({ error: { message: 'no storage.objects.list' } }),
  });
  await expect(storedBackups(session().ctx, 'unit-backups')).rejects.toMatchObject({
    parts: { found: 'no storage.objects.list' },
  });
  expect(await removeOld(session().ctx, 'unit-backups', [])).toBe('0 backups of more than 30 days removed');
});
