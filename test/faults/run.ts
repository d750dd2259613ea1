/** Runs of the real program for the fault tests: every line of output with its time, kept for the leak scan. */
import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parse } from 'dotenv';

export const ROOT = join(import.meta.dirname, '..', '..');
export const RESULTS = join(ROOT, '.runbook', 'faults');
/** Output of every run here, a file for each scenario (0600). */
export const OUTPUTS = join(tmpdir(), `kubently-faults-${process.pid}`);
export const ENV_FILE = process.env['ENV_FILE'] ?? join(ROOT, 'sandbox', '.env');

export interface Line {
  /** Milliseconds since the epoch. */
  at: number;
  text: string;
}

export interface Ran {
  /** As an operator would type it. */
  command: string;
  status: number | null;
  lines: Line[];
  startedAt: number;
  endedAt: number;
}

export interface Running {
  command: string;
  pid: number;
  ended: Promise<Ran>;
  /** When a line that matches was printed. @throws Error when the run ends without one */
  seen: (pattern: RegExp) => Promise<number>;
}

const underWay = new Set<Promise<Ran>>();

/** Waits until no run of this process works any more: it would hold the lock. */
export async function allEnded(): Promise<void> {
  await Promise.all(underWay);
}

/** Starts `./runbook ARGS` with a settings file, without a terminal. */
export function start(args: readonly string[], envFile = ENV_FILE, outputName = 'other'): Running {
  const command = `./runbook ${args.join(' ')}`;
  const lines: Line[] = [];
  const looks = new Set<() => void>();
  const startedAt = Date.now();
  mkdirSync(OUTPUTS, { recursive: true, mode: 0o700 });
  const keep = (text: string): void => appendFileSync(join(OUTPUTS, `${outputName}.log`), `${text}\n`, { mode: 0o600 });
  keep(`$ ${command}`);
  const child = spawn(join(ROOT, 'runbook'), args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ENV_FILE: envFile, NO_COLOR: '1' },
  });
  for (const stream of [child.stdout, child.stderr])
    createInterface(stream).on('line', (text) => {
      lines.push({ at: Date.now(), text });
      keep(text);
      for (const look of looks) look();
    });
  let over = false;
  const ended = new Promise<Ran>((resolve) =>
    child.on('close', (status) => {
      over = true;
      for (const look of looks) look();
      resolve({ command, status, lines, startedAt, endedAt: Date.now() });
    }),
  );
  underWay.add(ended);
  void ended.then(() => underWay.delete(ended));
  const seen = (pattern: RegExp): Promise<number> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const line = lines.find((l) => pattern.test(l.text));
        if (line) resolve(line.at);
        else if (over) reject(new Error(`${command} ended without ${String(pattern)}`));
        else return;
        looks.delete(look);
      };
      looks.add(look);
      look();
    });
  return { command, pid: child.pid ?? 0, ended, seen };
}

/** A settings file of a test's own (0600): the world's, with changes; removed by whoever asked for it. */
export function settingsCopy(name: string, changes: Readonly<Record<string, string>>): string {
  const all = { ...parse(readFileSync(ENV_FILE)), ...changes };
  const file = join(tmpdir(), `kubently-faults-${process.pid}-${name}.env`);
  const lines = Object.entries(all).map(([key, value]) => `${key}='${value}'\n`);
  rmSync(file, { force: true });
  writeFileSync(file, lines.join(''), { mode: 0o600 });
  return file;
}
