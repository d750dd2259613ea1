/**
 * The crash matrix: `kill -9` of the run and its children at three points of every step, and on with the same command,
 * in one pass over one deployment that starts from nothing: node test/faults/crash-matrix.ts
 * --points N: at N points of a deployment that is there, for `make test`; the result of the whole stays.
 * The killer follows the journal; the program knows nothing of it.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, openSync, readFileSync, statSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'dotenv';
import { STEPS } from '../../scripts/steps.ts';
import { endTree } from './processes.ts';
import { inventory } from './world-inventory.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const JOURNAL = join(ROOT, '.runbook', 'journal.jsonl');
const RESULTS = join(ROOT, '.runbook', 'faults');
const LIMIT_MS = 30 * 60_000;
const ENV_FILE = process.env['ENV_FILE'] ?? join(ROOT, 'sandbox', '.env');

const POINTS = ['started', 'first change returned', 'verify begun'] as const;
type Point = (typeof POINTS)[number];
interface Crash {
  step: string;
  point: Point;
  /** Seconds after the run's start. */
  after: number;
  /** Processes ended with it. */
  ended: number;
}

const { values: flags } = parseArgs({ options: { points: { type: 'string' } } });
const all = STEPS.flatMap(({ id, kind }) =>
  (kind === 'change' ? POINTS : (['verify begun'] as const)).map((point) => ({ step: id, point })),
);
/** A few of those that come where nothing is to do, all over the plan. */
function some(count: number): typeof all {
  const reached = all.filter(({ point }) => point !== 'first change returned');
  return Array.from({ length: count }, (_, i) => reached[Math.floor(((i + 0.5) * reached.length) / count)]).filter(
    (p) => p !== undefined,
  );
}
const wanted = new Map(
  (flags.points === undefined ? all : some(Number(flags.points))).map((p) => [`${p.step} ${p.point}`, p]),
);

/** Steps whose change happened in the run at hand. */
function pointOf(entry: { event: string; step?: string; state?: string }, changed: Set<string>): Point | undefined {
  if (entry.event === 'step' && (entry.state === 'checking' || entry.state === 'applying')) return 'started';
  if (entry.event === 'step' && entry.state === 'verifying') return 'verify begun';
  if (entry.event === 'change' && entry.state === 'done' && entry.step && !changed.has(entry.step)) {
    changed.add(entry.step);
    return 'first change returned';
  }
  return undefined;
}

function tokensHash(): string {
  const file = parse(readFileSync(ENV_FILE))['TOKENS_FILE'] ?? '';
  if (!existsSync(file)) return '';
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((l) => /^[A-Z_]+=[0-9a-f]{64}$/.test(l))
    .sort();
  return lines.length < 4 ? '' : createHash('sha256').update(lines.join('\n')).digest('hex');
}

/** One run: killed at the first point that is still wanted; else it ends by itself. */
async function runOnce(log: number): Promise<{ crash?: Crash; status: number | null }> {
  let read = existsSync(JOURNAL) ? statSync(JOURNAL).size : 0;
  const started = Date.now();
  const child = spawn(join(ROOT, 'runbook'), ['deploy'], {
    cwd: ROOT,
    stdio: ['ignore', log, log],
    detached: true,
    env: { ...process.env, ENV_FILE },
  });
  const ended = Promise.withResolvers<number | null>();
  child.on('exit', (status) => ended.resolve(status));
  const changed = new Set<string>();
  let crash: Crash | undefined;
  const look = (): void => {
    if (crash || !existsSync(JOURNAL)) return;
    const text = readFileSync(JOURNAL).subarray(read).toString();
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    read += Buffer.byteLength(whole);
    for (const line of whole.split('\n').filter(Boolean)) {
      const entry = JSON.parse(line) as { event: string; step?: string; state?: string };
      const point = pointOf(entry, changed);
      const key = `${entry.step ?? ''} ${point ?? ''}`;
      if (!point || !wanted.has(key) || child.pid === undefined) continue;
      wanted.delete(key);
      crash = { step: entry.step ?? '', point, after: (Date.now() - started) / 1000, ended: endTree(child.pid) };
      return;
    }
  };
  mkdirSync(join(ROOT, '.runbook'), { recursive: true });
  const watcher = watch(join(ROOT, '.runbook'), look);
  const timer = setInterval(look, 20);
  const status = await ended.promise;
  watcher.close();
  clearInterval(timer);
  return { status, ...(crash ? { crash } : {}) };
}

mkdirSync(RESULTS, { recursive: true, mode: 0o700 });
const log = openSync(join(RESULTS, 'crash-matrix.log'), 'w', 0o600);
const crashes: Crash[] = [];
const began = Date.now();
let tokens = '';
let failures = 0;
for (;;) {
  const { crash, status } = await runOnce(log);
  const now = tokensHash();
  if (tokens !== '' && now !== '' && now !== tokens) throw new Error('the tokens changed');
  tokens = now === '' ? tokens : now;
  if (crash) {
    crashes.push(crash);
    console.log(`killed ${crash.step} ${crash.point} (${crash.after.toFixed(1)} s, ${crash.ended} processes)`);
  } else if (status === 0) break;
  else {
    failures++;
    console.log(`a run ended with status ${status ?? 'none'} by itself; see ${join(RESULTS, 'crash-matrix.log')}`);
    if (failures > 3) break;
  }
  if (Date.now() - began > LIMIT_MS) throw new Error('not through after 30 minutes');
}
const left = await inventory(ENV_FILE);
const result = {
  crashes,
  notReached: [...wanted.keys()],
  endedBadly: failures,
  seconds: Math.round((Date.now() - began) / 1000),
  tokensKept: tokens !== '',
  inventory: left,
};
if (flags.points === undefined) writeFileSync(join(RESULTS, 'crash-matrix.json'), JSON.stringify(result, null, 2));
console.log(
  `${crashes.length} crashes, ${wanted.size} points not reached, ${failures} runs ended badly, ${result.seconds} s`,
);
console.log(JSON.stringify(left));
// Only a step that makes no changing call has a point that never comes.
const missed = [...wanted.values()].some(({ point }) => point !== 'first change returned');
process.exitCode = failures === 0 && !missed && left.problems.length === 0 ? 0 : 1;
