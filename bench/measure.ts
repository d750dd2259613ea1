/** One timed run of a command, and what is told of many. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Timed {
  ms: number;
  status: number;
  /** Its last lines. */
  said: string;
}

export interface Spans {
  children: { binary: string; from: number; to: number }[];
  /** HTTP requests of its own. */
  requests: { host: string; from: number; to: number }[];
  rssKb: number;
  endedAt: number;
}

export const ROOT = join(import.meta.dirname, '..');

const KEPT_LINES = 25;
/** A rival that waits for ever is a finding, not a reason to wait with it. */
const AT_MOST_MS = 20 * 60_000;

/** Runs it to its end in a folder. @throws Error with its last lines where it ends with another status than those allowed */
export async function timed(
  argv: readonly string[],
  env: Record<string, string> = {},
  allowed = [0],
  cwd = ROOT,
): Promise<Timed> {
  const [command = '', ...args] = argv;
  const from = performance.now();
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: AT_MOST_MS,
  });
  const text: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (d: Buffer) => text.push(d.toString()));
  const status = await new Promise<number>((resolve, reject) => {
    child.on('close', (code) => resolve(code ?? -1));
    child.on('error', reject);
  });
  const ms = performance.now() - from;
  const said = text.join('').trimEnd().split('\n').slice(-KEPT_LINES).join('\n');
  if (!allowed.includes(status))
    throw new Error(`${argv.join(' ')}: status ${status} after ${Math.round(ms)} ms\n${said}`);
  return { ms, status, said };
}

/** A run of ./runbook with what it started and asked. @param cwd the folder whose ./runbook it is */
export async function spans(args: readonly string[], env: Record<string, string>, cwd = ROOT): Promise<Timed & Spans> {
  const folder = mkdtempSync(join(tmpdir(), 'kubently-bench-'));
  try {
    const file = join(folder, 'spans.json');
    const preload = `--import=${join(ROOT, 'bench', 'spans.mjs')}`;
    const run = await timed(['./runbook', ...args], { ...env, NODE_OPTIONS: preload, BENCH_SPANS: file }, [0, 3], cwd);
    return { ...run, ...(JSON.parse(readFileSync(file, 'utf8')) as Spans) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Milliseconds in which at least one of them was under way. */
export function busyMs(all: readonly { from: number; to: number }[]): number {
  let until = 0;
  let busy = 0;
  for (const { from, to } of [...all].sort((a, b) => a.from - b.from)) {
    busy += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  return busy;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const [low = NaN, high = NaN] = sorted.length % 2 ? [sorted[half], sorted[half]] : sorted.slice(half - 1, half + 1);
  return (low + high) / 2;
}
