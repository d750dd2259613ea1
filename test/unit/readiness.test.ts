/** make readiness: each line closed by its evidence, open where it is absent or stale; the lines are the plan's. */
import { readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { Chalk } from 'chalk';
import { beforeEach, expect, test, vi } from 'vitest';
import { ageText } from '../../lib/base/clock.ts';
import { ROOT } from '../../lib/base/paths.ts';
import { Secret } from '../../lib/base/secret.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';
import { judge, LINES, readiness, type Row as Shown } from '../../lib/operations/readiness/readiness.ts';
import type { JournalEntry } from '../../lib/runner/journal.ts';
import { Stop } from '../../lib/runner/stop.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import { FakeCluster } from './fake-cluster.ts';
import { EMAIL, FakeGoogle, PROJECT } from './fake-google.ts';
import { contextOf, fails, fakeOutside, json, settings, type FakeOutside, type Row } from './outside.ts';
import { DAY, daysAgo, NOW, pod, prometheus, secret, type Watched } from './readiness-objects.ts';
import { TOKENS, withTokens } from './remote.ts';

const COMMIT = 'c31127e3f8a94be2a1e6b6b7e2d7a0b9c8d7e6f5';
const KEY = JSON.stringify({ private_key_id: 'key-1', private_key: 'unit-private-key' });

let given: Settings;
let gke: FakeCluster;
let kind: FakeCluster;
let journal: Record<string, unknown>[];
let refused: number;
let workflows: unknown;
let origin: string;
let keyMade: string | undefined;
let watched: Watched;
let stored: unknown[];
let outside: FakeOutside;

const proof = (event: string, days: number, reason = `${event} was seen`, step?: string): Record<string, unknown> => ({
  time: daysAgo(days),
  event,
  state: 'done',
  reason,
  deployment: given.host,
  ...(step === undefined ? {} : { step }),
});
const DIGESTS = 'sha256:api, sha256:executor, sha256:redis';
const SUBJECTS = ['api-key', 'redis', 'executor:gke', 'executor:kind-remote', 'dns-key'];

/** A deployment of which every line that can be closed is. */
beforeEach(() => {
  given = withTokens(
    settings({
      llm: { ...settings().llm, provider: 'openai', keys: { OPENAI_API_KEY: new Secret('unit-llm-key') } },
    }),
  );
  utimesSync(given.tokensFile, new Date(NOW), new Date(NOW - 3 * DAY));
  const api = { 'app.kubernetes.io/component': 'api' };
  const object = (kindOf: string, name: string, rest: object, namespace = 'kubently'): KubeObject => ({
    apiVersion: 'v1',
    kind: kindOf,
    metadata: { name, namespace },
    ...rest,
  });
  gke = new FakeCluster('gke-context', [
    pod('redis-0', 'kubently', 'redis', 'kubently', 'n1'),
    pod('redis-1', 'kubently', 'redis', 'kubently', 'n2'),
    pod('api-1', 'kubently', 'api', 'kubently', 'n1'),
    pod('api-2', 'kubently', 'api', 'kubently', 'n2'),
    pod('executor-1', 'kubently', 'executor', 'kubently', 'n1'),
    object('PodDisruptionBudget', 'api', {
      spec: { selector: { matchLabels: api } },
      status: { expectedPods: 2, disruptionsAllowed: 1 },
    }),
    object('HorizontalPodAutoscaler', 'api', {
      spec: { scaleTargetRef: { kind: 'Deployment', name: 'kubently-api' } },
      status: { conditions: [{ type: 'ScalingActive', status: 'True' }] },
    }),
    object('Deployment', 'kubently-api', {
      spec: { template: { spec: { containers: [{ image: `x/api:${COMMIT.slice(0, 7)}` }] } } },
    }),
    object(
      'Service',
      'traefik',
      { spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['192.0.2.0/24'] } },
      'traefik',
    ),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'prometheus-operated', namespace: 'monitoring', labels: { 'operated-prometheus': 'true' } },
    },
    object('Kustomization', 'kubently', {
      status: { lastAppliedRevision: `main@sha1:${COMMIT}`, conditions: [{ type: 'Ready', status: 'True' }] },
    }),
    secret('kubently-api-keys', 'kubently'),
    secret('kubently-redis-password', 'kubently'),
    secret('kubently-executor-token', 'kubently'),
    secret('kubently-llm-secrets', 'kubently'),
    secret('clouddns-dns01-solver-sa', 'cert-manager', { 'key.json': Buffer.from(KEY).toString('base64') }),
  ]);
  kind = new FakeCluster('kind-context', [
    pod('remote-1', 'kubently-remote', 'executor', 'kubently-remote', 'k1'),
    secret('kubently-remote-executor-token', 'kubently-remote'),
  ]);
  journal = [
    ...['failover', 'allow-list', 'audit', 'mtls', 'iac-plan', 'drill', 'restore'].map((e) => proof(e, 6)),
    proof('backup', 1),
    ...['scan', 'triage'].map((e) => proof(e, 6, `nothing in ${DIGESTS}`)),
    ...SUBJECTS.map((s) => proof('rotate', 6, 'refused', s)),
  ];
  refused = 403;
  workflows = [
    { name: 'deploy', html_url: 'https://github.com/kubently/kubently/actions/runs/1', updated_at: daysAgo(1) },
  ];
  origin = 'git@github.com:kubently/kubently.git';
  keyMade = daysAgo(2);
  watched = {
    up: [
      { namespace: 'traefik', value: '1' },
      { namespace: 'cert-manager', value: '1' },
    ],
    groups: ['kubently-certificate'],
    ratios: ['0.001'],
  };
});

