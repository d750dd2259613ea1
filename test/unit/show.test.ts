import { PassThrough } from 'node:stream';
import { Chalk } from 'chalk';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Failure } from '../../lib/base/failure.ts';
import { mark, type Row, type State } from '../../lib/runner/rows.ts';
import { Secret } from '../../lib/base/secret.ts';
import { elapsed, screen, summarise, watch, type Screen } from '../../lib/runner/show.ts';

let lines: string[];
let out: Screen;

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  lines = [];
  out = { line: (t) => lines.push(t), chalk: new Chalk({ level: 0 }), live: false, stream: process.stdout };
});
afterEach(() => {
  vi.useRealTimers();
});

function progress(state: State, more: Partial<Row> = {}): Row {
  return { id: '1.0', title: 'Address', state, reason: '', startedAt: 0, ...more };
}

test.each([
  [0, '0.0 s'],
  [9_940, '9.9 s'],
  [61_000, '61 s'],
  [119_000, '119 s'],
  [150_000, '2 min 30 s'],
])('%i ms are %s', (ms, text) => {
  expect(elapsed(ms)).toBe(text);
});

test('each state has a mark of its own kind', () => {
  const states = [
    'waiting',
    'checking',
    'applying',
    'verifying',
    'done',
    'unchanged',
    'proven',
    'failed',
    'blocked',
  ] as const;
  expect(states.map((s) => mark(s, out.chalk)).join('')).toBe('·▸▸▸✓✓✓✗-');
});

test('without a terminal: a line each change of state, and a heartbeat every 30 s with what is waited for', async () => {
  const watcher = await watch(out);
  const row = progress('waiting');
  const say = (state: State, note = ''): void => {
    row.state = state;
    row.reason = note;
    watcher.changed(row, [row]);
  };
  say('waiting');
  say('checking');
  expect(lines).toEqual([]);
  say('applying');
  say('applying', '1 of 2 replicas are ready');
  expect(lines).toHaveLength(1);
  vi.advanceTimersByTime(29_000);
  expect(lines).toHaveLength(1);
  vi.advanceTimersByTime(2_000);
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(/^… ▸ 1\.0 Address .*applying +\d+ s 1 of 2 replicas are ready$/);
  say('done', 'it is there');
  vi.advanceTimersByTime(120_000);
  expect(lines).toHaveLength(3);
  watcher.stop();
});

test('the summary: what failed and what to do, counts, the slowest, the next command', () => {
  const failure = new Failure({ what: 'no address', found: 'quota', next: 'raise the quota' });
  summarise(
    out,
    [
      progress('done', { endedAt: 5000 }),
      progress('failed', { id: '1.3', title: 'Ingress', endedAt: 61_000, error: failure }),
      { id: '2.6', title: 'TLS', state: 'blocked', reason: '' },
      progress('unchanged', { id: '1.1', endedAt: 200 }),
    ],
    62_000,
    'make deploy',
  );
  const text = lines.join('\n');
  expect(text).toContain('✗ 1.3 Ingress\nno address\n  found    quota\n  next     raise the quota');
  expect(text).toContain('1 done, 1 unchanged, 1 failed, 1 blocked in 62 s');
  expect(text).toContain('slowest: 1.3 61 s, 1.0 5.0 s');
  expect(text).not.toContain('slowest: 1.3 61 s, 1.0 5.0 s, 1.1');
  expect(lines.at(-1)).toBe('next: make deploy');
});

test('a run without failure says so: 0 failed', () => {
  summarise(out, [progress('proven', { endedAt: 10 })], 10, 'make verify');
  expect(lines).toEqual(['\n1 proven, 0 failed in 0.0 s', 'next: make verify']);
});

test('the screen scrubs secrets, and has no colour without a terminal', () => {
  const secret = new Secret('unit-show-secret-0001');
  const written: string[] = [];
  const stream = { isTTY: false, write: (t: string) => written.push(t) } as unknown as NodeJS.WriteStream;
  const { line, chalk, live } = screen(stream);
  line(`${chalk.red('x')} ${secret.reveal()}`);
  expect(written.join('')).not.toContain('0001');
  expect(written.join('')).not.toContain('\x1b');
  expect(live).toBe(false);
});

test('on a terminal the list is scrubbed before it is cut: no part of a token shows at the edge', async () => {
  const token = 'feedface'.repeat(8);
  new Secret(token);
  const stream = Object.assign(new PassThrough(), { columns: 140, rows: 24, isTTY: true });
  const live: Screen = { ...out, live: true, stream: stream as unknown as Screen['stream'] };
  const watcher = await watch(live);
  const row = progress('applying', { reason: `waits for ${token}\n\x1b]52;c;x\x07` });
  watcher.changed(row, [row]);
  vi.advanceTimersByTime(200);
  watcher.stop();
  const shown = String(stream.read());
  expect(shown).toContain('[REDACTED] \\u001b]52');
  expect(shown).not.toContain('feed');
});

test('on a terminal a line between two pictures stays, above them; afterwards lines are written as before', async () => {
  const stream = Object.assign(new PassThrough(), { columns: 80, rows: 24, isTTY: true });
  const live: Screen = { ...out, live: true, stream: stream as unknown as Screen['stream'] };
  const watcher = await watch(live);
  watcher.changed(progress('applying'), [progress('applying')]);
  vi.advanceTimersByTime(200);
  live.line('the API server does not answer');
  vi.advanceTimersByTime(200);
  watcher.stop();
  live.line('afterwards');
  const shown = String(stream.read());
  expect(shown.split('the API server does not answer')).toHaveLength(2);
  expect(shown.lastIndexOf('1.0 Address')).toBeGreaterThan(shown.indexOf('the API server'));
  expect(lines).toEqual(['afterwards']);
});
