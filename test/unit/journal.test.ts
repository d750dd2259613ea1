import { mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Declined } from '../../lib/runner/confirm.ts';
import { BadInput, Failure } from '../../lib/base/failure.ts';
import { runsOf } from '../../lib/runner/history.ts';
import { openJournal } from '../../lib/runner/journal.ts';
import { Secret } from '../../lib/base/secret.ts';
import { Stopped } from '../../lib/runner/stop.ts';
import { temporaryFolder } from './outside.ts';
import { recordedRun } from '../../lib/runner/recorded-run.ts';

const read = (folder: string): Record<string, unknown>[] =>
  readFileSync(join(folder, 'journal.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

function journal() {
  const folder = join(temporaryFolder(), '.runbook');
  const told: string[] = [];
  return { folder, told, write: openJournal('/some/.env', (t) => void told.push(t), folder) };
}

test('each line says who, where, which commit and which settings; the file is private', () => {
  const { folder, write } = journal();
  write({ event: 'step', step: '2.3', state: 'done', reason: 'r', durationMs: 5 });
  expect(read(folder)).toMatchObject([
    { event: 'step', step: '2.3', state: 'done', durationMs: 5, commit: 'unknown', settings: '/some/.env' },
  ]);
  expect(Object.keys(read(folder)[0] ?? {})).toEqual(expect.arrayContaining(['time', 'run', 'user', 'host', 'pid']));
  expect(statSync(join(folder, 'journal.jsonl')).mode & 0o777).toBe(0o600);
});

test('no secret reaches it', () => {
  const { folder, write } = journal();
  new Secret('journal-secret-0001');
  write({
    event: 'step',
    reason: `token journal-secret-0001 ${Buffer.from('journal-secret-0001').toString('base64')}`,
  });
  expect(JSON.stringify(read(folder))).not.toMatch(/journal-secret|am91cm5hbC1zZWNyZX/);
});

test('a full disk is told once and stops nothing', () => {
  const { folder, told, write } = journal();
  mkdirSync(folder);
  symlinkSync('/dev/full', join(folder, 'journal.jsonl'));
  write({ event: 'run' });
  write({ event: 'run' });
  expect(told).toHaveLength(1);
  expect(told[0]).toContain('ENOSPC');
});

test('a place that cannot be written is told once and stops nothing', () => {
  const told: string[] = [];
  const write = openJournal('/some/.env', (t) => void told.push(t), '/dev/null/.runbook');
  write({ event: 'run' });
  write({ event: 'run' });
  expect(told).toEqual([expect.stringContaining('ENOTDIR')]);
});

test.each([
  ['done', () => Promise.resolve(0)],
  ['failed', () => Promise.resolve(1)],
  ['something to do', () => Promise.resolve(3)],
  ['refused', () => Promise.reject(new BadInput([{ about: 'helm', message: 'is missing', remedy: 'install it' }]))],
  ['declined', () => Promise.reject(new Declined(2))],
  ['failed', () => Promise.reject(new Failure({ what: 'no answer' }))],
  ['stopped', () => Promise.reject(new Stopped({ what: 'ended by SIGINT' }, 130))],
])('a command that ends %s is in the history so, and its ending comes through', async (result, work) => {
  const { folder, write } = journal();
  const direct = await work().catch((e: unknown) => e);
  const through = await recordedRun(write, 'deploy FROM=2.3', work).catch((e: unknown) => e);
  expect(String(through)).toBe(String(direct));
  expect(runsOf(readFileSync(join(folder, 'journal.jsonl'), 'utf8'))).toMatchObject([
    { what: 'deploy FROM=2.3', result, durationMs: expect.any(Number) as number },
  ]);
});

test('history: failed steps with their reason, remarks, what was killed and what runs; a cut line is passed over', () => {
  const { folder, write } = journal();
  write({ event: 'run', what: 'deploy', state: 'started' });
  write({ event: 'step', step: '2.5', state: 'applying', reason: 'absent' });
  write({ event: 'step', step: '2.5', state: 'failed', reason: 'image pull' });
  write({ event: 'remark', step: '2.5', reason: 'marked failed' });
  const text = readFileSync(join(folder, 'journal.jsonl'), 'utf8');
  const killed = text.replace(/"run":"[^"]+"/g, '"run":"gone-1"').replace(/"started":"\d+"/g, '"started":"1"');
  const [first, second, ...more] = runsOf(`${killed}{"cut":\n${text}`);
  expect(more).toEqual([]);
  expect(first).toMatchObject({
    run: 'gone-1',
    what: 'deploy',
    result: 'killed',
    failed: [{ step: '2.5', reason: 'image pull' }],
    remarks: ['2.5 marked failed'],
  });
  expect(second).toMatchObject({ result: 'running' });
});
