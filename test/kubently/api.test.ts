import type { AddressInfo } from 'node:net';
import { serve, type ServerType } from '@hono/node-server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { llmRoutes, type Fault } from '../../sandbox/llm/server.ts';
import { client, ended, freePort, stop, TOKEN, until, World } from './processes.ts';

const world = new World();
let url = '';
let call: ReturnType<typeof client>;
const QUESTION = 'What pods are running in test-app namespace across all clusters?';

beforeAll(async () => {
  await world.open();
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  call = client(url);
  await until(world.api(port), /Redis \(subscriptions\): connected/);
  for (const cluster of ['gke', 'kind-remote']) {
    await call('POST', `/admin/agents/${cluster}/token`, { token: TOKEN });
    const executor = world.executor(url, cluster, { KUBENTLY_REPORT_CAPABILITIES: 'true', EXECUTOR_VERSION: '9.9.9' });
    await until(executor, /SSE connection established/);
  }
});
afterAll(() => world.close());

const rpc = (method: string, params: unknown) => ({ jsonrpc: '2.0', id: 1, method, params });
const question = (text: string, metadata?: { clusterId: string }) => ({
  message: { messageId: 'm1', role: 'user', parts: [{ kind: 'text', text }] },
  ...(metadata === undefined ? {} : { metadata }),
});

test('open endpoints answer without a key', async () => {
  expect(await call('GET', '/healthz', undefined, {})).toMatchObject({ status: 200, body: { status: 'ok' } });
  expect(await call('GET', '/health', undefined, { 'X-Forwarded-Proto': 'https' })).toMatchObject({
    status: 200,
    body: { status: 'healthy', redis: 'connected', modules: 'initialized', tls: 'disabled', version: '1.0.0' },
  });
  expect((await call('GET', '/metrics', undefined, {})).body).toMatch(/^kubently_active_sessions \d+$/m);
  expect((await call('GET', '/clusters')).status).toBe(404);
});

describe('/health says how the client came', () => {
  const cases: [string, Record<string, string>, string, object, RegExp | undefined][] = [
    [
      'https behind a proxy that is listed',
      { FORWARDED_ALLOW_IPS: '10.0.0.1, 127.0.0.1' },
      'https',
      { tls: 'enabled' },
      undefined,
    ],
    [
      'https behind a proxy of a listed network',
      { FORWARDED_ALLOW_IPS: '127.0.0.0/8' },
      'https',
      { tls: 'enabled' },
      undefined,
    ],
    ['https behind any proxy', { FORWARDED_ALLOW_IPS: '*' }, 'https', { tls: 'enabled' }, undefined],
    [
      'a peer that is not listed may not say https',
      { FORWARDED_ALLOW_IPS: '10.0.0.0/8' },
      'https',
      { tls: 'disabled' },
      undefined,
    ],
    [
      'http behind the proxy',
      { FORWARDED_ALLOW_IPS: '*' },
      'http',
      { tls: 'disabled', environment: 'development' },
      undefined,
    ],
    [
      'http in production is warned of',
      { FORWARDED_ALLOW_IPS: '*', ENVIRONMENT: 'production' },
      'http',
      { tls: 'disabled', environment: 'production', redis: 'connected', status: 'healthy', version: '1.0.0' },
      /WARNING - Running in production without TLS/,
    ],
  ];
  test.each(cases)('%s', async (_name, env, proto, expected, says) => {
    const port = await freePort();
    const api = world.api(port, env);
    await until(api, /Redis \(subscriptions\): connected/);
    const health = await client(`http://127.0.0.1:${port}`)('GET', '/health', undefined, {
      'X-Forwarded-Proto': proto,
    });
    expect(health).toMatchObject({ status: 200, body: expected });
    if (says) expect(api.log()).toMatch(says);
    else expect(api.log()).not.toContain('without TLS');
    await stop(api);
  });
});

test('a client needs a known X-API-Key; Bearer is none', async () => {
  const refused = [{}, { 'X-API-Key': 'wrong' }, { Authorization: 'Bearer test-key' }];
  for (const headers of refused) {
    expect(await call('GET', '/debug/clusters', undefined, headers)).toMatchObject({
      status: 401,
      body: { detail: expect.any(String) as string },
    });
  }
  expect((await call('GET', '/debug/clusters', undefined, { 'x-api-key': 'bare-key' })).status).toBe(200);
});

