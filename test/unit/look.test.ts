/** `plan` and `status`: on a first run, on a finished one, and where a check cannot read. */
import { beforeEach, expect, test, vi } from 'vitest';
import type { Context } from '../../lib/context.ts';
import { Failure } from '../../lib/base/failure.ts';
import type { JournalEntry } from '../../lib/runner/journal.ts';
import { extraLines, look, lookAtSteps, type View } from '../../lib/runner/look.ts';
import { screen } from '../../lib/runner/show.ts';
import { absent, conflict, differs, done, type Check, type Step, type StepId } from '../../lib/step.ts';
import { STEPS } from '../../scripts/steps.ts';
import { FakeCluster } from './fake-cluster.ts';
import { FakeGoogle } from './fake-google.ts';
import { contextOf, fakeOutside, json } from './outside.ts';
import { AROUND, checkedOut, checkoutRows, VALUES } from './released.ts';

vi.mock('../../lib/chart/fit.ts', () => ({
  fitRelease: ({ release }: { release: string }) =>
    Promise.resolve({
      values: VALUES,
      extras: AROUND.map((a) => ({ ...a, says: `${a.kind} of ${release}` })),
      findings: [],
    }),
}));

const change = (id: StepId, check: () => Promise<Check>, needs: StepId[] = []): Step => ({
  id,
  kind: 'change',
  title: `step ${id}`,
  needs,
  check,
  apply: () => Promise.reject(new Error('a look must not apply')),
  verify: () => Promise.reject(new Error('a look must not verify')),
  owns: () => ({}),
  undo: () => Promise.reject(new Error('a look must not undo')),
});
const says = (check: Check) => () => Promise.resolve(check);
const breaks = () => Promise.reject(new Failure({ what: 'no matches for kind' }));

/** A first run: a project with a zone, two clusters with nothing in them, an empty registry. */
function nothingThere() {
  // The fake project's zone and record are those of this host.
  const given = checkedOut({ host: 'unit-api.kubently.io' });
  const registry = Object.fromEntries(
    ['api', 'executor'].flatMap((image) => [
      [`GET https://ghcr.io/v2/`, json({})],
      [`GET https://ghcr.io/v2/kubently/kubently/${image}/manifests/c31127e`, json({}, 404)],
    ]),
  );
  const outside = fakeOutside({
    worlds: [new FakeCluster('gke-context'), new FakeCluster('kind-context'), new FakeGoogle()],
    rows: checkoutRows(given),
    http: registry,
  });
  return { outside, ctx: contextOf(outside, given, true) };
}

const states = (rows: readonly { id: StepId; state: string; after?: StepId }[]): Record<string, string> =>
  Object.fromEntries(rows.map((r) => [r.id, r.after ? `${r.state} after ${r.after}` : r.state]));

test('on a first run every step is looked at: nothing fails, nothing is guessed, nothing is changed', async () => {
  const { outside, ctx } = nothingThere();
  const rows = await lookAtSteps(STEPS, STEPS, { ...ctx, plannedFits: new Map() });
  expect(states(rows)).toEqual({
    '1.0': 'absent',
    '1.1': 'absent',
    '1.2': 'absent',
    '1.3': 'unknown after 1.0',
    '1.4': 'absent',
    '2.1': 'absent',
    '2.2': 'absent',
    '2.3': 'unknown after 2.1',
    '2.4': 'absent',
    '2.5': 'absent',
    '2.6': 'absent',
    '2.7': 'absent',
    '2.8': 'absent',
    '3.1': 'absent',
    '3.2': 'unknown after 2.1',
    '4.0': 'unproven',
    '4.1': 'unproven',
    '4.2': 'unproven',
    '4.3': 'unproven',
  });
  expect(rows.every((r) => r.reason !== '')).toBe(true);
  expect(outside.changes).toEqual([]);
});

test('status does not fit charts: what only a fit tells is known after 2.4', async () => {
  const { ctx } = nothingThere();
  const rows = await lookAtSteps(STEPS, STEPS, ctx);
  expect(states(rows)).toMatchObject({ '2.5': 'unknown after 2.4', '2.8': 'unknown after 2.4' });
  expect(rows.filter((r) => r.state === 'failed')).toEqual([]);
});

test('what is done around each chart is told, by release, also before anything is kept', async () => {
  const { ctx } = nothingThere();
  const lines = await extraLines(STEPS, { ...ctx, plannedFits: new Map() });
  expect(lines).toContainEqual({ step: '2.5', says: 'network-policy of kubently' });
  expect(lines).toContainEqual({ step: '3.2', says: 'hpa-remove of kubently-remote' });
  const [only25] = STEPS.filter((s) => s.id === '2.5');
  expect(
    (await extraLines(only25 ? [only25] : [], { ...ctx, plannedFits: new Map() })).map((l) => l.step),
  ).not.toContain('3.2');
});

