import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { pasteable } from '../../../lib/base/command.ts';
import { step } from '../../../scripts/1.2-dns01-service-account.ts';
import { deployment, FakeCluster } from '../fake-cluster.ts';
import { EMAIL, FakeGoogle } from '../fake-google.ts';
import { contextOf, fails, fakeOutside, inputOf, json, settings, type World } from '../outside.ts';
import type { KubeObject } from '../../../lib/base/kubernetes.ts';
import { undo } from '../undo.ts';
import { dns01Email } from '../../../lib/deployment/cluster/infrastructure.ts';

const OURS = 'kubently-runbook unit-api.kubently.io';
const NAMESPACE = 'cert-manager';
const RRSETS =
  'GET https://dns.googleapis.com/dns/v1/projects/unit-project/managedZones/kubently-io/rrsets?maxResults=1';

const PEM = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });

let google: FakeGoogle;
let cluster: FakeCluster;

beforeEach(() => {
  google = new FakeGoogle();
  google.newKey = { id: 'key-new', text: keyFile('key-new') };
  cluster = new FakeCluster('gke-context', [deployment('cert-manager', NAMESPACE)]);
});

function keyFile(id: string): string {
  return JSON.stringify({ type: 'service_account', private_key_id: id, private_key: PEM, client_email: EMAIL });
}

function held(text: string, labels = { 'app.kubernetes.io/managed-by': 'kubently-runbook' }): KubeObject {
  const data = { 'key.json': Buffer.from(text).toString('base64') };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'clouddns-dns01-solver-sa', namespace: NAMESPACE, labels },
    data,
  };
}

/** The changes without what is the same in each of them. */
function short(changes: readonly string[]): string[] {
  return changes.map((c) =>
    c
      .replace(/ --project unit-project --quiet$/, '')
      .replace(/^gcloud /, '')
      .replaceAll(EMAIL, 'EMAIL'),
  );
}