test('tokens: register once, refuse bad ones, remove', async () => {
  expect((await call('POST', '/admin/agents/new/token', { token: 'short' })).status).toBe(422);
  const made = await call('POST', '/admin/agents/new/token');
  expect(made).toMatchObject({
    status: 200,
    body: { clusterId: 'new', token: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
  });
  expect((await call('POST', '/admin/agents/new/token', { token: TOKEN })).status).toBe(409);
  expect((await call('GET', '/debug/clusters')).body).toEqual({ clusters: ['gke', 'kind-remote', 'new'], count: 3 });
  expect((await call('DELETE', '/admin/agents/new/token')).status).toBe(204);
  expect((await call('DELETE', '/admin/agents/new/token')).status).toBe(404);
  expect((await call('GET', '/admin/agents/new/status')).status).toBe(404);
});

test('a connected executor is shown, with what it reported', async () => {
  expect((await call('GET', '/admin/agents/gke/status')).body).toMatchObject({
    id: 'gke',
    connected: true,
    status: 'connected',
    lastSeen: null,
    version: '9.9.9',
    mode: 'readOnly',
  });
  expect((await call('GET', '/debug/clusters/gke')).body).toMatchObject({
    status: { hasToken: true, executorReporting: true },
  });
});

test('an executor needs both headers and its own token', async () => {
  expect((await call('GET', '/executor/stream', undefined, { 'X-Cluster-Id': 'gke' })).status).toBe(422);
  const headers = { Authorization: 'Bearer wrong', 'X-Cluster-Id': 'gke' };
  expect((await call('GET', '/executor/stream', undefined, headers)).status).toBe(401);
});

test('the stream: CRLF, its headers, connected then keepalive, and a ping within 15 s', async () => {
  const controller = new AbortController();
  const response = await fetch(`${url}/executor/stream`, {
    headers: { Authorization: `Bearer ${TOKEN}`, 'X-Cluster-Id': 'kind-remote' },
    signal: controller.signal,
  });
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('x-accel-buffering')).toBe('no');
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk);
    if (text.includes(': ping - ')) break;
  }
  controller.abort();
  expect(text).toMatch(
    /^event: connected\r\ndata: \{"status":"connected","cluster_id":"kind-remote"\}\r\n\r\nevent: keepalive\r\ndata: \{"timestamp":[\d.]+\}\r\n\r\n: ping - .+\r\n\r\n$/,
  );
}, 20_000);

test('a command goes to the executor and its output comes back', async () => {
  const sent = { cluster_id: 'gke', args: ['namespaces'], namespace: null };
  expect((await call('POST', '/debug/execute', sent)).body).toMatchObject({
    cluster_id: 'gke',
    status: 'success',
    output: 'NAME STATUS AGE\ndefault Active 1d\nwarning\n',
    error: null,
  });
});

test('failure, whitelist block and refusals are told apart', async () => {
  const run = (body: object) => call('POST', '/debug/execute', { cluster_id: 'gke', ...body });
  const failing = (await run({ args: ['nodes'] })).body;
  expect(failing).toMatchObject({
    status: 'failure',
    error: null,
    output: 'error: nothing known about get nodes -n default\n',
  });
  const blocked = (await run({ args: ['secrets'] })).body;
  expect(blocked).toMatchObject({
    status: 'failure',
    output: null,
    error: expect.stringContaining('restricted') as string,
  });
  const refused = [
    { args: [] },
    { args: ['horizontalpodautoscalers'] },
    { args: ['x'], command_type: 'exec' },
    { args: ['pods'], extra_args: ['--token=x'] },
    { args: ['pods'], timeout_seconds: 31 },
  ];
  for (const body of refused) expect((await run(body)).status).toBe(422);
  const unknown = await call('POST', '/debug/execute', { cluster_id: 'nowhere', args: ['pods'] });
  expect(unknown).toMatchObject({ status: 404, body: { detail: expect.stringContaining('gke') as string } });
});

test('nothing is queued: without an executor a command times out with 200', async () => {
  await call('POST', '/admin/agents/silent/token');
  const outcome = await call('POST', '/debug/execute', { cluster_id: 'silent', args: ['pods'], timeout_seconds: 1 });
  expect(outcome).toMatchObject({ status: 200, body: { status: 'timeout', output: null } });
  await call('DELETE', '/admin/agents/silent/token');
});

test('a result for a command of another cluster is refused', async () => {
  const headers = { Authorization: `Bearer ${TOKEN}`, 'X-Cluster-Id': 'gke' };
  const result = { command_id: 'made-up', success: true, output: 'x', execution_time_ms: 1 };
  expect((await call('POST', '/executor/results', result, headers)).status).toBe(403);
  expect((await call('POST', '/executor/results', { command_id: 'x' }, headers)).status).toBe(422);
});