test('a check that cannot read before what it needs is there is unknown, through several needs', async () => {
  const steps = [change('1.0', says(absent('no'))), change('1.1', breaks, ['1.0']), change('1.2', breaks, ['1.1'])];
  const rows = await lookAtSteps(steps, steps, contextOf(fakeOutside({})));
  expect(states(rows)).toEqual({ '1.0': 'absent', '1.1': 'unknown after 1.0', '1.2': 'unknown after 1.1' });
  expect(rows[1]?.reason).toBe('known after 1.0 (now: no matches for kind)');
});

test('a check that cannot read although what it needs is done has failed', async () => {
  const steps = [change('1.0', says(done('yes'))), change('1.1', breaks, ['1.0']), change('1.2', breaks, ['1.1'])];
  const rows = await lookAtSteps(steps, steps, contextOf(fakeOutside({})));
  expect(states(rows)).toEqual({ '1.0': 'done', '1.1': 'failed', '1.2': 'failed' });
});

test('a need outside the choice is asked, once, and only where it matters', async () => {
  let asked = 0;
  const need = change('1.0', () => {
    asked++;
    return Promise.resolve(absent('no'));
  });
  const chosen = [change('1.1', breaks, ['1.0']), change('1.2', breaks, ['1.0'])];
  const rows = await lookAtSteps(chosen, [need, ...chosen], contextOf(fakeOutside({})));
  expect(states(rows)).toEqual({ '1.1': 'unknown after 1.0', '1.2': 'unknown after 1.0' });
  expect(asked).toBe(1);
});

let shown = '';
beforeEach(() => {
  shown = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    shown += String(text);
    return true;
  });
});

async function show(steps: Step[], view: Partial<View> = {}, ctx: Context = contextOf(fakeOutside({}))) {
  const journal: JournalEntry[] = [];
  const session = { ctx, out: screen(), journal: (e: JournalEntry) => void journal.push(e) };
  const status = await look(session, { kind: 'plan', steps, catalogue: steps, json: false, ...view });
  return { status, journal };
}

test('the plan: absent, differs, done, conflict, each with reason and fields; status 3; journalled', async () => {
  const { status, journal } = await show([
    change('1.0', says(absent('no address'))),
    change('1.1', says(differs('spec.a: 1 → 2 (and 1 more)', ['spec.a: 1 → 2', 'spec.b: 3 → 4']))),
    change('1.2', says(done('as meant'))),
    change('1.3', says(conflict('another address', 'gcloud look'))),
  ]);
  expect(status).toBe(3);
  for (const line of [
    /^\+ 1\.0 step 1\.0 +absent +no address$/m,
    /^~ 1\.1 step 1\.1 +differs +spec\.a: 1 → 2 \(and 1 more\)\n {8}spec\.a: 1 → 2\n {8}spec\.b: 3 → 4$/m,
    /^✓ 1\.2 step 1\.2 +done +as meant$/m,
    /^! 1\.3 step 1\.3 +conflict +another address\n {8}a run would stop here; next: gcloud look$/m,
    /^plan: 1 absent, 1 differs, 1 done, 1 conflict; nothing was changed$/m,
  ])
    expect(shown).toMatch(line);
  expect(journal.map((e) => `${e.event} ${e.step ?? ''} ${e.state ?? ''}`)).toEqual([
    'plan 1.0 absent',
    'plan 1.1 differs',
    'plan 1.2 done',
    'plan 1.3 conflict',
  ]);
});

test('everything as meant: status 0; a step that cannot be looked at: status 1', async () => {
  expect((await show([change('1.0', says(done('yes')))])).status).toBe(0);
  expect((await show([change('1.0', breaks), change('1.1', says(absent('no')))])).status).toBe(1);
});

test('--json is one document: state, reason, lines, after; the status in it', async () => {
  const steps = [change('1.0', says(differs('a → b', ['a → b']))), change('1.1', breaks, ['1.0'])];
  const { status } = await show(steps, { json: true });
  expect(JSON.parse(shown)).toEqual({
    schemaVersion: 1,
    causes: [],
    kind: 'plan',
    status: 3,
    verdict: 'plan: 1 differs, 1 unknown; nothing was changed',
    steps: [
      { id: '1.0', title: 'step 1.0', state: 'differs', reason: 'a → b', lines: ['a → b'] },
      {
        id: '1.1',
        title: 'step 1.1',
        state: 'unknown',
        reason: 'known after 1.0 (now: no matches for kind)',
        lines: [],
        after: '1.0',
      },
    ],
    extras: [],
  });
  expect(status).toBe(3);
});

test('status of a deployment that is not there says so of every fact and does not fail', async () => {
  const { ctx } = nothingThere();
  const { status } = await show([], { kind: 'status', json: true }, ctx);
  const { deployed, verdict } = JSON.parse(shown) as { deployed: { about: string; grade: string }[]; verdict: string };
  expect(status).toBe(0);
  expect(verdict).toBe('everything matches the configuration');
  expect(deployed.map((f) => f.about)).toEqual([
    'certificate',
    'connected gke',
    'connected kind-remote',
    'version cert-manager',
    'version Traefik',
    'version api',
    'version executor gke',
    'version executor kind-remote',
  ]);
  expect(new Set(deployed.map((f) => f.grade))).toEqual(new Set(['unknown']));
});
