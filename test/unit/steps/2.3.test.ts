import { beforeEach, expect, test } from 'vitest';
import { Secret } from '../../../lib/base/secret.ts';
import type { Settings } from '../../../lib/settings/settings.ts';
import { changeTokens } from '../../../lib/settings/tokens-file.ts';
import { step } from '../../../scripts/2.3-secrets.ts';
import { FakeCluster } from '../fake-cluster.ts';
import { contextOf, fakeOutside, inputOf, settings } from '../outside.ts';
import { undo } from '../undo.ts';

const TOKENS = {
  API_KEY: 'unit-api-key-0001',
  REDIS_PASSWORD: 'unit-redis-0001',
  GKE_EXECUTOR_TOKEN: 'unit-gke-token-0001',
  KIND_REMOTE_EXECUTOR_TOKEN: 'unit-kind-token-0001',
};
let cluster: FakeCluster;
let given: Settings;

beforeEach(async () => {
  cluster = new FakeCluster('gke-context');
  given = settings();
  await changeTokens(given, () => boxed(TOKENS), '203.0.113.7');
});

function boxed(texts: Record<string, string>): Record<string, Secret> {
  return Object.fromEntries(Object.entries(texts).map(([k, v]) => [k, new Secret(v)]));
}

function value(name: string, key: string): string {
  const data = cluster.get('Secret', name)?.['data'] as Record<string, string> | undefined;
  return Buffer.from(data?.[key] ?? '', 'base64').toString();
}

test('absent: namespace and Secrets in one apply, values by stdin alone', async () => {
  const outside = fakeOutside({ worlds: [cluster] });
  const ctx = contextOf(outside, given);
  expect(await step.check(ctx)).toMatchObject({ state: 'absent' });
  await step.apply(ctx);
  expect(outside.changes).toEqual([
    'apply in kubently: Namespace/kubently, Secret/kubently-redis-password, Secret/kubently-api-keys, Secret/kubently-executor-token',
  ]);
  expect(value('kubently-redis-password', 'password')).toBe(TOKENS.REDIS_PASSWORD);
  expect(value('kubently-api-keys', 'keys')).toBe(`cli-user:${TOKENS.API_KEY}`);
  expect(value('kubently-executor-token', 'token')).toBe(TOKENS.GKE_EXECUTOR_TOKEN);
  const lines = outside.commands.map((c) => c.args.join(' ')).join('\n');
  for (const token of Object.values(TOKENS)) {
    expect(lines).not.toContain(token);
    expect(lines).not.toContain(Buffer.from(token).toString('base64'));
  }
  const applied = outside.commands.find((c) => c.mutates);
  expect(applied).toMatchObject({ sensitive: 'both' });
  expect(applied?.input).toBeInstanceOf(Secret);
});

test('the token of the remote cluster does not reach GKE', async () => {
  const outside = fakeOutside({ worlds: [cluster] });
  await step.apply(contextOf(outside, given));
  const applied = outside.commands.find((c) => c.mutates);
  expect(applied && inputOf(applied)).not.toContain(Buffer.from(TOKENS.KIND_REMOTE_EXECUTOR_TOKEN).toString('base64'));
});

test('LLM keys get a Secret of their own when there are any', async () => {
  const llm = { ...given.llm, keys: boxed({ ANTHROPIC_API_KEY: 'sk-ant-unit-0001' }) };
  await step.apply(contextOf(fakeOutside({ worlds: [cluster] }), { ...given, llm }));
  expect(value('kubently-llm-secrets', 'ANTHROPIC_API_KEY')).toBe('sk-ant-unit-0001');
});

test('a provider key that is set no more goes from the Secret; with the last one the Secret goes', async () => {
  const with_ = (keys: Record<string, string>): Settings => ({ ...given, llm: { ...given.llm, keys: boxed(keys) } });
  const at = (now: Settings) => contextOf(fakeOutside({ worlds: [cluster] }), now);
  await step.apply(at(with_({ ANTHROPIC_API_KEY: 'sk-ant-unit-0001' })));
  const moved = at(with_({ OPENAI_API_KEY: 'sk-unit-0001' }));
  await step.apply(at(with_({ ANTHROPIC_API_KEY: 'sk-ant-unit-0001', OPENAI_API_KEY: 'sk-unit-0001' })));
  expect(await step.check(moved)).toMatchObject({
    state: 'differs',
    reason: 'kubently-llm-secrets holds ANTHROPIC_API_KEY, no longer set',
  });
  await step.apply(moved);
  expect(await step.check(moved)).toMatchObject({ state: 'done' });
  expect(value('kubently-llm-secrets', 'ANTHROPIC_API_KEY')).toBe('');
  await step.apply(at(given));
  expect(cluster.get('Secret', 'kubently-llm-secrets')).toBeUndefined();
  expect(await step.check(at(given))).toMatchObject({ state: 'done' });
});

test('an LLM Secret of somebody else is left alone', async () => {
  await step.apply(contextOf(fakeOutside({ worlds: [cluster] }), given));
  const metadata = { name: 'kubently-llm-secrets', namespace: 'kubently' };
  cluster.objects.push({ apiVersion: 'v1', kind: 'Secret', metadata, data: { ANTHROPIC_API_KEY: 'eA==' } });
  expect(await step.check(contextOf(fakeOutside({ worlds: [cluster] }), given, true))).toMatchObject({ state: 'done' });
});

test('present: done, nothing changed; keys that others added are theirs', async () => {
  await step.apply(contextOf(fakeOutside({ worlds: [cluster] }), given));
  Object.assign(cluster.get('Secret', 'kubently-api-keys')?.['data'] as object, { theirs: 'eA==' });
  const outside = fakeOutside({ worlds: [cluster] });
  const ctx = contextOf(outside, given, true);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
  await step.verify(ctx);
  expect(outside.changes).toEqual([]);
});

test('a changed value differs and is set again; its text is not told', async () => {
  await step.apply(contextOf(fakeOutside({ worlds: [cluster] }), given));
  Object.assign(cluster.get('Secret', 'kubently-redis-password')?.['data'] as object, { password: 'b3RoZXI=' });
  const ctx = contextOf(fakeOutside({ worlds: [cluster] }), given);
  expect(await step.check(ctx)).toEqual({
    state: 'differs',
    reason: 'differs from the configuration: kubently-redis-password',
    lines: ['Secret/kubently-redis-password data.password: (secret, differs)'],
  });
  await expect(step.verify(ctx)).rejects.toThrow('kubently-redis-password');
  await step.apply(ctx);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test('before 2.1 nothing can be known', async () => {
  expect(await step.check(contextOf(fakeOutside({ worlds: [cluster] })))).toMatchObject({
    state: 'unknown',
    after: '2.1',
  });
});

test('a namespace that was there before is not marked as the runbook’s', async () => {
  cluster.objects = [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubently' } }];
  const outside = fakeOutside({ worlds: [cluster] });
  await step.apply(contextOf(outside, given));
  expect(outside.changes[0]).not.toContain('Namespace');
});

test('undo takes the namespace with all its Secrets', async () => {
  const outside = fakeOutside({ worlds: [cluster] });
  const ctx = contextOf(outside, given);
  await step.apply(ctx);
  outside.changes.length = 0;
  await undo(step, ctx);
  expect(outside.changes.map((c) => c.split(' ')[2])).toEqual(['Namespace/kubently']);
  await undo(step, ctx);
  expect(outside.changes).toHaveLength(1);
});
