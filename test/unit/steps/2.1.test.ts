import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import type { Settings } from '../../../lib/settings/settings.ts';
import { step } from '../../../scripts/2.1-tokens.ts';
import { FakeCluster } from '../fake-cluster.ts';
import { FakeGoogle, IP } from '../fake-google.ts';
import { contextOf, fakeOutside, settings } from '../outside.ts';
import type { KubeObject } from '../../../lib/base/kubernetes.ts';

const NAMES = ['API_KEY', 'REDIS_PASSWORD', 'GKE_EXECUTOR_TOKEN', 'KIND_REMOTE_EXECUTOR_TOKEN'];
let gke: FakeCluster;
let remote: FakeCluster;
let given: Settings;

beforeEach(() => {
  gke = new FakeCluster('gke-context');
  remote = new FakeCluster('kind-context');
  given = settings();
});

function make() {
  const outside = fakeOutside({ worlds: [new FakeGoogle().reserved(), gke, remote] });
  return { outside, ctx: contextOf(outside, given) };
}

function secret(name: string, namespace: string, data: Record<string, string>): KubeObject {
  const encoded = Object.entries(data).map(([k, v]) => [k, Buffer.from(v).toString('base64')]);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    data: Object.fromEntries(encoded) as object,
  };
}

function kept(): Record<string, string> {
  const lines = readFileSync(given.tokensFile, 'utf8')
    .split('\n')
    .filter((l) => l.includes('='));
  return Object.fromEntries(lines.map((l) => l.split('=') as [string, string]));
}

/** Every token, as Secrets of both clusters. */
function deployed(): void {
  gke.objects = [
    secret('kubently-api-keys', 'kubently', { keys: 'cli-user:live-api-key-0001' }),
    secret('kubently-redis-password', 'kubently', { password: 'live-redis-password-0001' }),
    secret('kubently-executor-token', 'kubently', { token: 'live-gke-token-0001' }),
  ];
  remote.objects = [secret('kubently-remote-executor-token', 'kubently-remote', { token: 'live-kind-token-0001' })];
}

