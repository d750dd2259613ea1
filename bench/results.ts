/** Raw results: bench/results/<part>.json, a sample a measurement; later runs are added to earlier ones. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './measure.ts';

export const PARTS = ['nothing-to-do', 'from-nothing', 'fleet', 'start-up', 'growth'] as const;
export type Part = (typeof PARTS)[number];

export interface Sample {
  /** What was measured, such as `status` or `fleet 10`. */
  what: string;
  /** ms, KiB, or a count, as `what` says. */
  value: number;
  /** ISO 8601. */
  at: string;
  commit: string;
  cores: number;
  /** Load average over the last minute before it: what else the machine did. */
  load: number;
}

const FOLDER = join(ROOT, 'bench', 'results');

/** All samples of a part so far. */
export function samplesOf(part: Part): Sample[] {
  const file = join(FOLDER, `${part}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Sample[]) : [];
}

/** Adds a sample and keeps it at once: a part that is cut off keeps what it had. */
export function keep(part: Part, what: string, value: number): void {
  const commit = execFileSync('git', ['-C', ROOT, 'rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const sample: Sample = {
    what,
    value: Math.round(value * 10) / 10,
    at: new Date().toISOString(),
    commit,
    cores: cpus().length,
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
  mkdirSync(FOLDER, { recursive: true });
  const lines = [...samplesOf(part), sample].map((s) => `  ${JSON.stringify(s)}`);
  writeFileSync(join(FOLDER, `${part}.json`), `[\n${lines.join(',\n')}\n]\n`);
  console.log(`${part}: ${what} ${sample.value}`);
}
