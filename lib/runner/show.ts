/** What the operator sees: a live list on a terminal, plain lines with a heartbeat elsewhere, and the summary. */
import { Chalk, type ChalkInstance } from 'chalk';
import { explain, Failure } from '../base/failure.ts';
import { isEnded, mark, type Row, type State, type Watcher } from './rows.ts';
import { coloured, cut, oneLine, say } from '../base/say.ts';

export interface Screen {
  /** A line of its own. */
  line: (text: string) => void;
  chalk: ChalkInstance;
  live: boolean;
  stream: NodeJS.WriteStream;
}

const HEARTBEAT_MS = 30_000;
const REDRAW_MS = 200;
const SLOWEST = 3;

/** Standard output: a live list where it is a terminal; no colour with NO_COLOR or without a terminal. */
export function screen(stream: NodeJS.WriteStream = process.stdout): Screen {
  const live = stream.isTTY && process.env['CI'] === undefined;
  const colour = stream.isTTY && process.env['NO_COLOR'] === undefined;
  return {
    line: (text) => say(text, stream, colour),
    chalk: new Chalk({ level: colour ? 1 : 0 }),
    live,
    stream,
  };
}

/** Seconds or minutes, as people write them. */
export function elapsed(ms: number): string {
  const s = ms / 1000;
  return s < 10
    ? `${s.toFixed(1)} s`
    : s < 120
      ? `${Math.round(s)} s`
      : `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
}

function row(p: Row, chalk: ChalkInstance): string {
  const time = p.startedAt === undefined ? '' : elapsed((p.endedAt ?? Date.now()) - p.startedAt);
  const reason = p.reason ? chalk.gray(` ${oneLine(p.reason)}`) : '';
  return `${mark(p.state, chalk)} ${p.id} ${p.title.padEnd(46)} ${p.state.padEnd(9)} ${time.padStart(8)}${reason}`;
}

/** Shows a run while it goes on; stop() ends it and leaves the last picture. */
export function watch(out: Screen): Promise<Watcher & { stop: () => void }> {
  return out.live ? liveList(out) : Promise.resolve(plainLines(out));
}

async function liveList(out: Screen): Promise<Watcher & { stop: () => void }> {
  const { createLogUpdate } = await import('log-update');
  const update = createLogUpdate(out.stream, { showCursor: true });
  let rows: readonly Row[] = [];
  const width = (): number => out.stream.columns;
  const { line } = out;
  // A line between two pictures goes above them.
  out.line = (text) => {
    update.persist(coloured(text));
  };
  const draw = (): void => update(rows.map((p) => cut(coloured(row(p, out.chalk)), width())).join('\n'));
  const timer = setInterval(draw, REDRAW_MS);
  return {
    changed: (_, all) => {
      rows = all;
    },
    stop: () => {
      clearInterval(timer);
      draw();
      update.done();
      out.line = line;
    },
  };
}

function plainLines(out: Screen): Watcher & { stop: () => void } {
  const last = new Map<string, { state: State; at: number; row: Row }>();
  const timer = setInterval(() => {
    for (const entry of last.values()) {
      if (isEnded(entry.state) || entry.state === 'waiting' || Date.now() - entry.at < HEARTBEAT_MS) continue;
      entry.at = Date.now();
      out.line(`… ${row(entry.row, out.chalk)}`);
    }
  }, 1000);
  timer.unref();
  return {
    changed: (p) => {
      if (last.get(p.id)?.state === p.state) return;
      last.set(p.id, { state: p.state, at: Date.now(), row: p });
      if (p.state !== 'waiting' && p.state !== 'checking') out.line(row(p, out.chalk));
    },
    stop: () => clearInterval(timer),
  };
}

/** The end of a run: counts, failures with what to do, the slowest steps, the next command to type. */
export function summarise(out: Screen, rows: readonly Row[], totalMs: number, next: string): void {
  const { chalk } = out;
  const n = (state: State): number => rows.filter((r) => r.state === state).length;
  for (const r of rows) {
    if (r.state !== 'failed') continue;
    out.line(`\n${chalk.red('✗')} ${chalk.bold(`${r.id} ${r.title}`)}\n${explain(r.error)}`);
    if (process.env['DEBUG'] && r.error instanceof Error && !(r.error instanceof Failure))
      out.line(r.error.stack ?? '');
  }
  const counts = (['done', 'unchanged', 'proven', 'unproven', 'failed', 'blocked', 'stopped'] as const).flatMap((s) =>
    n(s) > 0 || s === 'failed' ? [`${n(s)} ${s}`] : [],
  );
  out.line(`\n${counts.join(', ')} in ${elapsed(totalMs)}`);
  const took = (r: Row): number => (r.endedAt ?? 0) - (r.startedAt ?? r.endedAt ?? 0);
  const slow = [...rows]
    .sort((a, b) => took(b) - took(a))
    .slice(0, SLOWEST)
    .filter((r) => took(r) >= 1000);
  if (slow.length > 0) out.line(`slowest: ${slow.map((r) => `${r.id} ${elapsed(took(r))}`).join(', ')}`);
  out.line(`next: ${next}`);
}
