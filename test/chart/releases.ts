/** The fixtures, the meaning that the tests give them, and the real helm. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { vi } from 'vitest';
import type { GkeReleaseSpec, RemoteReleaseSpec } from '../../lib/chart/release-spec.ts';
import type { Render } from '../../lib/chart/render.ts';

export type Shape = 'A' | 'B' | 'C' | 'H';

const PINNED = join(import.meta.dirname, '..', '..', '.tools', 'bin', 'helm');
const HELM = existsSync(PINNED) ? PINNED : 'helm';

// A fit is some 20 runs of helm: on a busy machine that may take a while.
vi.setConfig({ testTimeout: 60_000 });

/** helm template, values by stdin, without a cluster. */
export const render: Render = ({ release, namespace, chart, values }) =>
  new Promise((done, fail) => {
    const child = execFile(
      HELM,
      ['template', release, chart, '--namespace', namespace, '--values', '-'],
      { maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (!error) done({ ok: true, text: stdout });
        else if (error.code === 1) done({ ok: false, error: stderr });
        else fail(new Error(`helm could not be run: ${error.message}`));
      },
    );
    child.stdin?.end(JSON.stringify(values));
  });

/** The fixture chart of a shape. */
export function fixture(shape: Shape): string {
  return join(import.meta.dirname, 'fixtures', shape);
}

/** A copy of a fixture with changed files, which is removed after the test that uses it. */
export async function mutated(
  shape: Shape,
  changes: Record<string, (text: string) => string>,
  use: (chart: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'chart-'));
  const chart = join(folder, 'kubently');
  try {
    await cp(fixture(shape), chart, { recursive: true });
    for (const [name, change] of Object.entries(changes)) {
      const path = join(chart, name);
      const before = existsSync(path) ? await readFile(path, 'utf8') : '';
      const after = change(before);
      if (after === before) throw new Error(`the mutation changes nothing in ${name}`);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, after);
    }
    await use(chart);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const gke: GkeReleaseSpec = {
  side: 'gke',
  release: 'kubently',
  namespace: 'kubently',
  host: 'test-api.kubently.io',
  tlsSecret: 'kubently-api-tls',
  ingressClass: 'nginx',
  clusterId: 'gke',
  executorApiUrl: 'https://test-api.kubently.io',
  images: {
    api: { repository: 'ghcr.io/kubently/kubently/api', tag: 'fff2b64' },
    executor: { repository: 'ghcr.io/kubently/kubently/executor', tag: 'fff2b64' },
  },
  replicas: 2,
  llmProvider: 'anthropic-claude',
  model: 'claude-sonnet-4-6',
  securityMode: 'readOnly',
  caFile: false,
};

export const remote: RemoteReleaseSpec = {
  side: 'remote',
  release: 'kubently-remote',
  namespace: 'kubently-remote',
  clusterId: 'kind-remote',
  apiUrl: 'https://test-api.kubently.io',
  image: { repository: 'ghcr.io/kubently/kubently/executor', tag: 'fff2b64' },
  securityMode: 'readOnly',
  caFile: false,
};