test('absent: all are generated, nothing in any cluster is changed', async () => {
  const { outside, ctx } = make();
  expect(await step.check(ctx)).toMatchObject({
    state: 'absent',
    reason: expect.stringContaining(NAMES.join(', ')) as string,
  });
  await step.apply(ctx);
  const file = kept();
  expect(Object.keys(file)).toEqual([...NAMES, 'INGRESS_IP']);
  for (const name of NAMES) expect(file[name]).toMatch(/^[0-9a-f]{64}$/);
  expect(new Set(NAMES.map((n) => file[n])).size).toBe(NAMES.length);
  expect(file['INGRESS_IP']).toBe(IP);
  expect(statSync(given.tokensFile).mode & 0o777).toBe(0o600);
  expect(existsSync(`${given.tokensFile}.new`)).toBe(false);
  expect(outside.changes).toEqual([]);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test('present: apply changes no byte', async () => {
  const { ctx } = make();
  await step.apply(ctx);
  const before = readFileSync(given.tokensFile, 'utf8');
  await step.apply(ctx);
  expect(readFileSync(given.tokensFile, 'utf8')).toBe(before);
  expect(await step.verify(ctx)).toContain('4 tokens');
});

test('a lost file is restored from the clusters, token by token', async () => {
  deployed();
  const { ctx } = make();
  expect(await step.check(ctx)).toMatchObject({ state: 'differs' });
  await step.apply(ctx);
  expect(kept()).toEqual({
    API_KEY: 'live-api-key-0001',
    REDIS_PASSWORD: 'live-redis-password-0001',
    GKE_EXECUTOR_TOKEN: 'live-gke-token-0001',
    KIND_REMOTE_EXECUTOR_TOKEN: 'live-kind-token-0001',
    INGRESS_IP: IP,
  });
});

test.each(['$(touch /tmp/pwned)-0000000', 'short-0001', "quoted'; id; '-000000"])(
  'what a hostile cluster holds in place of a token is not written into a file that is sourced: %s',
  async (token) => {
    deployed();
    remote.objects = [secret('kubently-remote-executor-token', 'kubently-remote', { token })];
    const { ctx } = make();
    const found = await step.check(ctx);
    expect(found).toMatchObject({ state: 'conflict' });
    expect(found.reason).toMatch(/^what the clusters hold as KIND_REMOTE_EXECUTOR_TOKEN is no token/);
    expect(existsSync(given.tokensFile)).toBe(false);
  },
);

test('only what lives nowhere is generated; tokens of clusters no longer listed stay', async () => {
  deployed();
  remote.objects = [];
  writeFileSync(given.tokensFile, 'OLD_EXECUTOR_TOKEN=still-deployed-0001\nAPI_KEY=live-api-key-0001\n', {
    mode: 0o644,
  });
  const { ctx } = make();
  await step.apply(ctx);
  expect(kept()).toMatchObject({
    OLD_EXECUTOR_TOKEN: 'still-deployed-0001',
    API_KEY: 'live-api-key-0001',
    REDIS_PASSWORD: 'live-redis-password-0001',
    KIND_REMOTE_EXECUTOR_TOKEN: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
  });
  expect(statSync(given.tokensFile).mode & 0o777).toBe(0o600);
});

test('a file that does not say whose it is, as those of old, is claimed once', async () => {
  const { ctx } = make();
  await step.apply(ctx);
  const tokens = kept();
  writeFileSync(given.tokensFile, readFileSync(given.tokensFile, 'utf8').replace(/^# Deployment: .*\n/m, ''));
  expect(await step.check(ctx)).toMatchObject({
    state: 'differs',
    reason: expect.stringContaining('does not say yet') as string,
  });
  await step.apply(ctx);
  expect(kept()).toEqual(tokens);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test('a file that contradicts the clusters is a conflict, told without either value', async () => {
  deployed();
  writeFileSync(given.tokensFile, 'API_KEY=another-api-key-0001\n');
  const found = await step.check(make().ctx);
  expect(found).toMatchObject({
    state: 'conflict',
    reason: expect.stringMatching(/^API_KEY in /) as string,
  });
  expect(JSON.stringify(found)).not.toMatch(/another-api-key|live-api-key/);
});

test.each(['API_KEY_NEXT', 'API_KEY_PREVIOUS'])(
  'in the middle of a rotation (%s) nothing is a conflict or lost',
  async (mark) => {
    deployed();
    const live =
      'REDIS_PASSWORD=live-redis-password-0001\nGKE_EXECUTOR_TOKEN=live-gke-token-0001\nKIND_REMOTE_EXECUTOR_TOKEN=live-kind-token-0001\n';
    writeFileSync(
      given.tokensFile,
      `# Deployment: unit-api.kubently.io\nAPI_KEY=another-api-key-0001\n${mark}=live-api-key-0001\n${live}INGRESS_IP=${IP}\n`,
    );
    const { ctx } = make();
    expect(await step.check(ctx)).toMatchObject({ state: 'done' });
    await step.apply(ctx);
    expect(kept()).toMatchObject({ API_KEY: 'another-api-key-0001', [mark]: 'live-api-key-0001' });
  },
);

test('another address is written anew, the tokens are not', async () => {
  const { ctx } = make();
  await step.apply(ctx);
  const before = kept();
  writeFileSync(given.tokensFile, readFileSync(given.tokensFile, 'utf8').replace(IP, '198.51.100.1'));
  expect(await step.check(ctx)).toMatchObject({ state: 'differs' });
  await step.apply(ctx);
  expect(kept()).toEqual(before);
});

test('removal leaves the file to its owner', async () => {
  const { ctx } = make();
  await step.apply(ctx);
  expect(step.undo).toEqual({ none: "TOKENS_FILE is the operator's" });
  const [file] = (await step.owns(ctx).elsewhere?.()) ?? [];
  expect([file?.name, file?.kept]).toEqual([given.tokensFile, expect.stringContaining('yours')]);
});
