/** The rehearsal's language model, driven by the providers' own clients. */
import Anthropic from '@anthropic-ai/sdk';
import { serve, type ServerType } from '@hono/node-server';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nextMove, type Conversation, type Tool } from '../../sandbox/llm/conversation.ts';
import { llmRoutes, type Fault } from '../../sandbox/llm/server.ts';

const KEYS = { anthropic: 'unit-anthropic-key', openai: 'unit-openai-key' };
const MODELS = { anthropic: ['claude-sonnet-4-6'], openai: ['gpt-5'] };
const QUESTION = 'What pods are running in test-app namespace across all clusters?';
const PODS =
  'NAME    READY   STATUS    RESTARTS   AGE\nweb-1   1/1     Running   0          5s\nweb-2   0/1     Pending   0          5s\n';

let server: ServerType;
let url: string;
let state: { fault: Fault | undefined };

beforeEach(async () => {
  state = { fault: undefined };
  await new Promise<void>((ready) => {
    server = serve({ fetch: llmRoutes({ keys: KEYS, models: MODELS }, true, state).fetch, port: 0 }, () => {
      ready();
    });
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.close();
});

const anthropic = (apiKey = KEYS.anthropic): Anthropic =>
  new Anthropic({ apiKey, authToken: null, baseURL: url, maxRetries: 0 });
const openai = (apiKey = KEYS.openai): OpenAI => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });

/** Tools as an agent might offer them, and what they answer. */
const SCHEMAS = {
  list_clusters: { type: 'object' as const, properties: {}, required: [] as string[] },
  execute_kubectl: {
    type: 'object' as const,
    properties: {
      cluster_id: { type: 'string' },
      command: { type: 'string', description: 'The kubectl verb' },
      resource: { type: 'string' },
      namespace: { type: 'string' },
      timeout_seconds: { type: 'integer' },
    },
    required: ['cluster_id', 'command', 'timeout_seconds'],
  },
};

function tool(name: string, input: Record<string, unknown>): string {
  if (name === 'list_clusters') return JSON.stringify({ clusters: ['gke', 'kind-remote'] });
  expect(input).toMatchObject({ command: 'get', resource: 'pods', namespace: 'test-app', timeout_seconds: 30 });
  return JSON.stringify({ status: 'success', output: PODS });
}

const ANSWER = [
  'gke: 2 pods in namespace test-app: web-1, web-2',
  'kind-remote: 2 pods in namespace test-app: web-1, web-2',
].join('\n\n');

async function askAnthropic(streamed: boolean): Promise<string> {
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: QUESTION }];
  const tools = Object.entries(SCHEMAS).map(([name, input_schema]) => ({ name, description: name, input_schema }));
  for (let turn = 0; turn < 5; turn++) {
    const params = { model: 'claude-sonnet-4-6', max_tokens: 1000, messages, tools };
    const message = streamed
      ? await anthropic().messages.stream(params).finalMessage()
      : await anthropic().messages.create(params);
    const calls = message.content.filter((b) => b.type === 'tool_use');
    if (message.stop_reason === 'end_turn')
      return message.content.map((b) => (b.type === 'text' ? b.text : '')).join('');
    messages.push({ role: 'assistant', content: message.content });
    messages.push({
      role: 'user',
      content: calls.map((c) => ({
        type: 'tool_result',
        tool_use_id: c.id,
        content: tool(c.name, c.input as Record<string, unknown>),
      })),
    });
  }
  throw new Error('no end');
}

async function askOpenAi(streamed: boolean): Promise<string> {
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: QUESTION }];
  const tools = Object.entries(SCHEMAS).map(([name, parameters]) => ({
    type: 'function' as const,
    function: { name, parameters },
  }));
  for (let turn = 0; turn < 5; turn++) {
    const params = { model: 'gpt-5', messages, tools };
    const completion = streamed
      ? await openai().chat.completions.stream(params).finalChatCompletion()
      : await openai().chat.completions.create(params);
    const message = completion.choices[0]?.message;
    if (!message?.tool_calls?.length) return message?.content ?? '';
    messages.push(message);
    for (const call of message.tool_calls)
      if (call.type === 'function') {
        const input = JSON.parse(call.function.arguments) as Record<string, unknown>;
        messages.push({ role: 'tool', tool_call_id: call.id, content: tool(call.function.name, input) });
      }
  }
  throw new Error('no end');
}