test('absent: account, role, key, Secret; the key is on no command line', async () => {
  const outside = fakeOutside({ worlds: [google, cluster] });
  const ctx = contextOf(outside);
  expect(await step.check(ctx)).toMatchObject({ state: 'absent', reason: `no service account ${EMAIL}` });
  await step.apply(ctx);
  expect(short(outside.changes)).toEqual([
    `iam service-accounts create cert-manager-dns01 '--display-name=cert-manager DNS-01 solver' '--description=${OURS}'`,
    'projects add-iam-policy-binding unit-project --member=serviceAccount:EMAIL --role=roles/dns.admin --condition=None',
    'apply in cert-manager: Namespace/cert-manager',
    'iam service-accounts keys create - --iam-account=EMAIL',
    'apply in cert-manager: Secret/clouddns-dns01-solver-sa',
  ]);
  for (const command of outside.commands) {
    expect(command.args.join(' ')).not.toContain('PRIVATE KEY');
    expect(pasteable(command)).not.toContain('private_key');
  }
  expect(outside.commands.find((c) => c.args.includes('keys'))?.sensitive).toBe('both');
  const applied = outside.commands.findLast((c) => c.mutates && c.binary === 'kubectl');
  expect(applied?.sensitive).toBe('both');
  expect(String(applied?.input)).toBe('[REDACTED]');
  expect(applied && inputOf(applied)).toContain(Buffer.from(google.newKey.text).toString('base64'));
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test('present: done, the key’s own token reads the zone, nothing changed', async () => {
  google.withAccount(OURS, ['key-1']);
  cluster.objects.push(held(keyFile('key-1')));
  let tries = 0;
  const outside = fakeOutside({
    worlds: [google, cluster],
    http: { [RRSETS]: () => json({}, ++tries < 3 ? 403 : 200) },
  });
  const ctx = contextOf(outside, settings(), true);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
  expect(await step.verify(ctx)).toBe('the key in the cluster reads zone kubently-io');
  expect(outside.sleeps).toEqual([1000, 1000]);
  expect(outside.changes).toEqual([]);
});

test('keys that no Secret holds are removed before a new one, on an account of this deployment', async () => {
  google.withAccount(OURS, ['orphan-1', 'orphan-2']);
  const outside = fakeOutside({ worlds: [google, cluster] });
  const ctx = contextOf(outside);
  expect(await step.check(ctx)).toMatchObject({ state: 'absent' });
  await step.apply(ctx);
  expect(short(outside.changes).filter((c) => c.includes('keys'))).toEqual([
    'iam service-accounts keys delete orphan-1 --iam-account=EMAIL',
    'iam service-accounts keys delete orphan-2 --iam-account=EMAIL',
    'iam service-accounts keys create - --iam-account=EMAIL',
  ]);
  expect(google.keys).toEqual(['key-new']);
});

test('a key that gcloud made twice, because an answer was lost, is there once', async () => {
  google.withAccount(OURS);
  const twice: World = {
    command: (command) => {
      if (command.args.includes('keys') && command.args.includes('create')) google.keys.push('key-lost');
      return undefined;
    },
  };
  await step.apply(contextOf(fakeOutside({ worlds: [twice, google, cluster] })));
  expect(google.keys).toEqual(['key-new']);
});

test('an account of somebody else keeps its keys', async () => {
  google.withAccount('made by hand', ['theirs']);
  await step.apply(contextOf(fakeOutside({ worlds: [google, cluster] })));
  expect(google.keys).toEqual(['theirs', 'key-new']);
});

test('a live key in the Secret is kept when only the role is missing', async () => {
  google.withAccount(OURS, ['key-1']);
  google.bindings = [];
  cluster.objects.push(held(keyFile('key-1')));
  const outside = fakeOutside({ worlds: [google, cluster] });
  const ctx = contextOf(outside);
  expect(await step.check(ctx)).toMatchObject({ state: 'differs' });
  await step.apply(ctx);
  expect(short(outside.changes)).toEqual([expect.stringContaining('add-iam-policy-binding') as string]);
});

test('a binding under a condition does not count', async () => {
  google.withAccount(OURS, ['key-1']);
  google.bindings = google.bindings.map((b) => ({ ...b, condition: { expression: 'false' } }));
  cluster.objects.push(held(keyFile('key-1')));
  expect(await step.check(contextOf(fakeOutside({ worlds: [google, cluster] })))).toMatchObject({ state: 'differs' });
});

test('a Secret whose key Google no longer knows gets a new one', async () => {
  google.withAccount(OURS, []);
  cluster.objects.push(held(keyFile('revoked')));
  const ctx = contextOf(fakeOutside({ worlds: [google, cluster] }));
  expect(await step.check(ctx)).toMatchObject({ state: 'differs' });
  await step.apply(ctx);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test.each([
  ["another account's key", keyFile('theirs').replace(EMAIL, 'dns@other.test'), 'that of dns@other.test'],
  ['what is no key', 'password', "no key of Google's"],
])("a Secret of another team's solver with %s is left alone", async (_, text, its) => {
  google.withAccount(OURS, ['key-1']);
  cluster.objects.push({ ...held(text), metadata: { name: 'clouddns-dns01-solver-sa', namespace: NAMESPACE } });
  const outside = fakeOutside({ worlds: [google, cluster] });
  expect(await step.check(contextOf(outside))).toMatchObject({
    state: 'conflict',
    reason: `Secret clouddns-dns01-solver-sa is somebody else's; its key is ${its}, not one of ${EMAIL}`,
    next: expect.stringContaining('label Secret clouddns-dns01-solver-sa') as string,
  });
  expect(outside.changes).toEqual([]);
});

test('an account that is disabled is a conflict, with the command that enables it', async () => {
  google.withAccount(OURS, ['key-1']);
  google.account = { ...google.account, disabled: true };
  expect(await step.check(contextOf(fakeOutside({ worlds: [google, cluster] })))).toMatchObject({
    state: 'conflict',
    next: expect.stringContaining(`gcloud iam service-accounts enable ${EMAIL}`) as string,
  });
});

test.each([{ disabled: true }, { validBeforeTime: '2025-12-31T00:00:00Z' }])(
  'a key that Google lists and takes no more (%j) gets a new one',
  async (state) => {
    google.withAccount(OURS, ['key-1']);
    google.ofKeys = { 'key-1': state };
    cluster.objects.push(held(keyFile('key-1')));
    const ctx = contextOf(fakeOutside({ worlds: [google, cluster] }));
    expect(await step.check(ctx)).toMatchObject({
      state: 'differs',
      reason: expect.stringContaining('expired') as string,
    });
    await step.apply(ctx);
    expect(google.keys).toEqual(['key-new']);
    expect(await step.check(ctx)).toMatchObject({ state: 'done' });
  },
);

test('each kind of call sees a new account at its own time: reads, policy, keys', async () => {
  const late = new Map([
    ['projects add-iam-policy-binding', `ERROR: INVALID_ARGUMENT: Service account ${EMAIL} does not exist.`],
    ['keys create', 'ERROR: NOT_FOUND: Unknown service account. This command is authenticated as x'],
  ]);
  let reads = 0;
  const slow: World = {
    request: ({ url, method = 'GET' }) =>
      method === 'GET' && url.endsWith(EMAIL) && google.account && reads++ < 2
        ? json({ error: { message: 'denied on resource (or it may not exist)' } }, 403)
        : undefined,
    command: (command) => {
      for (const [call, words] of late)
        if (command.args.join(' ').includes(call)) {
          late.delete(call);
          return fails(words)(command);
        }
      return undefined;
    },
  };
  const outside = fakeOutside({ worlds: [slow, google, cluster] });
  const ctx = contextOf(outside);
  await step.apply(ctx);
  expect(outside.sleeps).toEqual([500, 500, 2000, 2000]);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test.each([
  ['SERVICE_DISABLED', {}, 'gcloud services enable dns.googleapis.com'],
  ['x', { date: 'Thu, 01 Jan 2026 02:00:00 GMT' }, 'set the clock'],
])('verify does not wait for what never passes (%s)', async (reason, headers, next) => {
  google.withAccount(OURS, ['key-1']);
  cluster.objects.push(held(keyFile('key-1')));
  const details = [{ reason, metadata: { service: 'dns.googleapis.com' } }];
  const answer = json({ error: { message: 'no', details } }, reason === 'x' ? 401 : 403, headers);
  const outside = fakeOutside({ worlds: [google, cluster], http: { [RRSETS]: answer } });
  await expect(step.verify(contextOf(outside))).rejects.toMatchObject({
    name: 'Failure',
    parts: { next: expect.stringContaining(next) as string },
  });
  expect(outside.sleeps).toEqual([]);
});

test('workload identity makes no key and no Secret', async () => {
  const outside = fakeOutside({ worlds: [google, cluster] });
  const ctx = contextOf(outside, settings({ dns01Auth: 'workload-identity' }));
  await step.apply(ctx);
  expect(google.keys).toEqual([]);
  expect(outside.changes.filter((c) => c.startsWith('apply'))).toEqual([]);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test('undo deletes the account of this deployment only', async () => {
  google.withAccount('made by hand', ['theirs']);
  cluster.objects.push(held(keyFile('theirs')));
  const outside = fakeOutside({ worlds: [google, cluster] });
  await undo(step, contextOf(outside));
  expect(outside.changes).toHaveLength(1);
  expect(google.account).toBeDefined();
  google.withAccount(OURS);
  await undo(step, contextOf(outside));
  expect(google.account).toBeUndefined();
  expect(google.bindings).toEqual([]);
});

test.each([
  ['unit-project', 'solver@unit-project.iam.gserviceaccount.com'],
  ['example.com:unit-project', 'solver@unit-project.example.com.iam.gserviceaccount.com'],
])('the account of project %s is %s', (project, email) => {
  expect(dns01Email({ dns01Account: 'solver', project })).toBe(email);
});
