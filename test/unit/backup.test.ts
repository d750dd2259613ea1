/** make backup and make restore: what is refused, and that what comes back is byte for byte what was saved. */
import { createHmac } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { expect, test } from 'vitest';
import { readBackup, recipientsOf, writeBackup, type Backup } from '../../lib/operations/backup/backup-file.ts';
import { BadInput, explain } from '../../lib/base/failure.ts';
import { dumpRedis, restoreRedis } from '../../lib/operations/backup/redis-dump.ts';
import { Secret } from '../../lib/base/secret.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import { changeTokens } from '../../lib/settings/tokens-file.ts';
import { FakeCluster } from './fake-cluster.ts';
import { contextOf, fakeOutside, inputOf, settings, temporaryFolder } from './outside.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');

async function pair(): Promise<{ given: Settings; file: string; backup: Backup }> {
  const folder = temporaryFolder();
  const identityFile = join(folder, 'identity.txt');
  const identity = await generateX25519Identity();
  writeFileSync(identityFile, `# a comment\n${identity}\n`, { mode: 0o600 });
  const given = settings({
    backup: { ...settings().backup, recipients: [await identityToRecipient(identity)], identityFile },
  });
  const keys = [
    { key: base64('executor:token:gke'), payload: 'AP/+', expiresAt: 5 },
    { key: base64('session:1'), payload: 'AA==' },
  ];
  const backup: Backup = {
    by: 'c0ffee0',
    host: given.host,
    release: given.release,
    takenAt: '2026-01-01T00:00:00Z',
    keys,
  };
  return { given, file: join(folder, 'sub', 'redis.age'), backup };
}

test('a backup comes back as it was, and lies encrypted for its owner only', async () => {
  const { given, file, backup } = await pair();
  await writeBackup(file, backup, given);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'latin1')).not.toContain(given.host);
  expect(existsSync(`${file}.new`)).toBe(false);
  expect(await readBackup(file, given, false)).toEqual({ ...backup, signed: true, leftOut: [] });
});

test('refused: no recipient, no identity, no file, another identity, another deployment', async () => {
  const { given, file, backup } = await pair();
  await writeBackup(file, backup, given);
  expect(() => recipientsOf(settings())).toThrow(BadInput);
  await expect(writeBackup(`${file}.2`, backup, settings())).rejects.toThrow(BadInput);
  expect(existsSync(`${file}.2`)).toBe(false);
  await expect(readBackup(file, settings(), false)).rejects.toThrow('BACKUP_IDENTITY');
  await expect(readBackup(undefined, given, false)).rejects.toThrow('BACKUP: is not given');
  const folder = temporaryFolder();
  for (const [path, message] of [
    ['', 'BACKUP: is empty'],
    [`${file}.none`, `BACKUP: ${file}.none does not exist`],
    [folder, `BACKUP: ${folder} is a folder`],
    ['/dev/zero', 'BACKUP: /dev/zero is no plain file'],
  ] as const)
    await expect(readBackup(path, given, false), path).rejects.toMatchObject({ name: 'BadInput', message });
  await expect(readBackup(file, (await pair()).given, false)).rejects.toThrow('cannot be decrypted');
  await expect(readBackup(file, { ...given, host: 'other-api.kubently.io' }, false)).rejects.toThrow(
    'is of kubently at',
  );
});

/** A file that anybody can make who knows the public key. */
async function forged(given: Settings, file: string, content: unknown): Promise<void> {
  const encrypter = new Encrypter();
  for (const recipient of given.backup.recipients) encrypter.addRecipient(recipient);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, await encrypter.encrypt(typeof content === 'string' ? content : JSON.stringify(content)));
}

test('forged by one who knows the public key: refused, with a signature of another key, of none, and without', async () => {
  const { given, file, backup } = await pair();
  await writeBackup(`${file}.real`, backup, given);
  const body = JSON.stringify(backup);
  const by = (key: string): string => createHmac('sha256', key).update(body).digest('base64');
  for (const signature of [by('guessed'), by(''), '', 'AAAA']) {
    await forged(given, file, { format: 2, signature, body });
    await expect(readBackup(file, given, false)).rejects.toThrow('was not signed with the BACKUP_KEY');
  }
  await forged(given, file, { format: 1, ...backup });
  await expect(readBackup(file, given, false)).rejects.toThrow('is of old and not signed');
  expect(await readBackup(file, given, true)).toEqual({ ...backup, signed: false, leftOut: [] });
});

test('a backup of another deployment with the same recipient is refused, UNSIGNED=1 or not', async () => {
  const [mine, theirs] = [await pair(), await pair()];
  const other = { ...theirs.given, host: 'other.kubently.io', backup: mine.given.backup };
  await writeBackup(theirs.file, { ...theirs.backup, host: other.host }, other);
  await writeBackup(mine.file, mine.backup, mine.given);
  await expect(readBackup(theirs.file, mine.given, false)).rejects.toThrow('was not signed with');
  await expect(readBackup(theirs.file, mine.given, true)).rejects.toThrow('is of kubently at other.kubently.io');
});

