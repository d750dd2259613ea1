import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { realRun } from '../../lib/base/command.ts';
import { Secret } from '../../lib/base/secret.ts';
import { readIngressIp, readTokens, tokenName, tokenNames, writeTokens } from '../../lib/settings/tokens-file.ts';
import { settings, temporaryFolder } from './outside.ts';

vi.mock('node:fs/promises', { spy: true });

const OLD = { API_KEY: new Secret('old-api-key-0001') };
const NEW = { API_KEY: new Secret('new-api-key-0001') };
let file: string;

beforeEach(() => {
  file = join(temporaryFolder(), 'deep', 'tokens.env');
});

test('nobody else can read it at any moment: the new file is born 0600 and takes the old one’s place whole', async () => {
  await writeTokens(file, OLD, '203.0.113.7');
  expect(open).toHaveBeenCalledWith(`${file}.new`, 'w', 0o600);
  expect(rename).toHaveBeenCalledWith(`${file}.new`, file);
});

test('a write that fails leaves the old file as it was', async () => {
  await writeTokens(file, OLD, '203.0.113.7');
  const before = readFileSync(file, 'utf8');
  mkdirSync(`${file}.new`);
  await expect(writeTokens(file, NEW, '203.0.113.7')).rejects.toThrow('EISDIR');
  expect(readFileSync(file, 'utf8')).toBe(before);
});

test('it reads back as it was written, boxed, and a shell can source it', async () => {
  await writeTokens(file, NEW, '203.0.113.7');
  const read = readTokens(file);
  expect(Object.keys(read)).toEqual(['API_KEY']);
  expect(read['API_KEY']?.equals(NEW.API_KEY)).toBe(true);
  expect(readIngressIp(file)).toBe('203.0.113.7');
  const script =
    'const t = require("child_process").execFileSync("sh", ["-c", `. ${process.argv[1]}; echo $API_KEY $INGRESS_IP`]); process.stdout.write(t)';
  const run = realRun({ PATH: process.env['PATH'] ?? '' });
  const { stdout } = await run({ binary: 'node', args: ['-e', script, file], mutates: false });
  expect(stdout).toBe('new-api-key-0001 203.0.113.7\n');
});

test('no file, or an empty value, is no token', () => {
  expect(readTokens(file)).toEqual({});
  expect(readIngressIp(file)).toBeUndefined();
  const other = join(temporaryFolder(), 't');
  writeFileSync(other, 'API_KEY=\n');
  expect(readTokens(other)).toEqual({});
});

test('a token for each cluster, by its id', () => {
  expect(tokenName('kind-remote-2')).toBe('KIND_REMOTE_2_EXECUTOR_TOKEN');
  expect(tokenNames(settings())).toEqual([
    'API_KEY',
    'REDIS_PASSWORD',
    'GKE_EXECUTOR_TOKEN',
    'KIND_REMOTE_EXECUTOR_TOKEN',
  ]);
});

test.each([
  '~root/x-0000000000000000',
  'a $(touch pwned) `id` "b" \\ ;&|',
  '#0000000000000000',
  ' blank at both ends ',
])('a value that a shell would act upon is quoted, and read back as it was: %s', async (value) => {
  await writeTokens(file, { API_KEY: new Secret(value) }, '');
  expect(readTokens(file)['API_KEY']?.reveal()).toBe(value);
  const { status, stdout } = spawnSync('sh', ['-c', '. "$1"; printf %s "$API_KEY"', 'sh', file], { encoding: 'utf8' });
  expect([status, stdout]).toEqual([0, value]);
});

test.each(["it's", 'two\nlines', 'x\rAPI_KEY=y'])(
  'a value that cannot be written so that both read it alike is refused: %j',
  async (value) => {
    await writeTokens(file, OLD, '');
    const before = readFileSync(file, 'utf8');
    await expect(writeTokens(file, { API_KEY: new Secret(value) }, '')).rejects.toThrow('API_KEY cannot be kept');
    expect(readFileSync(file, 'utf8')).toBe(before);
  },
);

test('an address that is none does not become a line that is sourced', async () => {
  await expect(writeTokens(file, OLD, '1.2.3.4; touch pwned')).rejects.toThrow('is no IP address');
});
