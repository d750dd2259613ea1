/** Steps 4.0 to 4.3: proofs, which change nothing but labelled probes. */
import { beforeEach, expect, test, vi } from 'vitest';
import { Secret } from '../../../lib/base/secret.ts';
import type { Context } from '../../../lib/context.ts';
import type { ProofStep } from '../../../lib/step.ts';
import type { Settings } from '../../../lib/settings/settings.ts';
import { step as registration } from '../../../scripts/4.0-token-registration.ts';
import { step as api41 } from '../../../scripts/4.1-api.ts';
import { step as cli } from '../../../scripts/4.2-cli.ts';
import { step as scenario } from '../../../scripts/4.3-end-to-end.ts';
import { FakeCluster, rolledOut } from '../fake-cluster.ts';
import { contextOf, fakeOutside, json, settings, type Row } from '../outside.ts';
import { FakeKubently, REDIS_POD, withTokens } from '../remote.ts';

vi.mock('../../../lib/deployment/kubently/cli-build.ts', async (real) => ({
  ...(await real<typeof import('../../../lib/deployment/kubently/cli-build.ts')>()),
  builtCli: () => Promise.resolve('/cache/cli/dist/index.js'),
}));

let given: Settings;
let gke: FakeCluster;
let kind: FakeCluster;
let api: FakeKubently;

/** A cluster whose Deployments get one pod each. */
function cluster(context: string): FakeCluster {
  const made = new FakeCluster(context);
  made.controllers = (o) => {
    if (o.kind === 'Deployment')
      made.objects.push({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: `nginx-${context}`, namespace: 'test-app', labels: { app: 'nginx' } },
      });
    return rolledOut(o);
  };
  return made;
}

beforeEach(() => {
  const llm = { ...settings().llm, keys: { ANTHROPIC_API_KEY: new Secret('unit-llm-key') } };
  given = withTokens(settings({ llm }));
  gke = cluster('gke-context');
  gke.objects.push(REDIS_POD);
  kind = cluster('kind-context');
  for (const { objects } of [gke, kind])
    objects.push({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'kube-proxy-x1', namespace: 'kube-system' } });
  api = new FakeKubently(given.host);
});

/** A proof's evidence. */
async function evidence(step: ProofStep, ctx: Context): Promise<string> {
  const proof = await step.prove(ctx);
  return proof.state === 'proven' ? proof.evidence : proof.reason;
}

function make(rows: Row[] = []) {
  const outside = fakeOutside({ worlds: [gke, kind, api], rows: [...api.rows(), ...rows] });
  return { outside, ctx: contextOf(outside, given) };
}

test('4.0: the tokens in Redis are the executors’ own', async () => {
  const { outside, ctx } = make();
  expect(await evidence(registration, ctx)).toBe(
    "gke, kind-remote: the tokens in Redis are the executors' own; gke answers a command",
  );
  expect(outside.changes).toEqual([]);
});

const executorLog = (log: string): Row => ({ binary: 'kubectl', args: (a) => a[0] === 'logs', answer: log });
const silent = () => json({ status: 'timeout', output: null, error: null });

test('4.0: the GKE cluster’s executor is waited for, which connects a moment after the certificate is served', async () => {
  let calls = 0;
  api.execute = (id) => (id === 'gke' && ++calls < 4 ? silent() : json({ status: 'success', output: 'kube-system' }));
  const { outside, ctx } = make([executorLog('[p] fetch failed: self-signed certificate\n')]);
  expect(await evidence(registration, ctx)).toContain('; gke answers a command');
  expect(calls).toBe(4);
  expect(outside.sleeps).toEqual([500, 500, 500]);
  expect(outside.changes).toEqual([]);
});

test('4.0: a GKE executor that the API refuses is told as that, with what to do', async () => {
  api.execute = silent;
  const { outside, ctx } = make([executorLog('[p] Failed to connect: 401; next try in 5 s\n')]);
  await expect(registration.prove(ctx)).rejects.toMatchObject({
    message: expect.stringContaining('the API refuses the executor (HTTP 401)') as string,
    parts: { next: 'its token is not the registered one: make rotate WHAT=executor:gke gives it a new one' },
  });
  expect(outside.sleeps.reduce((a, b) => a + b, 0)).toBe(40_000);
});

test('4.1 to 4.3 come after that wait', () => {
  for (const { needs, needsToVerify = [] } of [api41, cli, scenario])
    expect([...needs, ...needsToVerify]).toContain('4.0');
});

test.each([
  ['gke', 'kubectl --context gke-context --namespace kubently rollout restart deployment/kubently-api'],
  ['kind-remote', './runbook 3.2'],
])('4.0: no token for %s says where it comes from', async (id, next) => {
  Reflect.deleteProperty(api.tokens, id);
  await expect(registration.prove(make().ctx)).rejects.toMatchObject({ parts: { found: `${id}: no token`, next } });
});

test('4.1: healthy, lists the clusters, refuses whoever has no key', async () => {
  const { outside, ctx } = make();
  expect(await evidence(api41, ctx)).toBe('healthy, lists gke, kind-remote, refuses calls without a key (HTTP 401)');
  expect(outside.changes).toEqual([]);
});

test.each<[string, (a: FakeKubently) => unknown, string]>([
  ['an API without its Redis', (a) => (a.health = json({}, 503)), '/health answers HTTP 503'],
  ['a cluster that is missing', (a) => (a.clusters = ['gke']), 'the API does not list kind-remote'],
  ['an API that is open to all', (a) => (a.withoutKey = 200), 'the API answers a call without a key with HTTP 200'],
])('4.1: %s fails', async (_, change, message) => {
  change(api);
  await expect(api41.prove(make().ctx)).rejects.toMatchObject({ message });
});

