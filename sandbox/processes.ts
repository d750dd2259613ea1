/** The sandbox's daemons: started once, found again by a record in /run, stopped by pid. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { until } from './run.ts';
import { PATHS, RUN } from './world.ts';

/** Records lie apart from STATE, so that they outlive it and vanish with a reboot. */
const RECORDS = join(RUN, 'daemons');

/** A program that is to run in the background. */
export interface Daemon {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string>;
  /** Files, and folders of .ts files, whose change means a restart. */
  sources?: string[];
}

/** What is written down about a running daemon. */
interface Trace {
  pid: number;
  /** Field 22 of /proc/PID/stat: tells the process from a later one with the same pid. */
  startTime: string;
  fingerprint: string;
}

const recordFile = (name: string) => join(RECORDS, `${name}.json`);

/** The log file of the daemon `name`. */
export const logFile = (name: string): string => join(PATHS.logs, `${name}.log`);

/** The start time of a process in clock ticks since boot, undefined when there is none (or a zombie). */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function readRecord(name: string): Trace | undefined {
  try {
    return JSON.parse(readFileSync(recordFile(name), 'utf8')) as Trace;
  } catch {
    return undefined;
  }
}

/** What a daemon is made of: its command line, environment and the files it is made from. */
function fingerprint(daemon: Daemon): string {
  const hash = createHash('sha256').update(JSON.stringify([daemon.command, daemon.args, daemon.env]));
  for (const source of daemon.sources ?? []) {
    const files = statSync(source).isDirectory() ? globSync(join(source, '*.ts')).sort() : [source];
    for (const file of files) hash.update(readFileSync(file));
  }
  return hash.digest('hex');
}

function alive(record: Trace | undefined): record is Trace {
  return record !== undefined && startTime(record.pid) === record.startTime;
}

/** The pid of the daemon `name` if it runs. */
export function pidOf(name: string): number | undefined {
  const record = readRecord(name);
  return alive(record) ? record.pid : undefined;
}

/** Writes down a process of ours under `name`, so that later runs know it. Throws when it is gone already. */
export function remember(name: string, pid: number, print = ''): void {
  const started = startTime(pid);
  if (started === undefined) throw new Error(`${name} ended at once; its log: ${logFile(name)}\n${logTail(name)}`);
  mkdirSync(RECORDS, { recursive: true });
  writeFileSync(recordFile(name), JSON.stringify({ pid, startTime: started, fingerprint: print } satisfies Trace));
}

function logTail(name: string): string {
  return existsSync(logFile(name)) ? readFileSync(logFile(name), 'utf8').split('\n').slice(-12).join('\n') : '';
}

/**
 * Makes sure that the daemon runs as described and answers `ready`; a running one that is described otherwise now
 * (other arguments, changed files) is restarted. Answers whether it was started. Throws with the log's end if it
 * dies or is not ready after 20 s.
 */
export async function ensureDaemon(daemon: Daemon, ready: () => Promise<boolean>): Promise<boolean> {
  const print = fingerprint(daemon);
  const record = readRecord(daemon.name);
  if (alive(record) && record.fingerprint === print && (await ready())) return false;
  await stopDaemon(daemon.name);
  mkdirSync(PATHS.logs, { recursive: true });
  const log = openSync(logFile(daemon.name), 'a');
  const child = spawn(daemon.command, daemon.args, {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...daemon.env },
  });
  closeSync(log);
  const failure = new Promise<never>((_, reject) => child.once('error', reject));
  if (child.pid === undefined) await failure;
  remember(daemon.name, child.pid ?? 0, print);
  child.unref();
  const up = until(`${daemon.name} answers`, 20, async () => {
    if (pidOf(daemon.name) === undefined) throw new Error(`${daemon.name} ended`);
    return ready();
  });
  await Promise.race([up, failure]).catch((error: unknown) => {
    throw new Error(`${String(error)}; its log: ${logFile(daemon.name)}\n${logTail(daemon.name)}`);
  });
  return true;
}

/** Stops the daemon `name` (SIGTERM, after 30 s SIGKILL: dockerd gives its containers 10 s) and forgets it; answers whether it ran. */
export async function stopDaemon(name: string): Promise<boolean> {
  const pid = pidOf(name);
  if (pid !== undefined) {
    process.kill(pid, 'SIGTERM');
    await until(`${name} ends`, 30, () => Promise.resolve(pidOf(name) === undefined), 50).catch(() => {
      process.kill(pid, 'SIGKILL');
    });
  }
  rmSync(recordFile(name), { force: true });
  return pid !== undefined;
}

/** Names of all daemons with a record, alive or dead. */
export function daemons(): string[] {
  return existsSync(RECORDS) ? readdirSync(RECORDS).map((file) => basename(file, '.json')) : [];
}
