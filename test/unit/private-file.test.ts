/** Files of secrets on a machine that others use too. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  chmodSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { BadInput } from '../../lib/base/failure.ts';
import { thisOwner } from '../../lib/base/owner.ts';
import { aloneWith, makePrivateFolder, writePrivately } from '../../lib/base/private-file.ts';
import { openJournal } from '../../lib/runner/journal.ts';
import { defaultTokensFile, deploymentLine, refuseOpenToolFiles } from '../../lib/settings/secret-files.ts';
import { loadSettings } from '../../lib/settings/settings.ts';
import { temporaryFolder } from './outside.ts';
import { writeSettings } from './settings-file.ts';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

function written(name: string, mode: number, text = 'x'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function problemsOf(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof BadInput) return error.problems.map((p) => `${p.about}: ${p.message}; ${p.remedy}`);
    throw error;
  }
  return [];
}

const load = (changed: Record<string, string>, more = '', mode = 0o600): string[] => {
  const file = join(folder, '.env');
  writeSettings(file, { TOKENS_FILE: join(folder, 'none.env'), ...changed }, more);
  chmodSync(file, mode);
  return problemsOf(() => loadSettings({ ENV_FILE: file, HOME: folder }));
};

const MODES = [0o644, 0o640, 0o604, 0o660, 0o602, 0o620, 0o610, 0o777];

test.each(MODES)('mode %o of a file with secrets is refused, with the chmod to type', (mode) => {
  const file = join(folder, '.env');
  expect(load({}, 'GITHUB_TOKEN=ghp_private-file-0001\n', mode)).toEqual([
    `${file}: holds GITHUB_TOKEN and can be read by others (mode 0${mode.toString(8)}); chmod 600 ${file}`,
  ]);
  for (const [name, more] of [
    ['TOKENS_FILE', {}],
    ['BACKUP_IDENTITY', {}],
  ] as const) {
    const path = written(name, mode);
    expect(load({ [name]: path, ...more })[0]).toMatch(
      new RegExp(
        `^${name}: "${path}" can be read or written by others \\(mode 0${mode.toString(8)}\\): chmod 600 ${path}; `,
      ),
    );
  }
  const key = written('key.pem', mode);
  const cert = written('cert.pem', 0o644, '-----BEGIN CERTIFICATE-----');
  expect(load({ TLS_KEY_FILE: key, TLS_CERT_FILE: cert })[0]).toContain(`chmod 600 ${key}`);
});

test('settings without a secret may be read by others, never written', () => {
  expect(load({}, '', 0o644)).toEqual([]);
  expect(load({}, 'GITHUB_TOKEN=\n', 0o644)).toEqual([]);
  expect(load({}, '', 0o664)).toEqual([
    `${folder}/.env: can be written by others (mode 0664); chmod 600 ${folder}/.env`,
  ]);
});

test.each([
  'KUBECONFIG',
  'GOOGLE_APPLICATION_CREDENTIALS',
  'CLOUDSDK_AUTH_ACCESS_TOKEN_FILE',
  'CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE',
])('%s: a file that others may read is refused', (name) => {
  const [open, shut] = [written('open', 0o640), written('shut', 0o600)];
  expect(problemsOf(() => refuseOpenToolFiles({ HOME: folder, [name]: open }))).toEqual([
    `${name}: ${open} can be read or written by others (mode 0640); chmod 600 ${open}`,
  ]);
  expect(problemsOf(() => refuseOpenToolFiles({ HOME: folder, [name]: shut }))).toEqual([]);
});

test('several kubeconfigs, and the one that nobody named', () => {
  const [open, shut] = [written('open', 0o640), written('shut', 0o600)];
  expect(problemsOf(() => refuseOpenToolFiles({ KUBECONFIG: `${shut}:${open}:${folder}/none` }))).toHaveLength(1);
  mkdirSync(join(folder, '.kube'));
  written('.kube/config', 0o644);
  expect(problemsOf(() => refuseOpenToolFiles({ HOME: folder }))[0]).toMatch(/^KUBECONFIG: .*config can be read/);
});

test('what is written takes the place of a symbolic link, and nothing that it leads to is touched', async () => {
  const victim = written('victim', 0o644, 'untouched');
  const path = join(folder, 'secret');
  symlinkSync(victim, path);
  await writePrivately(path, 'new');
  expect(readFileSync(victim, 'utf8')).toBe('untouched');
  expect(lstatSync(path).isSymbolicLink()).toBe(false);
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['new', 0o600]);
});

test('a lock that a link of an attacker stands for is not written through', async () => {
  const victim = written('victim', 0o644, 'untouched');
  symlinkSync(victim, join(folder, 'secret.lock'));
  utimesSync(victim, 0, 0);
  expect(await aloneWith(join(folder, 'secret'), () => Promise.resolve('done'))).toBe('done');
  expect(readFileSync(victim, 'utf8')).toBe('untouched');
});

test('the lock of a dead process is taken over at once, one from before the last boot after a minute', async () => {
  const path = join(folder, 'secret');
  writeFileSync(`${path}.lock`, JSON.stringify({ ...thisOwner(), pid: 999_999_999 }));
  expect(await aloneWith(path, () => Promise.resolve('done'))).toBe('done');
  writeFileSync(`${path}.lock`, JSON.stringify({ ...thisOwner(), place: 'another boot', pid: 1 }));
  utimesSync(`${path}.lock`, 0, 0);
  expect(await aloneWith(path, () => Promise.resolve('done'))).toBe('done');
  writeFileSync(`${path}.lock`, '');
  utimesSync(`${path}.lock`, 0, 0);
  expect(await aloneWith(path, () => Promise.resolve('done'))).toBe('done');
  expect(readdirSync(folder)).toEqual([]);
});

test('the lock is freed when the work fails', async () => {
  const path = join(folder, 'secret');
  await expect(aloneWith(path, () => Promise.reject(new Error('full')))).rejects.toThrow('full');
  expect(existsSync(`${path}.lock`)).toBe(false);
});

test('a folder that others could enter is closed, with the first line of the journal', () => {
  const own = join(folder, '.runbook');
  mkdirSync(own, { mode: 0o755 });
  openJournal('.env', () => undefined, own)({ event: 'run' });
  expect(statSync(own).mode & 0o777).toBe(0o700);
  makePrivateFolder(join(folder, 'new'));
  expect(statSync(join(folder, 'new')).mode & 0o777).toBe(0o700);
});

test('each deployment has a TOKENS_FILE of its own; the file of old is found by the one whose it is', () => {
  const old = join(folder, '.kubently-tokens.env');
  const own = (host: string): string => join(folder, `.kubently-tokens-${host}.env`);
  expect(defaultTokensFile('a.kubently.io', folder)).toBe(own('a.kubently.io'));
  writeFileSync(old, 'API_KEY=old-api-key-000001\n');
  expect(defaultTokensFile('a.kubently.io', folder)).toBe(old);
  writeFileSync(old, `${deploymentLine('a.kubently.io')}API_KEY=old-api-key-000001\n`);
  expect(defaultTokensFile('a.kubently.io', folder)).toBe(old);
  expect(defaultTokensFile('b.kubently.io', folder)).toBe(own('b.kubently.io'));
  writeFileSync(own('a.kubently.io'), '');
  expect(defaultTokensFile('a.kubently.io', folder)).toBe(own('a.kubently.io'));
});

test('a file that holds the tokens of another deployment is refused, however it was named', () => {
  const file = written('tokens.env', 0o600, `${deploymentLine('other.kubently.io')}API_KEY=other-api-key-0001\n`);
  expect(load({ TOKENS_FILE: file })[0]).toMatch(
    /^TOKENS_FILE: ".*tokens\.env" holds the tokens of other\.kubently\.io/,
  );
  written('tokens.env', 0o600, `${deploymentLine('unit-api.kubently.io')}API_KEY=other-api-key-0001\n`);
  expect(load({ TOKENS_FILE: file })).toEqual([]);
});
