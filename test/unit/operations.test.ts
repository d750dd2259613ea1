/** What the program does with its steps: exit statuses, what it prints, what it journals. The steps are the test's own. */
import { Chalk } from 'chalk';
import { beforeEach, expect, test, vi } from 'vitest';
import { BadInput, Failure, type Problem } from '../../lib/base/failure.ts';
import type { JournalEntry } from '../../lib/runner/journal.ts';
import { operate } from '../../scripts/operate.ts';
import type { Session } from '../../lib/runner/session.ts';
import {
  absent,
  conflict,
  done,
  proven,
  type ChangeStep,
  type Check,
  type Proof,
  type ProofStep,
  type Step,
} from '../../lib/step.ts';
import type { Criterion } from '../../lib/runner/criterion.ts';
import { Stop } from '../../lib/runner/stop.ts';
import { contextOf, fakeOutside, settings } from './outside.ts';

const world = vi.hoisted(() => ({
  steps: [] as Step[],
  criteria: [] as Criterion[],
  problems: [] as Problem[],
  session: undefined as Session | undefined,
  looking: undefined as boolean | undefined,
}));
vi.mock('../../scripts/steps.ts', () => ({ stepsFor: () => world.steps }));
vi.mock('../../scripts/criteria/criteria.ts', () => ({ CRITERIA: world.criteria }));
vi.mock('../../lib/runner/preflight.ts', () => ({
  preflight: () => Promise.resolve(world.problems),
  unreached: () => Promise.resolve(world.problems),
}));
vi.mock('../../lib/runner/session.ts', () => ({
  openSession: (looking: boolean) => {
    world.looking = looking;
    return world.session;
  },
}));

vi.mock('../../lib/runner/lock.ts', async (real) => ({
  ...(await real<typeof import('../../lib/runner/lock.ts')>()),
  withLock: (_: Session, __: unknown, work: (tell: () => void) => unknown) => work(() => undefined),
}));

let lines: string[];
let entries: JournalEntry[];
let applied: string[];

function change(id: ChangeStep['id'], found: Check, more: Partial<ChangeStep> = {}): ChangeStep {
  const apply = (): Promise<void> => Promise.resolve(void applied.push(id));
  const verify = (): Promise<string> => Promise.resolve('seen');
  return {
    id,
    kind: 'change',
    title: `T${id}`,
    needs: [],
    check: () => Promise.resolve(found),
    apply,
    verify,
    owns: () => ({}),
    undo: apply,
    ...more,
  };
}
const proof = (id: ProofStep['id'], prove: ProofStep['prove'] = () => Promise.resolve(proven('shown'))): ProofStep => ({
  id,
  kind: 'proof',
  title: 'P',
  needs: [],
  prove,
});

beforeEach(() => {
  lines = [];
  entries = [];
  applied = [];
  world.steps.length = 0;
  world.criteria.length = 0;
  world.problems = [];
  world.looking = undefined;
  const out = {
    line: (t: string) => void lines.push(t),
    chalk: new Chalk({ level: 0 }),
    live: false,
    stream: process.stdout,
  };
  const outside = fakeOutside({});
  const ctx = contextOf(outside, settings());
  world.session = { ctx, outside, stop: new Stop(), out, journal: (e) => void entries.push(e) };
});

test('deploy: what is absent is made, what is there is left, status 0, then make verify', async () => {
  world.steps.push(change('1.0', absent('none')), change('1.1', done('there')), proof('4.0'));
  expect(await operate('deploy', {})).toBe(0);
  expect(applied).toEqual(['1.0']);
  expect(lines.join('\n')).toContain('1 done, 1 unchanged, 1 proven, 0 failed');
  expect(lines.at(-1)).toMatch(/^next: make verify/);
  expect(entries.at(-1)).toMatchObject({ event: 'run', what: 'deploy', state: 'done' });
  expect(world.looking).toBe(false);
});