function seen() {
  const google = new FakeGoogle();
  const rows: Row[] = [
    { binary: 'git', args: ['-C', given.repo, 'rev-parse', 'HEAD'], answer: `${COMMIT}\n` },
    {
      binary: 'git',
      args: ['-C', given.repo, 'remote', 'get-url', 'origin'],
      answer: (c) => (origin === '' ? fails('error: No such remote')(c) : `${origin}\n`),
    },
    { binary: 'kubectl', args: (a) => a[1] === '--raw', answer: (c) => prometheus(c.args[2] ?? '', watched) },
  ];
  const health = `https://${given.host}/health`;
  const keys = `https://iam.googleapis.com/v1/projects/${PROJECT}/serviceAccounts/${EMAIL}/keys?keyTypes=USER_MANAGED`;
  const world = {
    request: ({ url }: { url: string }) => {
      if (url === keys)
        return json({ keys: [{ name: 'x/keys/key-1', ...(keyMade ? { validAfterTime: keyMade } : {}) }] });
      if (url.startsWith('https://storage.googleapis.com/storage/v1/b/unit-bucket/o?prefix='))
        return json({ items: stored });
      if (url === health) return json({});
      if (url.startsWith(`${health}?probe=`)) return json({}, refused);
      if (url === `https://${given.host}/executor/stream`) return json({}, 401);
      return url.startsWith(`https://api.github.com/repos/kubently/kubently/actions/runs?head_sha=${COMMIT}&`)
        ? json({ workflow_runs: workflows })
        : undefined;
    },
  };
  outside = fakeOutside({ worlds: [world, google, gke, kind], rows });
  return { ctx: contextOf(outside, given, true), journal: journal.map((l) => `${JSON.stringify(l)}\n`).join('') };
}

async function look(id: string): Promise<Shown> {
  const [row] = await judge(
    LINES.filter((l) => l.id === id),
    seen(),
  );
  if (!row) throw new Error(`no line ${id}`);
  return row;
}

const CANNOT = ['17', 'N2'];

