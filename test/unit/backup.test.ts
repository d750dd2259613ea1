/** make backup and make restore: what is refused, and that what comes back is byte for byte what was saved. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { expect, test } from 'vitest';
import { readBackup, recipientsOf, writeBackup, type Backup } from '../../lib/operations/backup/backup-file.ts';
import { BadInput } from '../../lib/base/failure.ts';
import { dumpRedis, restoreRedis } from '../../lib/operations/backup/redis-dump.ts';
import { Secret } from '../../lib/base/secret.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import { changeTokens } from '../../lib/settings/tokens-file.ts';
import { FakeCluster } from './fake-cluster.ts';
import { contextOf, fakeOutside, inputOf, settings, temporaryFolder } from './outside.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');

async function pair(): Promise<{ given: Settings; file: string; backup: Backup }> {
  const folder = temporaryFolder();
  const identityFile = join(folder, 'identity.txt');
  const identity = await generateX25519Identity();
  writeFileSync(identityFile, `# a comment\n${identity}\n`);
  const given = settings({ backup: { recipients: [await identityToRecipient(identity)], identityFile } });
  const keys = [
    { key: 'a2V5', payload: 'AP/+', expiresAt: 5 },
    { key: 'azI=', payload: 'AA==' },
  ];
  const backup: Backup = { format: 1, host: given.host, release: given.release, takenAt: '2026-01-01T00:00:00Z', keys };
  return { given, file: join(folder, 'sub', 'redis.age'), backup };
}

test('a backup comes back as it was, and lies encrypted for its owner only', async () => {
  const { given, file, backup } = await pair();
  await writeBackup(file, backup, given);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'latin1')).not.toContain(given.host);
  expect(existsSync(`${file}.new`)).toBe(false);
  expect(await readBackup(file, given)).toEqual(backup);
});

test('refused: no recipient, no identity, no file, another identity, another deployment', async () => {
  const { given, file, backup } = await pair();
  await writeBackup(file, backup, given);
  expect(() => recipientsOf(settings())).toThrow(BadInput);
  await expect(writeBackup(`${file}.2`, backup, settings())).rejects.toThrow(BadInput);
  expect(existsSync(`${file}.2`)).toBe(false);
  await expect(readBackup(file, settings())).rejects.toThrow('BACKUP_IDENTITY');
  await expect(readBackup(undefined, given)).rejects.toThrow('BACKUP: is not given');
  await expect(readBackup(`${file}.none`, given)).rejects.toThrow(BadInput);
  await expect(readBackup(file, (await pair()).given)).rejects.toThrow('cannot be decrypted');
  await expect(readBackup(file, { ...given, host: 'other-api.kubently.io' })).rejects.toThrow('is of kubently at');
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
