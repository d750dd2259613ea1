/** The report: one page that needs nothing from outside, every criterion in it, nothing that a journal or pod says is markup. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { changesBetween } from '../../lib/operations/report/changes.ts';
import { keepReport, previousReport, reportsFolder } from '../../lib/operations/report/kept-reports.ts';
import { lastRun } from '../../lib/operations/report/last-run.ts';
import { page } from '../../lib/operations/report/page.ts';
import type { Report } from '../../lib/operations/report/report.ts';
import { STEPS } from '../../scripts/steps.ts';
import { CRITERIA } from '../../scripts/criteria/criteria.ts';
import { temporaryFolder } from './outside.ts';

const at = (s: number): string => new Date(Date.parse('2026-01-01T10:00:00Z') + s * 1000).toISOString();
const entry = (s: number, more: object, run = 'r2', settings = '/s/.env'): string =>
  JSON.stringify({ time: at(s), run, user: 'ops', settings, ...more });

const JOURNAL = [
  entry(0, { event: 'run', what: 'deploy', state: 'started' }, 'r1'),
  entry(1, { event: 'step', step: '1.0', state: 'checking' }, 'r1'),
  entry(10, { event: 'run', what: 'phase2', state: 'started' }),
  entry(11, { event: 'step', step: '1.0', state: 'checking' }, 'other', '/other/.env'),
  entry(12, { event: 'step', step: '2.10', state: 'checking' }),
  entry(12, { event: 'step', step: '2.3', state: 'checking' }),
  entry(13, { event: 'step', step: '2.3', state: 'applying', reason: 'absent' }),
  entry(20, { event: 'step', step: '2.3', state: 'verifying' }),
  entry(22, { event: 'step', step: '2.3', state: 'done', reason: 'evidence' }),
  '{"torn',
  entry(30, { event: 'step', step: '2.10', state: 'failed', reason: 'why' }),
  entry(31, { event: 'run', what: 'phase2', state: 'failed', durationMs: 21_000 }),
  entry(40, { event: 'run', what: 'verify', state: 'started' }, 'r3'),
  entry(41, { event: 'run', what: 'verify', state: 'done' }, 'r3'),
].join('\n');

const base: Report = {
  made: at(100),
  host: 'unit-api.kubently.io',
  project: 'unit-project',
  verdict: '12 of 13 criteria proven',
  criteria: CRITERIA.map(({ number, title }) => ({ number, title, state: 'proven', text: `evidence ${number}` })),
  facts: [
    { section: 'Cluster gke', name: 'api digest', value: 'sha256:aa' },
    { section: 'Certificate', name: 'Left of its lifetime', value: '99 %' },
  ],
  lastRun: lastRun(JOURNAL, '/s/.env', STEPS),
  findings: [
    { release: 'gke', findings: [{ grade: 'warning', id: 'hpa-stray', message: 'scales', remedy: 'nothing' }] },
  ],
  chartError: undefined,
  since: undefined,
};

test('the last run of these settings, step by step', () => {
  expect(base.lastRun).toEqual({
    what: 'phase2',
    started: at(10),
    user: 'ops',
    state: 'failed',
    durationMs: 21_000,
    steps: [
      {
        id: '2.3',
        title: STEPS.find((s) => s.id === '2.3')?.title,
        state: 'done',
        reason: 'evidence',
        spans: [
          { state: 'checking', from: 2000, to: 3000 },
          { state: 'applying', from: 3000, to: 10_000 },
          { state: 'verifying', from: 10_000, to: 12_000 },
        ],
      },
      { id: '2.10', title: '', state: 'failed', reason: 'why', spans: [{ state: 'checking', from: 2000, to: 20_000 }] },
    ],
  });
  expect(lastRun('', '/s/.env', STEPS)).toBeUndefined();
});

test('a run that was killed is told as not ended, its open step up to its last sign', () => {
  const killed = lastRun(JOURNAL.split('\n').slice(0, 7).join('\n'), '/s/.env', STEPS);
  expect(killed).toMatchObject({ state: 'not ended', durationMs: 3000 });
  expect(killed?.steps.at(-1)?.spans).toEqual([{ state: 'checking', from: 2000, to: 3000 }]);
});

test('changes: criteria, facts and findings; what passes by itself and unchanged things are none', () => {
  const after: Report = {
    ...base,
    criteria: base.criteria.map((c) =>
      c.number === 9 ? { ...c, state: 'failed', text: 'other' } : { ...c, text: 'x' },
    ),
    facts: [
      { section: 'Cluster gke', name: 'api digest', value: 'sha256:bb' },
      { section: 'Certificate', name: 'Left of its lifetime', value: '50 %' },
      { section: 'Cluster gke', name: 'redis', value: 'new' },
    ],
    findings: [],
  };
  expect(changesBetween(base, after)).toEqual([
    { what: 'Criterion 9: Both executors connected and healthy', before: 'proven', after: 'failed' },
    { what: 'Cluster gke: api digest', before: 'sha256:aa', after: 'sha256:bb' },
    { what: 'Cluster gke: redis', before: undefined, after: 'new' },
    { what: 'Finding in gke: hpa-stray', before: 'scales', after: undefined },
  ]);
  expect(changesBetween(base, base)).toEqual([]);
});

test('the page: every criterion, nothing asked from outside, nothing of the data as markup', async () => {
  const nasty = '<script src="https://evil.test/x.js"></script><img src=//evil.test>';
  const text = await page({
    ...base,
    criteria: base.criteria.map((c) => ({ ...c, text: nasty })),
    facts: [{ section: nasty, name: nasty, value: nasty }],
    since: { made: at(1), changes: [{ what: nasty, before: undefined, after: nasty }] },
    chartError: nasty,
  });
  for (const { title } of CRITERIA) expect(text).toContain(title.replaceAll("'", '&#39;'));
  expect(text.match(/<li value="/g)).toHaveLength(13);
  expect(text).not.toMatch(/<(script|img|link|iframe|object|embed)\b/i);
  expect(text).not.toMatch(/<[^>]*\s(src|srcset|href|action|xlink:href)\s*=\s*(?!["']?#)/i);
  expect(text).not.toMatch(/url\(|@import/);
  expect(text).toContain("default-src 'none'".replaceAll("'", '&#39;'));
});

test('the newest kept report is the one before; one that is cut off is passed over', () => {
  const folder = reportsFolder('unit-api.kubently.io', temporaryFolder());
  expect(previousReport(folder)).toBeUndefined();
  keepReport(folder, at(1), JSON.stringify({ ...base, verdict: 'first' }));
  keepReport(folder, at(2), JSON.stringify({ ...base, verdict: 'second' }));
  expect(previousReport(folder)?.verdict).toBe('second');
  writeFileSync(join(folder, '9999.json'), '{"made":');
  expect(previousReport(folder)?.verdict).toBe('second');
});