test.each([
  ['Anthropic', false],
  ['Anthropic', true],
  ['OpenAI', false],
  ['OpenAI', true],
])(
  '%s’s client, streamed: %s: the tools are called per cluster, and the answer names the pods',
  async (api, streamed) => {
    expect(await (api === 'Anthropic' ? askAnthropic(streamed) : askOpenAi(streamed))).toBe(ANSWER);
  },
);

test('both list their models', async () => {
  expect((await anthropic().models.list()).data.map((m) => m.id)).toEqual(MODELS.anthropic);
  expect((await openai().models.list()).data.map((m) => m.id)).toEqual(MODELS.openai);
});

test.each<[string, Fault | undefined, number]>([
  ['a refused key', '401', 401],
  ['a rate limit', '429', 429],
  ['an overload', '529', 529],
  ['a retired model', 'retired', 404],
])('%s is told as the providers tell it', async (_, fault, status) => {
  state.fault = fault;
  await expect(askAnthropic(false)).rejects.toMatchObject({ status });
  await expect(askOpenAi(false)).rejects.toMatchObject({ status: status === 529 ? 503 : status });
});

test('another key and an unknown model are refused', async () => {
  const params = {
    model: 'claude-sonnet-4-20250514',
    max_tokens: 10,
    messages: [{ role: 'user' as const, content: 'x' }],
  };
  await expect(anthropic('other').messages.create(params)).rejects.toMatchObject({ status: 401 });
  await expect(anthropic().messages.create(params)).rejects.toMatchObject({ status: 404 });
});

test('a stream that is cut has no end', async () => {
  state.fault = 'cut';
  await expect(askAnthropic(true)).rejects.toThrow();
  await expect(askOpenAi(true)).rejects.toThrow();
});

test('faults are set on loopback alone', async () => {
  const put = (app: ReturnType<typeof llmRoutes>) =>
    app.request('/_sandbox/fault', {
      method: 'PUT',
      body: JSON.stringify({ fault: '429' }),
      headers: { 'content-type': 'application/json' },
    });
  expect((await put(llmRoutes({ keys: KEYS, models: MODELS }, false))).status).toBe(404);
  expect((await put(llmRoutes({ keys: KEYS, models: MODELS }, true, state))).status).toBe(200);
  expect(state.fault).toBe('429');
});

const tools = (shape: Record<string, { properties: Tool['properties']; required?: string[] }>): Tool[] =>
  Object.entries(shape).map(([name, { properties, required = [] }]) => ({
    name,
    description: '',
    properties,
    required,
  }));
const conversation = (more: Partial<Conversation>): Conversation => ({
  instructions: '',
  question: QUESTION,
  tools: [],
  results: [],
  ...more,
});

test.each<[string, Tool[], Record<string, unknown>]>([
  [
    'a command line',
    tools({ run_kubectl: { properties: { cluster: { type: 'string' }, command: { type: 'string' } } } }),
    { cluster: 'gke', command: 'get pods -n test-app' },
  ],
  [
    'words',
    tools({ kubectl: { properties: { clusterId: { type: 'string' }, args: { type: 'array' } } } }),
    { clusterId: 'gke', args: ['get', 'pods', '-n', 'test-app'] },
  ],
  [
    'a line with kubectl',
    tools({
      execute: { properties: { cluster_id: {}, command: { type: 'string', description: 'starting with kubectl' } } },
    }),
    { cluster_id: 'gke', command: 'kubectl get pods -n test-app' },
  ],
])('a tool that takes %s is called so', (_, offered, input) => {
  const move = nextMove(conversation({ tools: offered, instructions: 'The question is about cluster "gke".' }));
  expect(move).toEqual({ calls: [{ name: offered[0]?.name, input }] });
});

test('without tools, without pods, and without a namespace it says so', () => {
  expect(nextMove(conversation({}))).toMatchObject({ text: expect.stringContaining('no tool') as string });
  expect(nextMove(conversation({ question: 'Why?' }))).toMatchObject({
    text: expect.stringContaining('Name one') as string,
  });
});
