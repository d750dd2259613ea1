/** A language model with tools, by Anthropic's Messages API or OpenAI's Chat Completions. */
import { readFileSync } from 'node:fs';
import { request as secure } from 'node:https';
import { request as plain } from 'node:http';
import { text } from 'node:stream/consumers';

const TIMEOUT_MS = 60_000;
/** As the providers' clients do by themselves. */
const RETRIED = new Set([408, 409, 429, 500, 502, 503, 529]);
const RETRY_MS = [500, 1000];
const MOST_TURNS = 8;

export type Tool = {
  name: string;
  description: string;
  schema: object;
  run: (input: Record<string, unknown>) => Promise<string>;
};

export type Model = {
  provider: 'anthropic-claude' | 'openai';
  url: string;
  key: string;
  name: string;
  caFile: string | undefined;
};

/** Where the environment of each provider's client names URL, key and model, and the model without that. */
const ENVIRONMENT = {
  'anthropic-claude': {
    url: 'ANTHROPIC_BASE_URL',
    key: 'ANTHROPIC_API_KEY',
    name: 'ANTHROPIC_MODEL_NAME',
    model: 'claude-sonnet-4-6',
  },
  openai: { url: 'OPENAI_BASE_URL', key: 'OPENAI_API_KEY', name: 'OPENAI_MODEL_NAME', model: 'gpt-5' },
} as const;

/** The model that the environment names; undefined where no base URL is set for its provider. */
export function modelOf(environment: NodeJS.ProcessEnv): Model | undefined {
  const { LLM_PROVIDER: provider, SSL_CERT_FILE: caFile } = environment;
  if (provider !== 'anthropic-claude' && provider !== 'openai') return undefined;
  const names = ENVIRONMENT[provider];
  const url = environment[names.url];
  if (!url) return undefined;
  return { provider, url, key: environment[names.key] ?? '', name: environment[names.name] ?? names.model, caFile };
}

/** Asks until the model calls no more tools. @throws Error in the provider's words */
export function ask(model: Model, system: string, question: string, tools: readonly Tool[]): Promise<string> {
  return model.provider === 'openai'
    ? askOpenAi(model, system, question, tools)
    : askAnthropic(model, system, question, tools);
}

type Block = { type: string; text?: string; id?: string; name?: string; input?: Record<string, unknown> };

async function askAnthropic(model: Model, system: string, question: string, tools: readonly Tool[]): Promise<string> {
  const messages: object[] = [{ role: 'user', content: question }];
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const body = {
      model: model.name,
      max_tokens: 4096,
      system,
      messages,
      tools: tools.map(({ name, description, schema }) => ({ name, description, input_schema: schema })),
    };
    const { content } = await post<{ content: Block[] }>(model, '/v1/messages', body, {
      'x-api-key': model.key,
      'anthropic-version': '2023-06-01',
    });
    const calls = content.filter((block) => block.type === 'tool_use');
    if (calls.length === 0) return content.map((block) => block.text ?? '').join('');
    messages.push({ role: 'assistant', content });
    const results = calls.map(async ({ id, name, input = {} }) => ({
      type: 'tool_result',
      tool_use_id: id,
      content: await run(tools, name, input),
    }));
    messages.push({ role: 'user', content: await Promise.all(results) });
  }
  throw new Error(`no answer after ${MOST_TURNS} turns`);
}

type Said = { content: string | null; tool_calls?: { id: string; function: { name: string; arguments: string } }[] };

async function askOpenAi(model: Model, system: string, question: string, tools: readonly Tool[]): Promise<string> {
  const messages: object[] = [
    { role: 'system', content: system },
    { role: 'user', content: question },
  ];
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const body = {
      model: model.name,
      messages,
      tools: tools.map(({ name, description, schema }) => ({
        type: 'function',
        function: { name, description, parameters: schema },
      })),
    };
    const { choices } = await post<{ choices: { message: Said }[] }>(model, '/chat/completions', body, {
      authorization: `Bearer ${model.key}`,
    });
    const said = choices[0]?.message;
    const calls = said?.tool_calls ?? [];
    if (calls.length === 0) return said?.content ?? '';
    messages.push({ role: 'assistant', ...said });
    for (const { id, function: call } of calls)
      messages.push({
        role: 'tool',
        tool_call_id: id,
        content: await run(tools, call.name, JSON.parse(call.arguments) as Record<string, unknown>),
      });
  }
  throw new Error(`no answer after ${MOST_TURNS} turns`);
}

async function run(tools: readonly Tool[], name: string | undefined, input: Record<string, unknown>): Promise<string> {
  const tool = tools.find((t) => t.name === name);
  return tool ? tool.run(input) : `there is no tool ${name ?? ''}`;
}

async function post<T>(model: Model, path: string, body: object, headers: Record<string, string>): Promise<T> {
  for (let tries = 0; ; tries++) {
    const { status, said } = await send(model, path, JSON.stringify(body), headers).catch((error: unknown) => {
      throw new Error(`Connection error. (${error instanceof Error ? error.message : String(error)})`);
    });
    if (status === 200) return JSON.parse(said) as T;
    const again = RETRIED.has(status) ? RETRY_MS[tries] : undefined;
    if (again === undefined) throw new Error(`Error code: ${status} - ${said}`);
    await new Promise((done) => setTimeout(done, again));
  }
}

/** By node:https and not by fetch, which takes no CA. */
function send(
  { url, caFile }: Model,
  path: string,
  body: string,
  headers: Record<string, string>,
): Promise<{ status: number; said: string }> {
  return new Promise((resolve, reject) => {
    const whole = `${url.replace(/\/$/, '')}${path}`;
    const options = {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    };
    const ca = caFile === undefined ? {} : { ca: readFileSync(caFile) };
    const sent = whole.startsWith('https:') ? secure(whole, { ...options, ...ca }) : plain(whole, options);
    sent.on('response', (answer) => {
      text(answer).then((said) => resolve({ status: answer.statusCode ?? 0, said }), reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
