/** lint-chart and render as a program: no cluster, no credentials, .env.example alone. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { fixture, type Shape } from './releases.ts';

const ROOT = join(import.meta.dirname, '..', '..');
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'checkouts-'));
  for (const shape of ['A', 'H'] satisfies Shape[])
    cpSync(fixture(shape), join(folder, shape, 'deployment', 'helm', 'kubently'), { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(script: string, repo: string, ...args: string[]) {
  return runWith({ ENV_FILE: join(ROOT, '.env.example'), KUBENTLY_REPO: repo }, script, ...args);
}

/** The script in an empty folder, with these settings of the shell. */
function runWith(settings: Record<string, string>, script: string, ...args: string[]) {
  const env = { PATH: process.env['PATH'], HOME: folder, ...settings };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts', 'ops', script), ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('a chart that fits: exit 0, each finding with a remedy, the same as JSON', () => {
  const text = run('lint-chart.ts', join(folder, 'H'));
  expect(text).toMatchObject({ status: 0, stderr: '' });
  expect(text.stdout).toMatch(/gke: release kubently in namespace kubently: 0 errors, \d+ warnings/);
  const json = JSON.parse(run('lint-chart.ts', join(folder, 'H'), '--json').stdout) as {
    ok: boolean;
    releases: { name: string; findings: { remedy: string }[] }[];
  };
  expect(json.ok).toBe(true);
  expect(json.releases.map((r) => r.name)).toEqual(['gke', 'remote']);
  expect(json.releases.flatMap((r) => r.findings).every((f) => f.remedy !== '')).toBe(true);
});

test('without a settings file the named checkout is enough, and what serves is told; not for one that is named', () => {
  const repo = { KUBENTLY_REPO: join(folder, 'H') };
  for (const [script, ...args] of [
    ['lint-chart.ts', '--json'] as const,
    ['render.ts', '--out', join(folder, 'bare')] as const,
  ]) {
    const { status, stderr } = runWith(repo, script, ...args);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: `no ${join(folder, '.env')}: the settings are those of .env.example\n`,
    });
  }
  expect(runWith({ ...repo, ENV_FILE: 'other.env' }, 'lint-chart.ts').status).toBe(2);
  expect(runWith({}, 'lint-chart.ts').status).toBe(2);
});

test('a chart that is refused: exit 1, the reason and the first chart that can', () => {
  const { status, stdout } = run('lint-chart.ts', join(folder, 'A'), '--json');
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, firstChart: expect.stringContaining('5d13e03') as string });
});

test('no chart there: exit 2 and a word about KUBENTLY_REPO', () => {
  const { status, stdout } = run('lint-chart.ts', join(folder, 'nothing'));
  expect(status).toBe(2);
  expect(stdout).toContain('KUBENTLY_REPO');
});

test('render writes values, manifests and the names of the Secrets, and no value of one', () => {
  const out = join(folder, 'out');
  expect(run('render.ts', join(folder, 'H'), '--out', out).status).toBe(0);
  expect(readdirSync(out).sort()).toEqual([
    'gke.manifests.yaml',
    'gke.values.yaml',
    'remote.manifests.yaml',
    'remote.values.yaml',
    'secrets.json',
  ]);
  const secrets = JSON.parse(readFileSync(join(out, 'secrets.json'), 'utf8')) as Record<string, unknown>[];
  expect(secrets.map((s) => Object.keys(s).sort().join())).toEqual(Array(5).fill('keys,name,namespace'));
  const manifests = parseAllDocuments(readFileSync(join(out, 'gke.manifests.yaml'), 'utf8'), { uniqueKeys: true });
  expect(manifests.flatMap((d) => d.errors)).toEqual([]);
});

test('render without a folder: exit 2', () => {
  const { status, stderr } = run('render.ts', join(folder, 'H'));
  expect(status).toBe(2);
  expect(stderr).toContain('OUT');
});
