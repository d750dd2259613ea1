/** A helm that is killed half-way, on the real cluster in a namespace of its own: the next upgrade goes on, nothing is lost. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { realRun } from '../../lib/base/command.ts';
import { Helm } from '../../lib/clients/helm.ts';
import { Kubectl } from '../../lib/clients/kubectl.ts';
import { loadSettings } from '../../lib/settings/settings.ts';

const settings = loadSettings();
const run = realRun(settings.childEnvironment);
const target = { context: settings.gke.context, namespace: `runbook-test-${process.pid}` };
const flags = ['--kube-context', target.context, '--namespace', target.namespace];
const kube = new Kubectl(run, target);
const helm = new Helm(run, target);
const chart = join(import.meta.dirname, 'fixtures', 'tiny-chart');

/** A clock a minute ahead: these records are not a living helm's. */
function teller() {
  const remarks: string[] = [];
  const clock = { now: () => Date.now() + 61_000, sleep: () => Promise.resolve() };
  return { clock, note: () => undefined, remark: (text: string) => void remarks.push(text), remarks };
}

beforeAll(() => kube.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: target.namespace } }]));
afterAll(() => kube.delete('Namespace', target.namespace));

/** Starts an upgrade whose hook never ends, and kills it once its record says so. */
async function killHalfWay(release: string, n: number, pending: string): Promise<void> {
  const child = spawn(
    'helm',
    ['upgrade', '--install', release, chart, '--set', `n=${n}`, '--set', 'hook=true', ...flags],
    { env: settings.childEnvironment, stdio: 'ignore' },
  );
  while ((await helm.release(release))?.status !== pending) await new Promise((go) => setTimeout(go, 100));
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const history = async (release: string): Promise<{ revision: number; status: string; description: string }[]> =>
  JSON.parse(
    (await run({ binary: 'helm', args: ['history', release, '-o', 'json', ...flags], mutates: false })).stdout,
  ) as { revision: number; status: string; description: string }[];

test(
  'killed while upgrading: the record is kept as failed, the next revision is deployed',
  { timeout: 120_000 },
  async () => {
    const release = 'tiny-upgrade';
    const told = teller();
    await helm.upgrade(
      { values: { n: 1 } },
      told,
    )`upgrade --install ${release} ${chart} --create-namespace --force-conflicts`;
    expect(told.remarks).toEqual([]);
    await killHalfWay(release, 2, 'pending-upgrade');
    await helm.upgrade(
      { values: { n: 3 } },
      told,
    )`upgrade --install ${release} ${chart} --create-namespace --force-conflicts`;
    expect((await history(release)).map((r) => [r.revision, r.status])).toEqual([
      [1, 'superseded'],
      [2, 'failed'],
      [3, 'deployed'],
    ]);
    expect((await history(release))[1]?.description).toContain('was pending-upgrade');
    expect(told.remarks).toEqual([expect.stringContaining('revision 2 was left pending-upgrade')]);
    expect(await kube.get('ConfigMap', 'tiny-upgrade-3')).toMatchObject({ data: { value: '3' } });
    expect(await kube.get('ConfigMap', 'tiny-upgrade-1')).toBeUndefined();
  },
);

test('killed while installing: the release is deployed by the next upgrade', { timeout: 120_000 }, async () => {
  const release = 'tiny-install';
  const told = teller();
  await killHalfWay(release, 1, 'pending-install');
  await helm.upgrade(
    { values: { n: 2 } },
    told,
  )`upgrade --install ${release} ${chart} --create-namespace --force-conflicts`;
  expect((await history(release)).map((r) => [r.revision, r.status])).toEqual([
    [1, 'superseded'],
    [2, 'deployed'],
  ]);
  expect((await history(release))[0]?.description).toContain('was pending-install');
  expect(told.remarks).toHaveLength(1);
  expect(await kube.get('ConfigMap', 'tiny-install-2')).toMatchObject({ data: { value: '2' } });
});

test('a helm that works still is waited for, and its end is taken as it is', { timeout: 120_000 }, async () => {
  const release = 'tiny-living';
  const told = teller();
  await helm.upgrade(
    { values: { n: 1 } },
    told,
  )`upgrade --install ${release} ${chart} --create-namespace --force-conflicts`;
  const child = spawn(
    'helm',
    ['upgrade', release, chart, '--set', 'n=2', '--set', 'hook=true', ...flags, '--timeout', '8s'],
    {
      env: settings.childEnvironment,
      stdio: 'ignore',
    },
  );
  while ((await helm.release(release))?.status !== 'pending-upgrade') await new Promise((go) => setTimeout(go, 100));
  const notes: string[] = [];
  await helm.upgrade(
    { values: { n: 3 } },
    {
      ...told,
      note: (text) => void notes.push(text),
      clock: { now: () => Date.now(), sleep: (ms) => new Promise((go) => setTimeout(go, ms)) },
    },
  )`upgrade --install ${release} ${chart} --create-namespace --force-conflicts`;
  expect(child.exitCode ?? (await once(child, 'exit'))[0]).not.toBe(0);
  expect(notes[0]).toContain('a living helm may end it');
  expect(told.remarks).toEqual([]);
  expect((await history(release)).map((r) => [r.revision, r.status])).toEqual([
    [1, 'superseded'],
    [2, 'failed'],
    [3, 'deployed'],
  ]);
});