test('sessions: create, use, end', async () => {
  expect((await call('POST', '/debug/session', { cluster_id: 'Bad_Id' })).status).toBe(422);
  expect((await call('POST', '/debug/session', { cluster_id: 'nowhere' })).status).toBe(404);
  const made = await call('POST', '/debug/session', { cluster_id: 'gke', correlation_id: 'c1' });
  expect(made).toMatchObject({ status: 201, body: { status: 'active', ttl_seconds: 300, service_identity: 'tester' } });
  const { session_id } = made.body as { session_id: string };
  expect((await call('GET', `/debug/session/${session_id}`)).body).toMatchObject({ status: 'idle', cluster_id: 'gke' });
  const sent = { cluster_id: 'gke', args: ['namespaces'], namespace: null, session_id };
  expect((await call('POST', '/debug/execute', sent)).body).toMatchObject({ session_id, correlation_id: 'c1' });
  expect((await call('POST', '/debug/execute', { ...sent, cluster_id: 'kind-remote' })).status).toBe(400);
  expect((await call('DELETE', `/debug/session/${session_id}`)).status).toBe(204);
  expect((await call('GET', `/debug/session/${session_id}`)).status).toBe(404);
});

test('the audit log shows the caller its own commands, and no output', async () => {
  await call('POST', '/debug/execute', { cluster_id: 'gke', args: ['namespaces'], namespace: null });
  const { body } = await call('GET', '/audit?event_type=command_executed&limit=1');
  expect(body).toMatchObject({
    count: 1,
    service_identity: 'tester',
    entries: [{ type: 'command_executed', cluster_id: 'gke', command: 'kubectl get namespaces', outcome: 'success' }],
  });
  expect(JSON.stringify(body)).not.toContain('Active');
  expect((await call('GET', '/audit', undefined, { 'X-API-Key': 'bare-key' })).status).toBe(403);
  expect((await call('GET', '/audit?since=yesterday')).status).toBe(400);
  expect((await call('GET', '/audit?limit=0')).status).toBe(422);
});

test('A2A: where it is, and what it refuses', async () => {
  const redirect = await call('GET', '/a2a');
  expect([redirect.status, redirect.headers.get('location')]).toEqual([307, `${url}/a2a/`]);
  expect((await call('GET', '/a2a/')).status).toBe(405);
  expect(await call('GET', '/a2a/', undefined, {})).toMatchObject({
    status: 401,
    body: { error: expect.any(String) as string },
  });
  for (const name of ['agent.json', 'agent-card.json']) {
    const card = await call('GET', `/a2a/.well-known/${name}`, undefined, {});
    expect(card).toMatchObject({ status: 200, body: { name: 'Kubently', preferredTransport: 'JSONRPC' } });
  }
  expect((await call('GET', '/.well-known/agent.json')).status).toBe(404);
  const code = async (body: unknown) =>
    ((await call('POST', '/a2a/', body)).body as { error: { code: number } }).error.code;
  expect(await code('not json')).toBe(-32700);
  expect(await code(rpc('no/such', {}))).toBe(-32601);
  expect(await code(rpc('tasks/get', { id: 'unknown' }))).toBe(-32603);
});

type Rpc = { result: { id: string; status: { state: string }; artifacts: { parts: { text: string }[] }[] } };

test('message/send answers the question from every cluster, and tasks/get finds it again', async () => {
  const { result } = (await call('POST', '/a2a/', rpc('message/send', question(QUESTION)))).body as Rpc;
  expect(result.status.state).toBe('completed');
  expect(result.artifacts[0]?.parts[0]?.text).toBe(
    'gke: 1 pod in namespace test-app\n  - nginx-gke: Running, ready 1/1, restarts 0\n\n' +
      'kind-remote: 1 pod in namespace test-app\n  - nginx-kind-remote: Running, ready 1/1, restarts 0',
  );
  const again = (await call('POST', '/a2a/', rpc('tasks/get', { id: result.id }))).body as Rpc;
  expect(again.result).toEqual(result);
});

test('metadata.clusterId narrows the question; other questions get an honest answer', async () => {
  const ask = async (text: string, metadata?: { clusterId: string }) => {
    const { result } = (await call('POST', '/a2a/', rpc('message/send', question(text, metadata)))).body as Rpc;
    return result.artifacts[0]?.parts[0]?.text ?? '';
  };
  expect(await ask(QUESTION, { clusterId: 'gke' })).not.toContain('kind-remote');
  expect(await ask(QUESTION, { clusterId: 'nowhere' })).toContain('No cluster nowhere is registered');
  expect(await ask('Why is my ingress slow?')).toContain('knows one question only');
});

test('message/stream: task, working, artifact, final', async () => {
  const { body, headers } = await call(
    'POST',
    '/a2a/',
    rpc('message/stream', question(QUESTION, { clusterId: 'gke' })),
  );
  expect(headers.get('content-type')).toContain('text/event-stream');
  const frames = String(body)
    .split('\r\n\r\n')
    .filter((frame) => frame.startsWith('data: '));
  const results = frames.map((frame) => (JSON.parse(frame.slice(6)) as { result: unknown }).result);
  expect(results).toMatchObject([
    { kind: 'task', status: { state: 'submitted' } },
    { kind: 'status-update', status: { state: 'working' }, final: false, metadata: { 'kubently/event': 'tool_call' } },
    { kind: 'artifact-update', lastChunk: true, artifact: { name: 'debug_result' } },
    { kind: 'status-update', status: { state: 'completed' }, final: true },
  ]);
});

