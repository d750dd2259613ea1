/** An emulated project on free ports and in a folder of its own, for the tests. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openProject } from '../../sandbox/google/project.ts';
import { serveGoogle } from '../../sandbox/google/server.ts';
import type { Cloud } from '../../sandbox/google/state.ts';

export const PROJECT = 'rehearsal-project-1';
export const REGION = 'us-central1';

export interface Emulator {
  cloud: Cloud;
  folder: string;
  endpoint: string;
  token: string;
  /** A clock that the test moves. */
  clock: { ms: number };
  call: (method: string, path: string, body?: unknown, token?: string) => Promise<{ status: number; body: Json }>;
  admin: (settings: object) => Promise<number>;
  close: () => Promise<void>;
}

/** What the tests read from answers. */
export type Json = Record<string, unknown> & { error?: { code: number; message: string; status: string } };

const options = {
  project: PROJECT,
  region: REGION,
  zone: 'kubently-io',
  domain: 'kubently.io',
  addresses: '198.18.255.0/24',
};

/** Starts an emulator; with `folder` it finds the state that another one left there. */
export async function startEmulator(folder = mkdtempSync(join(tmpdir(), 'kubently-google-test-'))): Promise<Emulator> {
  const clock = { ms: Date.now() };
  const cloud = openProject({ ...options, stateFile: join(folder, 'state.json'), now: () => clock.ms });
  const tokenFile = join(folder, 'token');
  const http = { host: '127.0.0.1', port: 0 };
  const server = await serveGoogle({ cloud, logFile: join(folder, 'requests.jsonl'), tokenFile, http });
  const endpoint = `http://127.0.0.1:${server.port}`;
  const token = readFileSync(tokenFile, 'utf8');
  const call: Emulator['call'] = async (method, path, body, bearer = token) => {
    const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' };
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(`${endpoint}${path}`, { method, headers, ...content });
    return { status: answer.status, body: (await answer.json()) as Json };
  };
  const admin = async (settings: object) => (await call('POST', '/_sandbox/settings', settings)).status;
  return { cloud, folder, endpoint, token, clock, call, admin, close: server.close };
}

/** Closes the emulator and removes its folder. */
export async function discard(emulator: Emulator): Promise<void> {
  await emulator.close();
  rmSync(emulator.folder, { recursive: true, force: true });
}