test('after TOKENS_FILE was lost, it says so and what takes it all the same', async () => {
  const { given, file, backup } = await pair();
  await writeBackup(file, backup, given);
  rmSync(given.tokensFile);
  const error: unknown = await readBackup(file, given, false).catch((e: unknown) => e);
  expect(explain(error)).toMatch(/has no BACKUP_KEY[^]*UNSIGNED=1/);
  expect((await readBackup(file, given, true)).signed).toBe(false);
});

test.each([0.2, 0.5, 0.9, 0.999])('cut at %f of its length: refused', async (part) => {
  const { given, file, backup } = await pair();
  await writeBackup(file, backup, given);
  const whole = readFileSync(file);
  writeFileSync(file, whole.subarray(0, Math.floor(whole.length * part)));
  await expect(readBackup(file, given, true)).rejects.toThrow('cannot be decrypted');
});

test('a changed byte, what is no backup, and one of 300 MB: refused before anything of it is used', async () => {
  const { given, file, backup } = await pair();
  await writeBackup(file, backup, given);
  const bytes = readFileSync(file);
  bytes[bytes.length - 30] = (bytes.at(-30) ?? 0) ^ 1;
  writeFileSync(file, bytes);
  await expect(readBackup(file, given, true)).rejects.toThrow('cannot be decrypted');
  for (const content of [
    'no JSON',
    '[]',
    '{"format":3}',
    { format: 1, ...backup, takenAt: '\x1b[2J' },
    { format: 1, ...backup, keys: [{ key: '$(x)', payload: '' }] },
  ]) {
    await forged(given, file, content);
    await expect(readBackup(file, given, true)).rejects.toThrow('holds no backup of this runbook');
  }
  truncateSync(file, 300 * 1024 * 1024);
  await expect(readBackup(file, given, true)).rejects.toThrow('it has 300 MB, and no backup has more than 256');
});

test('names that Kubently does not use are not put back', async () => {
  const { given, file, backup } = await pair();
  const keys = ['executor:token:gke', 'evil', 'xexecutor:token:gke', 'lua:script', '\x1b[2J'].map((name) => ({
    key: base64(name),
    payload: 'AA==',
  }));
  await writeBackup(file, { ...backup, keys }, given);
  const read = await readBackup(file, given, false);
  expect(read.keys).toEqual(keys.slice(0, 1));
  expect(read.leftOut).toEqual(keys.slice(1));
});

async function redis(answer: string) {
  const given = settings();
  await changeTokens(given, () => ({ REDIS_PASSWORD: new Secret('unit-redis-0001') }), '');
  const labels = { 'app.kubernetes.io/instance': 'kubently', 'app.kubernetes.io/component': 'redis' };
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'redis-0', namespace: 'kubently', labels },
  };
  const rows = [{ binary: 'kubectl' as const, args: (a: readonly string[]) => a[0] === 'exec', answer }];
  const outside = fakeOutside({ worlds: [new FakeCluster('gke-context', [pod])], rows });
  return { outside, ctx: contextOf(outside, given) };
}

test('a dump: pages with their cursors, keys of any byte, a key that came twice once', async () => {
  const page = `17\n${hex('session:1')} 1767225600000 ${hex('\x00\xff')}\n0\n${hex('k\n')} -1 ${hex('x')}\n${hex('k\n')} -1 ${hex('x')}\n`;
  const { outside, ctx } = await redis(page);
  expect(await dumpRedis(ctx)).toEqual([
    { key: Buffer.from('session:1').toString('base64'), payload: 'AP8=', expiresAt: 1767225600000 },
    { key: 'awo=', payload: 'eA==' },
  ]);
  expect(outside.changes).toEqual([]);
  expect(outside.commands.at(-1)?.args.join(' ')).not.toContain('unit-redis-0001');
});

test('a restore: RESTORE … REPLACE in Redis’s protocol by stdin; what Redis refuses is told', async () => {
  const good = await redis('errors: 0, replies: 2\n');
  const keys = [
    { key: 'a2V5', payload: 'AP8=', expiresAt: 1767225600000 },
    { key: 'azI=', payload: 'eA==' },
  ];
  expect(await restoreRedis(good.ctx, keys)).toBe(2);
  const sent = good.outside.commands.at(-1);
  expect(sent?.mutates).toBe(true);
  const [password, body = ''] = sent ? inputOf(sent).split('\n') : [];
  expect(password).toBe('unit-redis-0001');
  expect(Buffer.from(body, 'base64').toString('latin1')).toBe(
    '*6\r\n$7\r\nRESTORE\r\n$3\r\nkey\r\n$13\r\n1767225600000\r\n$2\r\n\x00\xff\r\n$7\r\nREPLACE\r\n$6\r\nABSTTL\r\n' +
      '*5\r\n$7\r\nRESTORE\r\n$2\r\nk2\r\n$1\r\n0\r\n$1\r\nx\r\n$7\r\nREPLACE\r\n',
  );
  const bad = await redis('ERR DUMP payload version or checksum are wrong\nerrors: 1, replies: 2\n');
  await expect(restoreRedis(bad.ctx, keys)).rejects.toThrow('did not take every key');
  expect(await restoreRedis(bad.ctx, [])).toBe(0);
});