test('the lines are the plan’s 17 gaps and 7 next steps, as docs/readiness.md has them', () => {
  const text = readFileSync(join(ROOT, 'docs', 'readiness.md'), 'utf8');
  const rows = [...text.matchAll(/^\| (N?\d+) +\| (.+?) +\| (.+?) +\|/gm)].map(
    ([, id, title]) => `${id ?? ''} ${title ?? ''}`,
  );
  expect(LINES.map((l) => `${l.id} ${l.title}`)).toEqual(rows);
  const numbered = (n: number, prefix: string): string[] => Array.from({ length: n }, (_, i) => `${prefix}${i + 1}`);
  expect(LINES.map((l) => l.id)).toEqual([...numbered(17, ''), ...numbered(7, 'N')]);
});

test.each(LINES.map((l) => [l.id, l.title] as const))('%s %s: closed by its evidence, nothing changed', async (id) => {
  const row = await look(id);
  expect(row).toMatchObject({
    state: CANNOT.includes(id) ? 'cannot' : 'closed',
    evidence: expect.stringMatching(/\w{3}/) as string,
  });
  expect(row.next === undefined).toBe(row.state === 'closed');
  expect(outside.changes).toEqual([]);
});

const drop =
  (kindOf: string, ...names: string[]) =>
  (): void => {
    gke.objects = gke.objects.filter(
      (o) => o.kind !== kindOf || (names.length > 0 && !names.includes(o.metadata.name)),
    );
  };
const change = (name: string, made: object) => (): void => {
  for (const o of gke.objects.filter((x) => x.metadata.name === name)) Object.assign(o, made);
};
const without = (event: string) => (): void => {
  journal = journal.filter((l) => l['event'] !== event);
};
const stale = (event: string, days: number) => (): void => {
  for (const l of journal) if (l['event'] === event) l['time'] = daysAgo(days);
};
const ofAnother = (event: string) => (): void => {
  for (const l of journal) if (l['event'] === event) l['deployment'] = 'other-api.kubently.io';
};
const changedAt = (name: string, days: number) =>
  change(name, { metadata: { name, namespace: 'kubently', changedAt: daysAgo(days) } });
const apiPods = (made: object) => (): void => {
  change('api-1', made)();
  change('api-2', made)();
};

const inBucket = (days?: number) => (): void => {
  given = { ...given, backup: { ...given.backup, bucket: 'unit-bucket' } };
  const name = `${given.host}/2025-12-29T00-00-00-000Z.redis.age`;
  stored = days === undefined ? [] : [{ name, timeCreated: daysAgo(days) }];
};