const cliSays = (text: string): Row => ({
  binary: 'node',
  args: (a) => a[0] === '/cache/cli/dist/index.js' && a[1] === 'debug',
  answer: text,
});

/** What the CLI prints on piped input: prompt and question echoed with cursor codes, the answer between rules. */
const session = (answer: string): string =>
  '\x1b[1G\x1b[0Jkubently> \x1b[11GWhat pods are running in kube-system namespace?\nexit\n✓ Session ended\n' +
  `⏳ Waiting for Kubently agent...\n✔ Agent responded\n🤖 Kubently Response:\n────────\n${answer}\n────────\n`;

test('4.2: the CLI answers about each cluster, with the key in its environment only', async () => {
  const { outside, ctx } = make([cliSays(session('Pods: kube-proxy-x1: Running on node-403-a'))]);
  expect(await evidence(cli, ctx)).toContain('debug gke, debug kind-remote answered');
  const calls = outside.commands.filter((c) => c.binary === 'node');
  expect(calls.map((c) => c.args[2])).toEqual(['gke', 'kind-remote']);
  for (const { args, env } of calls) {
    expect(args.join(' ')).not.toContain('unit-api-key');
    expect(String(env?.['KUBENTLY_API_KEY'])).toBe('[REDACTED]');
  }
});

test.each([
  '\x1b[1G\x1b[0Jkubently> What pods are running in kube-system namespace?\nkube-proxy-x1\nError: 401 Unauthorized',
  'fetch failed kube-proxy-x1',
  '🤖 Kubently Response:\n────────\n────────\n',
])('4.2: a CLI that ends with 0 and prints no answer (%j) has failed', async (text) => {
  await expect(cli.prove(make([cliSays(text)]).ctx)).rejects.toMatchObject({
    message: 'the CLI got no answer about gke',
  });
});

test.each([
  ['I encountered an error while processing your request: Connection error.', 'cannot be reached'],
  ['I encountered an error while processing your request: 401 invalid x-api-key', 'refuses the key'],
  ['I encountered an error while processing your request: Error code: 529 - overloaded_error', 'is overloaded now'],
  ['No response from server', 'make logs WHAT=api'],
  ['In kube-system runs kube-proxy-x12', 'make logs WHAT=api'],
])('4.2: an agent that answers "%s" has not answered, with a remedy that fits', async (text, next) => {
  await expect(cli.prove(make([cliSays(session(text))]).ctx)).rejects.toMatchObject({
    message: 'the CLI reaches the API, but the agent did not answer about gke',
    parts: { next: expect.stringContaining(next) as string },
  });
});

test('4.2 and 4.3: without an LLM key the reach of the CLI is shown, and the answer unproven', async () => {
  given = { ...given, llm: { ...given.llm, keys: {} } };
  const refused = cliSays(session('I encountered an error while processing your request: no key'));
  expect(await cli.prove(make([refused]).ctx)).toEqual({
    state: 'unproven',
    reason:
      'the CLI reaches the API about gke, kind-remote; no LLM key is set (ANTHROPIC_API_KEY), so no agent can answer',
  });
  const { outside, ctx } = make();
  expect(await scenario.prove(ctx)).toMatchObject({ state: 'unproven' });
  expect(outside.changes).toEqual([]);
});

test('4.2: an answer without a command that comes back is no proof', async () => {
  api.execute = () => json({ status: 'timeout', output: null, error: null });
  await expect(cli.prove(make([cliSays(session('kube-proxy-x1'))]).ctx)).rejects.toMatchObject({
    message: expect.stringContaining('executor of gke: timed out') as string,
    parts: { next: 'make logs WHAT=executor' },
  });
});

test('4.2: one command that is lost after an API restart fails nothing', async () => {
  let calls = 0;
  api.execute = () => (++calls === 1 ? silent() : json({ status: 'success', output: 'kube-system' }));
  expect((await cli.prove(make([cliSays(session('kube-proxy-x1'))]).ctx)).state).toBe('proven');
});

test('4.3: the agent names the pods of both clusters; everything made is removed', async () => {
  api.answer = { state: 'completed', text: 'nginx-gke-context and nginx-kind-context' };
  const { outside, ctx } = make();
  expect(await evidence(scenario, ctx)).toBe('the agent named 2 pods in gke and kind-remote');
  expect(outside.changes.map((c) => c.split(' ').slice(0, 3).join(' ')).sort()).toEqual([
    'apply in test-app:',
    'apply in test-app:',
    'kubectl delete Namespace/test-app',
    'kubectl delete Namespace/test-app',
  ]);
});

test.each([
  [{ state: 'failed', text: 'no key' }, "the agent's run ended failed"],
  [{ state: 'completed', text: 'nginx-gke-context' }, "the agent's answer does not name nginx-kind-context"],
])('4.3: %j fails, and the probes go all the same', async (answer, message) => {
  api.answer = answer;
  const { outside, ctx } = make();
  await expect(scenario.prove(ctx)).rejects.toMatchObject({ message });
  expect(outside.changes.filter((c) => c.startsWith('kubectl delete'))).toHaveLength(2);
});

test('4.3: a namespace test-app of somebody else is left alone', async () => {
  kind.objects.push({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'test-app' } });
  const { outside, ctx } = make();
  await expect(scenario.prove(ctx)).rejects.toMatchObject({
    message: expect.stringContaining('is not the runbook') as string,
  });
  expect(outside.changes).toEqual([]);
});
