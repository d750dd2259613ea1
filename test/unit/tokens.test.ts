import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { ROOT } from '../../lib/base/paths.ts';
import { Secret } from '../../lib/base/secret.ts';
import { changeTokens, readIngressIp, readTokens, tokenName, tokenNames } from '../../lib/settings/tokens-file.ts';
import { deploymentOf } from '../../lib/settings/secret-files.ts';
import { settings, temporaryFolder } from './outside.ts';

vi.mock('node:fs/promises', { spy: true });

const OLD = { API_KEY: new Secret('old-api-key-0001') };
const NEW = { API_KEY: new Secret('new-api-key-0001') };
let file: string;
const write = (tokens: Record<string, Secret>, ip = '203.0.113.7'): Promise<void> =>
  changeTokens({ tokensFile: file, host: 'unit-api.kubently.io' }, () => tokens, ip);

beforeEach(() => {
  file = join(temporaryFolder(), 'deep', 'tokens.env');
});

test('nobody else can read it at any moment: the new file is born 0600, under a name that nobody knows, and takes the old one’s place whole', async () => {
  await write(OLD);
  const [fresh] =
    vi
      .mocked(open)
      .mock.calls.find(([path]) => String(path).startsWith(`${file}.`) && !String(path).includes('.lock')) ?? [];
  expect(String(fresh)).toMatch(/tokens\.env\.[0-9a-f]{16}$/);
  expect(open).toHaveBeenCalledWith(fresh, 'wx', 0o600);
  expect(rename).toHaveBeenCalledWith(fresh, file);
  expect(readdirSync(join(file, '..'))).toEqual(['tokens.env']);
});

test('a write that fails leaves the old file as it was, and nothing beside it', async () => {
  await write(OLD);
  const before = readFileSync(file, 'utf8');
  vi.mocked(rename).mockRejectedValueOnce(new Error('EIO'));
  await expect(write(NEW)).rejects.toThrow('EIO');
  expect(readFileSync(file, 'utf8')).toBe(before);
  expect(readdirSync(join(file, '..'))).toEqual(['tokens.env']);
});

test('it reads back as it was written, boxed, and a shell can source it', async () => {
  await write(NEW);
  const read = readTokens(file);
  expect(Object.keys(read)).toEqual(['API_KEY']);
  expect(read['API_KEY']?.equals(NEW.API_KEY)).toBe(true);
  expect(readIngressIp(file)).toBe('203.0.113.7');
  expect(deploymentOf(file)).toBe('unit-api.kubently.io');
  const { stdout } = spawnSync('sh', ['-c', '. "$1"; echo $API_KEY $INGRESS_IP', 'sh', file], { encoding: 'utf8' });
  expect(stdout).toBe('new-api-key-0001 203.0.113.7\n');
});

test('of 160 tokens that two processes add at the same time, none is lost', async () => {
  const script = `
    import { changeTokens } from '${ROOT}/lib/settings/tokens-file.ts';
    import { Secret } from '${ROOT}/lib/base/secret.ts';
    const [file, name] = process.argv.slice(1);
    await Promise.all(Array.from({ length: 80 }, (_, i) =>
      changeTokens({ tokensFile: file, host: 'unit-api.kubently.io' }, (t) => ({ ...t, [name + i]: new Secret('token-of-two-writers-' + i) }))));`;
  const writer = (name: string): Promise<unknown> =>
    once(
      spawn(process.execPath, ['--input-type=module-typescript', '-e', script, file, name], { stdio: 'inherit' }),
      'close',
    );
  expect(await Promise.all([writer('A'), writer('B')])).toEqual([
    [0, null],
    [0, null],
  ]);
  expect(Object.keys(readTokens(file))).toHaveLength(160);
  expect(readdirSync(join(file, '..'))).toEqual(['tokens.env']);
}, 60_000);

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
  await write({ API_KEY: new Secret(value) });
  expect(readTokens(file)['API_KEY']?.reveal()).toBe(value);
  const { status, stdout } = spawnSync('sh', ['-c', '. "$1"; printf %s "$API_KEY"', 'sh', file], { encoding: 'utf8' });
  expect([status, stdout]).toEqual([0, value]);
});

test.each(["it's", 'two\nlines', 'x\rAPI_KEY=y'])(
  'a value that cannot be written so that both read it alike is refused: %j',
  async (value) => {
    await write(OLD);
    const before = readFileSync(file, 'utf8');
    await expect(write({ API_KEY: new Secret(value) })).rejects.toThrow('API_KEY cannot be kept');
    expect(readFileSync(file, 'utf8')).toBe(before);
  },
);

test('an address that is none does not become a line that is sourced', async () => {
  await expect(write(OLD, '1.2.3.4; touch pwned')).rejects.toThrow('is no IP address');
});