test.each<[string, string, string, () => void]>([
  ['1', 'one pod', '1 Redis pod in kubently', drop('Pod', 'redis-1')],
  ['1', 'no failover seen', 'no failover was seen', without('failover')],
  ['1', 'a stale one', 'proven 91 days ago, which counts for 90 days', stale('failover', 91)],
  ['1', 'another deployment’s', 'no failover was seen', ofAnother('failover')],
  ['2', 'none', 'no PodDisruptionBudget', drop('PodDisruptionBudget')],
  ['2', 'another’s', 'no PodDisruptionBudget', change('api', { spec: { selector: { matchLabels: { a: 'b' } } } })],
  ['2', 'none may go', '0 may go', change('api', { status: { expectedPods: 1, disruptionsAllowed: 0 } })],
  ['3', 'no rule', 'no rule keeps them apart', apiPods({ spec: { nodeName: 'n1' } })],
  ['3', 'one node', 'on 1 node', apiPods({ spec: { nodeName: 'n1', topologySpreadConstraints: [{}] } })],
  ['4', 'none', 'no HorizontalPodAutoscaler', drop('HorizontalPodAutoscaler')],
  [
    '4',
    'blind',
    'ScalingActive False',
    change('api', { status: { conditions: [{ type: 'ScalingActive', status: 'False' }] } }),
  ],
  ['5', 'none', '0 of 3 plain attacks', () => (refused = 200)],
  ['6', 'everybody', 'every address may ask', change('traefik', { spec: { loadBalancerSourceRanges: ['0.0.0.0/0'] } })],
  ['6', 'none', 'every address may ask', drop('Service')],
  ['6', 'nobody refused', 'nobody was seen to be refused', without('allow-list')],
  ['7', 'an old Secret', 'older than 90 days: API_KEY (', changedAt('kubently-api-keys', 91)],
  ['7', 'an old LLM key', 'older than 90 days: OPENAI_API_KEY', changedAt('kubently-llm-secrets', 91)],
  ['7', 'an old DNS-01 key', 'older than 90 days: DNS-01 key', () => (keyMade = daysAgo(91))],
  ['7', 'never rotated', 'never rotated from here: API_KEY, REDIS_PASSWORD', without('rotate')],
  ['7', 'rotated long ago', 'older than 90 days: API_KEY, REDIS_PASSWORD, executor token of gke', stale('rotate', 91)],
  ['7', 'not there', 'API_KEY is in no Secret', drop('Secret', 'kubently-api-keys')],
  ['8', 'none', 'no command was seen again', without('audit')],
  ['9', 'none', 'HTTP 401: a token alone is asked for', without('mtls')],
  [
    '10',
    'another image',
    'old is deployed',
    change('kubently-api', { spec: { template: { spec: { containers: [{ image: 'x:old' }] } } } }),
  ],
  ['10', 'no remote', 'has no remote at GitHub', () => (origin = '')],
  ['10', 'no run', 'no workflow run of kubently/kubently succeeded', () => (workflows = [])],
  ['11', 'none', 'no plan of Terraform', without('iac-plan')],
  ['11', 'stale', 'counts for 7 days', stale('iac-plan', 8)],
  ['12', 'no Prometheus', 'nobody is told of anything', drop('Service')],
  [
    '12',
    'a target down',
    '1 of 2 targets',
    () => (watched.up = [...watched.up.slice(0, 1), { namespace: 'cert-manager', value: '0' }]),
  ],
  ['12', 'a part unasked', 'nothing is asked in cert-manager', () => (watched.up = watched.up.slice(0, 1))],
  ['12', 'no alerts', '0 groups of alerts', () => (watched.groups = ['node'])],
  ['13', 'none', 'no error ratio', () => (watched.ratios = [])],
  ['14', 'none', 'never destroyed and brought back', without('drill')],
  ['14', 'stale', 'counts for 90 days', stale('drill', 91)],
  ['15', 'none', 'none of the 3 running digests', without('scan')],
  ['15', 'stale', 'counts for 7 days', stale('scan', 8)],
  [
    '15',
    'of other digests',
    '1 of the 4 running digests came after it: sha256:new',
    change('api-1', { status: { phase: 'Running', containerStatuses: [{ imageID: 'x@sha256:new' }] } }),
  ],
  ['16', 'none', 'none of the 3 running digests', without('triage')],
  ['N1', 'one pod', '1 Redis pod', drop('Pod', 'redis-1')],
  ['N3', 'no Prometheus', 'nobody is told', drop('Service')],
  ['N4', 'none', '0 Kustomizations', drop('Kustomization')],
  [
    'N4',
    'not ready',
    'Ready False',
    change('kubently', { status: { lastAppliedRevision: COMMIT, conditions: [{ type: 'Ready', status: 'False' }] } }),
  ],
  ['N5', 'none', 'no backup was ever restored', without('restore')],
  ['N5', 'stale', 'counts for 30 days', stale('restore', 31)],
  ['N5', 'no backup', 'no backup was made on this machine', without('backup')],
  ['N5', 'an old backup', 'the newest backup on this machine is 3 days old', stale('backup', 3)],
  ['N5', 'an empty bucket', 'no backup was made in gs://unit-bucket', inBucket()],
  ['N5', 'an old one there', 'in gs://unit-bucket is 3 days old', inBucket(3)],
  ['N6', 'none', 'running digests', without('scan')],
  ['N7', 'none', 'no error ratio', () => (watched.ratios = [])],
])('%s open, %s: %s', async (id, _, says, make) => {
  make();
  const row = await look(id);
  expect(row.state === 'open' ? row.evidence : row).toContain(says);
  expect(row.next).toMatch(/\w{3}/);
});