test('start-up and other settings', async () => {
  const run = async (env: NodeJS.ProcessEnv, pattern: RegExp) => {
    const port = await freePort();
    const running = world.api(port, env);
    await until(running, pattern);
    return { running, call: client(`http://127.0.0.1:${port}`) };
  };
  for (const env of [{ API_KEYS: ' ,\n' }, { REQUIRE_AUTH: 'false' }]) {
    const { running } = await run(env, /ERROR/);
    expect(await ended(running)).toBe(1);
  }
  const wrong = await run({ REDIS_PASSWORD: 'wrong' }, /WRONGPASS/);
  expect(await wrong.call('GET', '/healthz')).toMatchObject({ status: 200 });
  expect(await wrong.call('GET', '/health')).toMatchObject({ status: 503, body: { status: 'unhealthy' } });
  expect(await wrong.call('GET', '/debug/clusters')).toMatchObject({
    status: 503,
    body: { error: expect.any(String) as string },
  });

  const other = await run({ LLM_PROVIDER: '', FORWARDED_ALLOW_IPS: '127.0.0.1' }, /subscriptions\): connected/);
  expect((await other.call('GET', '/health', undefined, { 'X-Forwarded-Proto': 'https' })).body).toMatchObject({
    tls: 'enabled',
  });
  const { result } = (await other.call('POST', '/a2a/', rpc('message/send', question(QUESTION)))).body as Rpc;
  expect(result).toMatchObject({ status: { state: 'failed' } });

  const off = await run({ KUBENTLY_A2A: 'off' }, /subscriptions\): connected/);
  expect((await off.call('GET', '/a2a/.well-known/agent.json')).status).toBe(404);
});

describe('with a language model under a base URL', () => {
  const MODEL = {
    keys: { anthropic: 'k', openai: 'k' },
    models: { anthropic: ['claude-sonnet-4-6'], openai: ['gpt-5'] },
  };
  const state: { fault: Fault | undefined } = { fault: undefined };
  let model: ServerType;
  let base = '';
  beforeAll(async () => {
    await new Promise<void>((ready) => {
      model = serve({ fetch: llmRoutes(MODEL, true, state).fetch, port: 0 }, () => ready());
    });
    base = `http://127.0.0.1:${(model.address() as AddressInfo).port}`;
  });
  afterAll(() => model.close());

  const askWith = async (env: NodeJS.ProcessEnv): Promise<Rpc['result']> => {
    const port = await freePort();
    const running = world.api(port, env);
    await until(running, /subscriptions\): connected/);
    const asked = client(`http://127.0.0.1:${port}`);
    const { result } = (await asked('POST', '/a2a/', rpc('message/send', question(QUESTION)))).body as Rpc;
    await stop(running);
    return result;
  };

  test.each([
    ['anthropic-claude', () => ({ ANTHROPIC_BASE_URL: base, ANTHROPIC_API_KEY: 'k' })],
    ['openai', () => ({ LLM_PROVIDER: 'openai', OPENAI_BASE_URL: `${base}/v1`, OPENAI_API_KEY: 'k' })],
  ])(
    '%s: it calls the tools for every cluster, and the answer names their pods',
    async (_, env) => {
      const { status, artifacts } = await askWith(env());
      expect(status.state).toBe('completed');
      expect(artifacts[0]?.parts[0]?.text).toBe(
        'gke: 1 pod in namespace test-app: nginx-gke\n\nkind-remote: 1 pod in namespace test-app: nginx-kind-remote',
      );
    },
    30_000,
  );

  test.each([
    ['a refused key', undefined, { ANTHROPIC_API_KEY: 'other' }, 'Error code: 401'],
    ['an overload', '529' as const, {}, 'Error code: 529'],
    ['an endpoint that is down', undefined, { ANTHROPIC_BASE_URL: 'http://127.0.0.1:1' }, 'Connection error'],
  ])(
    '%s ends the run as failed, in the provider’s words',
    async (_, fault, env, words) => {
      state.fault = fault;
      const { status, artifacts } = await askWith({ ANTHROPIC_BASE_URL: base, ANTHROPIC_API_KEY: 'k', ...env });
      state.fault = undefined;
      expect(status.state).toBe('failed');
      expect(artifacts[0]?.parts[0]?.text).toMatch(/^I encountered an error while processing your request: /);
      expect(artifacts[0]?.parts[0]?.text).toContain(words);
    },
    30_000,
  );
});
