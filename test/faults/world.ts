/** The rehearsal world as the fault tests see and disturb it; nothing here is known to the program. */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { parse } from 'dotenv';
import { pidOf } from '../../sandbox/processes.ts';
import { CLUSTERS, GOOGLE } from '../../sandbox/world.ts';
import { ENV_FILE, ROOT } from './run.ts';

export const GKE = CLUSTERS.gke.context;
export const REMOTE = CLUSTERS.remote.context;
/** The machine of the GKE cluster. */
export const NODE = `${CLUSTERS.gke.name}-control-plane`;

/** A setting of the world's own settings file. */
export function setting(name: string): string {
  return parse(readFileSync(ENV_FILE))[name] ?? '';
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, KUBECONFIG: setting('KUBECONFIG'), DOCKER_HOST: setting('DOCKER_HOST') };
}

/** A program's stdout. @throws when it fails */
export async function output(binary: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(binary, args, { env: environment(), maxBuffer: 256 << 20 });
  return stdout;
}

/** The pinned kubectl in a context. */
export function kubectl(context: string, ...args: string[]): Promise<string> {
  return output(join(ROOT, '.tools/bin/kubectl'), '--context', context, ...args);
}

/** The same with an input. */
export function kubectlWith(input: string, context: string, ...args: string[]): string {
  const all = ['--context', context, ...args];
  return execFileSync(join(ROOT, '.tools/bin/kubectl'), all, { env: environment(), input, encoding: 'utf8' });
}

/** The pinned helm in a context. */
export function helm(context: string, ...args: string[]): Promise<string> {
  return output(join(ROOT, '.tools/bin/helm'), '--kube-context', context, ...args);
}

/** A request to the emulated Google API, as the operator. @returns its body, undefined for 404 */
export async function google(method: string, path: string, body?: unknown): Promise<unknown> {
  const token = readFileSync(setting('CLOUDSDK_AUTH_ACCESS_TOKEN_FILE'), 'utf8').trim();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const content = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await fetch(`${GOOGLE.endpoint}${path}`, { method, headers, ...content });
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error(`${method} ${path}: HTTP ${answer.status} ${await answer.text()}`);
  return answer.json();
}

export interface GoogleFault {
  method: string;
  path: string;
  status?: number;
  late?: boolean;
  latencyMs?: number;
  count?: number;
}

export interface GoogleSettings {
  delays: { serviceAccount: number; iam: number; dns: number; operation: number };
  faults: GoogleFault[];
}

/** The emulator's delays and faults. */
export async function googleSettings(): Promise<GoogleSettings> {
  return (await google('GET', '/_sandbox/settings')) as GoogleSettings;
}

/** Does work under delays and faults of the emulator, which are as before afterwards. */
export async function underGoogle<T>(
  change: { delays?: Partial<GoogleSettings['delays']>; faults?: GoogleFault[] },
  work: () => Promise<T>,
): Promise<T> {
  const { delays } = await googleSettings();
  await google('POST', '/_sandbox/settings', change);
  try {
    return await work();
  } finally {
    await google('POST', '/_sandbox/settings', { delays, faults: [] });
  }
}

/** Does work while a daemon of the world stands still (SIGSTOP), which goes on afterwards. */
export async function whileStopped<T>(daemon: string, work: () => Promise<T>): Promise<T> {
  const pid = pidOf(daemon);
  if (pid === undefined) throw new Error(`${daemon} does not run`);
  const goOn = (): void => void process.kill(pid, 'SIGCONT');
  process.once('exit', goOn);
  process.kill(pid, 'SIGSTOP');
  try {
    return await work();
  } finally {
    goOn();
    process.off('exit', goOn);
  }
}

/** Looks until something is there. @throws Error after so many seconds */
export async function until<T>(
  what: string,
  seconds: number,
  look: () => Promise<T | undefined>,
  everyMs = 500,
): Promise<T> {
  for (const end = Date.now() + seconds * 1000; ;) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await delay(everyMs);
  }
}