test('deploy: a failure is status 1, what needs it is blocked, and the same command resumes', async () => {
  const broken = (): Promise<void> => Promise.reject(new Failure({ what: 'quota', next: 'raise it' }));
  world.steps.push(change('1.0', absent('none'), { apply: broken }), change('1.3', absent('none'), { needs: ['1.0'] }));
  expect(await operate('deploy', {})).toBe(1);
  expect(lines.join('\n')).toContain('quota\n  next     raise it');
  expect(lines.join('\n')).toContain('1 failed, 1 blocked');
  expect(lines.at(-1)).toMatch(/^next: make deploy ENV_FILE=.*resumes where this ended/);
  expect(applied).toEqual([]);
});

test('blocked from outside the choice: a run that can succeed is named, not the same again', async () => {
  world.steps.push(change('1.0', absent('none')), change('1.3', absent('none'), { needs: ['1.0'] }), proof('4.0'));
  expect(await operate('phase1', { only: '1.3' })).toBe(1);
  expect(lines.at(-1)).toMatch(/^next: make deploy UNTIL=1\.3 ENV_FILE=/);
  expect(await operate('deploy', { until: '1.3' })).toBe(0);
  expect(await operate('1.3', {})).toBe(1);
  expect(lines.at(-1)).toMatch(/^next: make deploy UNTIL=1\.3 ENV_FILE=/);
});

test('a difference that needs a person stops, status 1, nothing applied', async () => {
  world.steps.push(change('1.0', conflict('another record', 'look whose it is')));
  expect(await operate('1.0', {})).toBe(1);
  expect(applied).toEqual([]);
  expect(lines.join('\n')).toContain('look whose it is');
});

test('problems before the first change: all of them, journalled as a refusal, nothing applied', async () => {
  world.steps.push(change('1.0', absent('none')));
  world.problems = ['docker', 'DNS_ZONE'].map((about) => ({ about, message: 'm', remedy: 'r' }));
  await expect(operate('deploy', {})).rejects.toMatchObject({ name: 'BadInput', problems: world.problems });
  expect(entries.at(-1)).toMatchObject({ what: 'deploy', state: 'refused', reason: 'docker: m; DNS_ZONE: m' });
  expect(applied).toEqual([]);
  await expect(operate('doctor', {})).rejects.toBeInstanceOf(BadInput);
});

test.each<[string, ChangeStep[], number, string]>([
  ['all as meant', [change('1.0', done('a'))], 0, 'everything matches the configuration'],
  ['something to do', [change('1.0', done('a')), change('1.1', absent('b'))], 3, '1 to do: 1.1'],
  [
    'known later',
    [change('1.3', { state: 'unknown', reason: 'known after 1.0', after: '1.0' })],
    3,
    '1 known later: 1.3',
  ],
  [
    'a check that fails',
    [change('1.0', done('a'), { check: () => Promise.reject(new Error('no answer')) })],
    1,
    '1 could not be looked at: 1.0',
  ],
])('status and plan, %s: status and words, nothing applied', async (_, steps, status, words) => {
  world.steps.push(...steps);
  expect(await operate('status', {})).toBe(status);
  expect(lines.at(-1)).toBe(words);
  expect(world.looking).toBe(true);
  expect(await operate('deploy', { plan: true })).toBe(status);
  expect(world.looking).toBe(true);
  expect(applied).toEqual([]);
});

