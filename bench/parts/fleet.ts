/** Phase 3 over many remote executors: namespaces and releases of the remote cluster stand in for clusters. Status and growth beside it. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubentlyApi } from '../../lib/deployment/kubently/api.ts';
import { openSession } from '../../lib/runner/session.ts';
import { ROOT, spans, timed } from '../measure.ts';
import { keep } from '../results.ts';
import { changedSettings, rivalEnvironment, settingsFile, world } from '../rivals.ts';

const CONTEXT = 'kind-kubently';

/** @param sizes how many executors; each size is deployed from nothing, looked at, and taken away */
export async function measure(sizes: readonly number[]): Promise<void> {
  for (const size of sizes) await one(size);
}

async function one(size: number): Promise<void> {
  const ids = Array.from({ length: size }, (_, i) => `bench-${i + 1}`);
  const file = changedSettings({ REMOTE_CLUSTERS: ids.map((id) => `${id}=${CONTEXT}/${id}/kubently-${id}`).join(',') });
  const tokens = join(file, '..', 'tokens.env');
  copyFileSync(world()['TOKENS_FILE'] ?? '', tokens);
  const fleet = changedSettings({ ...world(file), TOKENS_FILE: tokens });
  const env = { ENV_FILE: fleet };
  const runbook = smallRequests();
  try {
    for (const step of ['2.1', '2.4']) await timed(['./runbook', step], env, [0], runbook);
    const run = await spans(['phase3'], env, runbook);
    keep('fleet', `${size} executors ms`, run.ms);
    keep('fleet', `${size} executors KiB`, run.rssKb);
    await growth(size, env, runbook);
  } finally {
    const kubectl = (...args: string[]): void =>
      void execFileSync('kubectl', ['--context', CONTEXT, 'delete', '--ignore-not-found', ...args], {
        env: { ...process.env, ...rivalEnvironment(world()) },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    kubectl('namespace', ...ids);
    const releases = ids.map((id) => `kubently-${id}`).join(',');
    kubectl('clusterrole,clusterrolebinding', '--selector', `app.kubernetes.io/instance in (${releases})`);
    await forget(ids);
    rmSync(runbook, { recursive: true, force: true });
    rmSync(join(file, '..'), { recursive: true, force: true });
    rmSync(join(fleet, '..'), { recursive: true, force: true });
    await timed(['./runbook', 'deploy'], { ENV_FILE: settingsFile() });
  }
}

/** What a look costs at this size. */
async function growth(size: number, env: Record<string, string>, runbook: string): Promise<void> {
  for (let n = 0; n < 3; n++) {
    const look = await spans(['status'], env, runbook);
    keep('growth', `status of ${size} ms`, look.ms);
    if (n > 0) continue;
    const byBinary = Map.groupBy(look.children, (c) => c.binary);
    for (const [binary, calls] of byBinary) keep('growth', `status of ${size}: ${binary} calls`, calls.length);
    for (const [host, asked] of Map.groupBy(look.requests, (r) => r.host))
      keep('growth', `status of ${size}: requests to ${host}`, asked.length);
    keep('growth', `status of ${size} KiB`, look.rssKb);
  }
}

/** This runbook with executors that ask for little: a node of 2 cores has no room for 50 of them otherwise. @returns its folder */
function smallRequests(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kubently-bench-runbook-'));
  for (const part of ['runbook', 'package.json', 'lib', 'scripts', 'values'])
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  for (const part of ['node_modules', '.tools']) symlinkSync(join(ROOT, part), join(folder, part));
  const values = join(folder, 'values', 'remote.yaml');
  writeFileSync(values, readFileSync(values, 'utf8').replace('cpu: 50m', 'cpu: 1m'));
  return folder;
}

/** Takes the stand-ins' tokens out of Redis. */
async function forget(ids: readonly string[]): Promise<void> {
  process.env['ENV_FILE'] = settingsFile();
  const { ctx } = openSession(false);
  for (const id of ids) await kubentlyApi(ctx).unregister(id);
}