test('N5 with a bucket: closed by a new backup there', async () => {
  inBucket(1)();
  expect(await look('N5')).toMatchObject({
    state: 'closed',
    evidence: 'restore was seen; the newest backup in gs://unit-bucket is 24 hours old',
  });
});

test('a secret is as old as the oldest that is known of it: a Secret applied anew makes none young', async () => {
  utimesSync(given.tokensFile, new Date(NOW), new Date(NOW - 40 * DAY));
  without('rotate')();
  keyMade = undefined;
  const { evidence } = await look('7');
  expect(evidence).toContain('API_KEY 40 days');
  expect(evidence).toContain('DNS-01 key 2 days');
  expect(evidence).toContain('OPENAI_API_KEY 2 days');
});

test('what cannot be read leaves its line open and says so', async () => {
  watched.groups = undefined as unknown as string[];
  expect(await look('12')).toMatchObject({
    state: 'failed',
    next: 'make status',
    evidence: expect.stringContaining('could not be read') as string,
  });
});

test('a tool that refuses is told in its own words', async () => {
  gke.command = (command) => fails('error: context "gke-context" does not exist')(command);
  expect((await look('1')).evidence).toBe(
    'could not be read: kubectl get failed (status 1): error: context "gke-context" does not exist',
  );
});

async function show(
  asJson: boolean,
): Promise<{ status: number; lines: string[]; entries: JournalEntry[]; written: string }> {
  let written = '';
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => ((written += String(text)), true));
  const lines: string[] = [];
  const entries: JournalEntry[] = [];
  const { ctx, journal: text } = seen();
  const out = {
    line: (t: string) => void lines.push(t),
    chalk: new Chalk({ level: 0 }),
    live: false,
    stream: process.stdout,
  };
  const session = { ctx, outside, stop: new Stop(), out, journal: (e: JournalEntry) => void entries.push(e) };
  const status = await readiness(session, asJson, text);
  spy.mockRestore();
  return { status, lines, entries, written };
}

test('all that can be closed is: status 0; a line open: 4; a line not readable: 1', async () => {
  const all = await show(false);
  expect(all.status).toBe(0);
  expect(all.lines.at(-1)).toBe('22 of 24 closed, 0 open, 2 cannot be closed here (PROFILE=staging)');
  expect(all.entries).toHaveLength(24);
  without('drill')();
  const { status, lines } = await show(false);
  expect(status).toBe(4);
  expect(lines.join('\n')).toMatch(/^~ 14 No disaster recovery plan +open\n {5}now: .*\n {5}next: /m);
  expect(lines.join('\n')).toMatch(/^– 17 No compliance controls .*cannot be closed here\n {5}because: /m);
  expect(lines.join('\n')).toMatch(
    /^✓ N5 .*closed\n {5}6 days ago: restore was seen; the newest backup on this machine is 24 hours old$/m,
  );
  watched.groups = undefined as unknown as string[];
  expect((await show(false)).status).toBe(1);
});

test('JSON=1 is one document, without a secret', async () => {
  without('drill')();
  const { status, written, lines } = await show(true);
  expect(lines).toEqual([]);
  const document = JSON.parse(written) as { kind: string; status: number; verdict: string; lines: Shown[] };
  expect(document).toMatchObject({
    kind: 'readiness',
    profile: 'staging',
    status,
    verdict: '21 of 24 closed, 1 open, 2 cannot be closed here (PROFILE=staging)',
  });
  expect(document.lines.find((l) => l.id === 'N5')).toEqual({
    id: 'N5',
    title: 'Add disaster recovery procedures',
    state: 'closed',
    evidence: 'restore was seen; the newest backup on this machine is 24 hours old',
    at: daysAgo(6),
    ageMs: 6 * DAY,
  });
  for (const text of [...Object.values(TOKENS), 'unit-llm-key', 'unit-private-key'])
    expect(written).not.toContain(text);
});

test('ages as people say them', () => {
  expect([0, 60_000, 3 * 3_600_000, 5 * DAY].map(ageText)).toEqual(['0 minutes', '1 minute', '3 hours', '5 days']);
});