test.each<[string, (() => Promise<Proof>)[], number, string]>([
  ['all proven', [() => Promise.resolve({ state: 'proven', evidence: 'e' })], 0, '1 of 1 criteria proven'],
  [
    'one that cannot be shown',
    [
      () => Promise.resolve({ state: 'proven', evidence: 'e' }),
      () => Promise.resolve({ state: 'unproven', reason: 'no key' }),
    ],
    4,
    '1 of 2 criteria proven; not proven: 2 (C2: unproven)',
  ],
  [
    'one that fails beside it',
    [
      () => Promise.resolve({ state: 'unproven', reason: 'no key' }),
      () => Promise.reject(new Failure({ what: 'open' })),
    ],
    1,
    '0 of 2 criteria proven; not proven: 1 (C1: unproven), 2 (C2: failed)',
  ],
])('verify, %s', async (_, proofs, status, last) => {
  world.criteria.push(...proofs.map((prove, i) => ({ number: i + 1, title: `C${i + 1}`, prove })));
  expect(await operate('verify', {})).toBe(status);
  expect(lines.at(-1)).toBe(last);
});

test('a cluster that does not answer is told once, as doctor tells it, by status and plan', async () => {
  const breaks = { check: () => Promise.reject(new Error('kubectl get failed (status 1)')) };
  world.steps.push(change('1.1', done('a'), breaks), change('1.4', done('a'), breaks));
  world.problems = [{ about: 'GKE_CONTEXT', message: 'context "x" does not answer: no such context', remedy: 'r' }];
  for (const flags of [{}, { plan: true as const }]) {
    lines.length = 0;
    expect(await operate(flags.plan ? 'deploy' : 'status', flags)).toBe(1);
    const text = lines.join('\n');
    expect(text).not.toContain('kubectl get failed');
    expect(text.split('context "x" does not answer')).toHaveLength(2);
  }
});

test('status --only looks at these steps alone', async () => {
  world.steps.push(change('1.0', absent('none')), change('1.1', done('there')));
  expect(await operate('status', { only: '1.1' })).toBe(0);
  expect(lines.join('\n')).not.toContain('1.0');
});

test('verify, doctor and status as JSON: one document on standard output, no line beside it', async () => {
  let text = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((t) => Boolean((text += String(t))));
  const document = async (what: string): Promise<[number, unknown]> => {
    text = '';
    const status = await operate(what, { json: true });
    return [status, JSON.parse(text)];
  };
  world.steps.push(change('1.0', absent('none')));
  world.criteria.push({ number: 1, title: 'C1', prove: () => Promise.reject(new Failure({ what: 'open' })) });
  const verified = await document('verify');
  const looked = await document('status');
  world.problems = [{ about: 'docker', message: 'm', remedy: 'r' }];
  const refused = await document('doctor');
  write.mockRestore();
  const criteria = [{ number: 1, title: 'C1', state: 'failed', reason: 'open' }];
  expect(verified).toEqual([1, expect.objectContaining({ schemaVersion: 1, kind: 'verify', status: 1, criteria })]);
  expect(looked).toEqual([3, expect.objectContaining({ schemaVersion: 1, kind: 'status', status: 3 })]);
  expect(refused).toEqual([2, expect.objectContaining({ kind: 'doctor', status: 2, problems: world.problems })]);
  expect(lines).toEqual([]);
});

test('readiness only looks, takes --json, and its command stands in the journal', async () => {
  const shown = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  // Nothing is listed in this outside: no line can be read.
  expect(await operate('readiness', { json: true })).toBe(1);
  expect(JSON.parse(String(shown.mock.calls.at(-1)?.[0]))).toMatchObject({ kind: 'readiness', status: 1 });
  expect(world.looking).toBe(true);
  expect(entries.at(-1)).toMatchObject({ event: 'run', what: 'readiness', state: 'failed' });
});

test('doctor: ready, with what deserves a warning', async () => {
  const given = settings({
    gkeExecutorApiUrl: 'http://kubently-api:8080',
    tls: { issuer: 'staging', caFile: undefined, own: undefined },
  });
  if (world.session) world.session = { ...world.session, ctx: contextOf(fakeOutside({}), given) };
  expect(await operate('doctor', {})).toBe(0);
  expect(lines.filter((l) => l.startsWith('warning: '))).toHaveLength(3);
  expect(lines.at(-1)).toContain('2 clusters and the checkout are as they should be');
});
