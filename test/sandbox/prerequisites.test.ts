import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { checkPrerequisites, taken } from '../../sandbox/prerequisites.ts';

/** A PATH with these programs alone. */
function path(...names: string[]): NodeJS.ProcessEnv {
  const folder = mkdtempSync(join(tmpdir(), 'prerequisites-'));
  for (const name of names) {
    writeFileSync(join(folder, name), '');
    chmodSync(join(folder, name), 0o755);
  }
  return { PATH: folder };
}

async function problems(env: NodeJS.ProcessEnv): Promise<string[]> {
  const error: unknown = await checkPrerequisites(env).catch((e: unknown) => e);
  const { problems: found = [] } = (error ?? {}) as { problems?: { about: string; remedy: string }[] };
  for (const { remedy } of found) expect(remedy).toBeTruthy();
  // A foreign registry or API on this machine is not this test's.
  return found.map((p) => p.about).filter((about) => !about.startsWith('port '));
}

test('all that lacks at once', async () => {
  vi.spyOn(process, 'getuid').mockReturnValue(65534);
  expect(await problems(path())).toEqual(['root', 'gcloud', 'npm', 'apt-get']);
});

test('a machine as it should be', async () => {
  vi.spyOn(process, 'getuid').mockReturnValue(0);
  expect(await problems(path('gcloud', 'npm', 'apt-get'))).toEqual([]);
  expect(await problems(path('npm', 'apt-get'))).toEqual(['gcloud']);
});

test('a port in use is found', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  expect(await taken(port)).toBe(true);
  await new Promise((resolve) => server.close(resolve));
  expect(await taken(port)).toBe(false);
});
