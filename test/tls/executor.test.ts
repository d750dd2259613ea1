import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CHECKOUT, ended, start, stop, TOKEN, until, type Running } from '../kubently/processes.ts';
import { api } from './api-server.ts';
import { certificate } from './certificates.ts';
import { CASES, TlsWorld } from './executor-cases.ts';

/** One row of the table in docs/security.md. */
interface Row {
  n: number;
  name: string;
  expected: string;
  seen: string;
}

const REPORT = resolve(import.meta.dirname, '../../.runbook/tls/executor-cases.json');
const folder = mkdtempSync(join(tmpdir(), 'kubently-tls-'));
const rows: Row[] = [];
let world: TlsWorld;

beforeAll(async () => {
  world = await TlsWorld.make(folder);
});
afterAll(() => {
  mkdirSync(resolve(REPORT, '..'), { recursive: true, mode: 0o700 });
  writeFileSync(
    REPORT,
    `${JSON.stringify(
      rows.sort((a, b) => a.n - b.n),
      null,
      2,
    )}\n`,
  );
  rmSync(folder, { recursive: true, force: true });
});

function executor(url: string, env: Record<string, string> = {}): Running {
  return start(process.execPath, [join(CHECKOUT, 'kubently/executor/main.ts')], {
    KUBENTLY_API_URL: url,
    CLUSTER_ID: 'tls',
    KUBENTLY_TOKEN: TOKEN,
    ...env,
  });
}

/** How an executor's first try ended, in the words of the table. */
async function verdict(running: Running): Promise<string> {
  await until(running, /SSE connection established|next try in|- ERROR - KUBENTLY_/, 20_000);
  const log = running.log();
  const refused = /Certificate refused: (\w+)/.exec(log)?.[1];
  if (log.includes('SSE connection established')) return 'connected';
  if (refused !== undefined) return `refused: ${refused}`;
  if (log.includes('TLS handshake failed')) return 'handshake failed';
  if (/holds no certificate|ENOENT: no such file/.test(log)) return 'refuses its CA file';
  return log.includes('next try in') ? 'no answer' : 'does not start';
}

test.each(CASES.map((c, i) => ({ ...c, n: i + 1 })))(
  '$n $name: $expected',
  async ({ n, name, expected, says, setup }) => {
    const { url, env, server, also = [] } = await setup(world);
    const running = executor(url, env);
    try {
      const seen = await verdict(running);
      rows.push({ n, name, expected, seen });
      expect(seen, running.log()).toBe(expected);
      if (says) expect(running.log()).toMatch(says);
      // One line says it all, and names no token.
      expect(running.log()).not.toContain(TOKEN);
      if (seen !== 'connected' && !running.log().includes('308')) expect(server?.requests ?? []).toEqual([]);
      if (seen === 'does not start') expect(await ended(running)).toBe(1);
    } finally {
      await stop(running);
      for (const served of [server, ...also]) served?.close();
    }
  },
);

test('renewed under a running executor: it comes back without a restart', async () => {
  const issue = (): ReturnType<typeof certificate> =>
    certificate({ name: 'api', issuer: world.ca, names: ['127.0.0.1'] });
  const first = await issue();
  const served = await api({ key: first.key, cert: first.cert });
  const running = executor(`https://127.0.0.1:${served.port}`, world.trust(world.ca));
  try {
    await until(running, /SSE connection established/);
    const second = await issue();
    (served.server as Server).setSecureContext({ key: second.key, cert: second.cert });
    served.server.closeAllConnections();
    await until(running, /SSE connection established[^]*SSE connection established/);
    expect(running.child.exitCode).toBeNull();
    rows.push({
      n: CASES.length + 1,
      name: 'renewed under a running executor',
      expected: 'connected again, same process',
      seen: 'connected again, same process',
    });
  } finally {
    await stop(running);
    served.close();
  }
}, 30_000);

test('the CA file changes under a running executor: what it no longer trusts is dropped, and taken back', async () => {
  const leaf = await certificate({ name: 'api', issuer: world.ca, names: ['127.0.0.1'] });
  const served = await api({ key: leaf.key, cert: leaf.cert });
  const file = world.file('mounted.pem', world.ca.cert);
  const running = executor(`https://127.0.0.1:${served.port}`, { KUBENTLY_CA_CERT: file });
  try {
    await until(running, /SSE connection established/);
    world.file('mounted.pem', world.other.cert);
    await until(running, /The CA file changed[^]*Certificate refused: UNABLE_TO_VERIFY_LEAF_SIGNATURE/, 15_000);
    world.file('mounted.pem', world.other.cert, world.ca.cert);
    await until(running, /Certificate refused[^]*SSE connection established/, 15_000);
    expect(running.child.exitCode).toBeNull();
    rows.push({
      n: CASES.length + 2,
      name: 'CA file changed under a running executor, and back',
      expected: 'refused, then connected, same process',
      seen: 'refused, then connected, same process',
    });
  } finally {
    await stop(running);
    served.close();
  }
}, 45_000);

test('the API is away: it tries again each 5 s', async () => {
  const running = executor('https://127.0.0.1:1', world.trust(world.ca));
  try {
    await until(running, /(next try in 5 s[^]*){3}/, 20_000);
    rows.push({
      n: CASES.length + 3,
      name: 'API away',
      expected: 'tries again each 5 s',
      seen: 'tries again each 5 s',
    });
  } finally {
    await stop(running);
  }
}, 30_000);
