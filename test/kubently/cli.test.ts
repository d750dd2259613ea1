import { execFile, execFileSync } from 'node:child_process';
import { cpSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CHECKOUT, client, freePort, KEY, TOKEN, until, World } from './processes.ts';

const world = new World();
let url = '';
const folder = () => join(world.folder, 'cli');

/** Runs the built program with a home of its own; `input` is piped in. */
function kubently(args: string[], env: NodeJS.ProcessEnv = {}, input = '') {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const options = { env: { PATH: process.env['PATH'], HOME: world.folder, ...env } };
    const child = execFile(
      process.execPath,
      [join(folder(), 'dist/index.js'), ...args],
      options,
      (error, stdout, stderr) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

const access = () => ({ KUBENTLY_API_URL: url, KUBENTLY_API_KEY: KEY });
const QUESTION = 'What pods are running in test-app namespace across all clusters?\n';

beforeAll(async () => {
  // As the plan has it: npm install, npm run build, in a copy of the checkout's CLI.
  cpSync(join(CHECKOUT, 'kubently-cli/nodejs'), folder(), { recursive: true });
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder(), stdio: 'pipe' });
  execFileSync('npm', ['run', 'build'], { cwd: folder(), stdio: 'pipe' });
  await world.open();
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  await until(world.api(port), /subscriptions\): connected/);
  for (const cluster of ['gke', 'kind-remote']) {
    await client(url)('POST', `/admin/agents/${cluster}/token`, { token: TOKEN });
    await until(world.executor(url, cluster), /SSE connection established/);
  }
}, 120_000);
afterAll(() => world.close());

test('debug answers piped questions in turn, from the clusters asked about', async () => {
  const all = await kubently(['debug'], access(), QUESTION + 'How are you?\n');
  expect(all.code).toBe(0);
  expect(all.stdout).toMatch(/nginx-gke: Running[^]*nginx-kind-remote: Running[^]*knows one question only/);
  // As Kubently's: the question is echoed, and the answer stands between rules.
  expect(all.stdout).toMatch(/kubently> [^]*What pods are running[^]*Kubently Response:\n─+\n[^]*nginx-gke[^]*\n─+\n/);
  const one = await kubently(['debug', 'kind-remote'], access(), QUESTION);
  expect(one.stdout).toContain('nginx-kind-remote');
  expect(one.stdout).not.toContain('nginx-gke');
});

test('debug exits 0 on a wrong key and a wrong path, and says so', async () => {
  const wrong = await kubently(['debug'], { ...access(), KUBENTLY_API_KEY: 'wrong' }, QUESTION);
  expect(wrong).toMatchObject({ code: 0, stdout: expect.stringContaining('answered 401') as string });
  const doubled = await kubently(['debug'], { ...access(), KUBENTLY_API_URL: `${url}/a2a` }, QUESTION);
  expect(doubled).toMatchObject({ code: 0, stdout: expect.stringContaining('answered 404') as string });
});

test('debug exits 1 without URL or key, and for an option that it has not', async () => {
  expect(await kubently(['debug'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('KUBENTLY_API_URL') as string,
  });
  expect((await kubently(['debug', '--cluster', 'gke'], access())).code).toBe(1);
});

test('options before or after the command; the environment wins over them', async () => {
  const after = await kubently(['cluster', 'list', '--api-url', url, '--api-key', KEY]);
  const before = await kubently(['--api-url', url, '--api-key', KEY, 'cluster', 'list']);
  expect(after).toMatchObject({ code: 0, stdout: expect.stringMatching(/│ gke +│ connected +│/) as string });
  expect(before.stdout).toBe(after.stdout);
  expect((await kubently(['cluster', 'list', '--api-key', 'wrong'], access())).code).toBe(0);
  expect((await kubently(['cluster', 'list'], { ...access(), KUBENTLY_API_KEY: 'wrong' })).code).toBe(1);
  expect((await kubently(['cluster', 'list'])).code).toBe(0);
});

test('cluster add keeps the token in a file of the owner only; status and remove', async () => {
  expect((await kubently(['cluster', 'add', 'extra', '--custom-token', TOKEN], access())).stdout).toContain(TOKEN);
  const file = join(world.folder, '.kubently/config.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ clusters: { extra: { token: TOKEN } } });
  expect((await kubently(['cluster', 'add', 'extra'], access())).code).toBe(1);
  expect((await kubently(['cluster', 'status', 'extra'], access())).stdout).toContain('disconnected');
  expect((await kubently(['cluster', 'remove', '-f', 'extra'], access())).code).toBe(0);
  expect((await kubently(['cluster', 'status', 'extra'], access())).code).toBe(1);
});

test('version', async () => {
  const { version } = JSON.parse(readFileSync(join(folder(), 'package.json'), 'utf8')) as { version: string };
  expect(await kubently(['version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
});
