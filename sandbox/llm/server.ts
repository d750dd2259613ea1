/** The rehearsal's language model: Anthropic's and OpenAI's API, answered by one rule; its errors can be set. */
import { Hono, type Context } from 'hono';
import { z } from 'zod';
import * as anthropic from './anthropic.ts';
import { nextMove } from './conversation.ts';
import * as openai from './openai.ts';

/** What the endpoint knows of its callers. */
export interface Model {
  keys: { anthropic: string; openai: string };
  models: { anthropic: readonly string[]; openai: readonly string[] };
}

export const FAULTS = ['401', '429', '529', 'retired', 'cut'] as const;
export type Fault = (typeof FAULTS)[number];

/** Answered by HTTP as the providers do. */
const FAULT_ANSWERS = {
  '401': { status: 401, anthropic: 'authentication_error', code: 'invalid_api_key', says: 'invalid x-api-key' },
  '429': {
    status: 429,
    anthropic: 'rate_limit_error',
    code: 'rate_limit_exceeded',
    says: 'This request would exceed your rate limit.',
  },
  '529': { status: 529, anthropic: 'overloaded_error', code: null, says: 'Overloaded' },
  retired: { status: 404, anthropic: 'not_found_error', code: 'model_not_found', says: 'model: retired' },
} as const;

/** Clients of before 1.0 send the key as x-api-key, later ones as a bearer token. */
function anthropicKey({ req }: Context): string | undefined {
  return req.header('x-api-key') ?? req.header('authorization')?.replace(/^Bearer /, '');
}

/** All routes; `/_sandbox/fault` (GET, PUT {fault}) is answered on loopback alone, as `local` says. */
export function llmRoutes(
  model: Model,
  local: boolean,
  state: { fault: Fault | undefined } = { fault: undefined },
): Hono {
  const app = new Hono();
  const anthropicError = (status: number, type: string, says: string): Response =>
    Response.json(anthropic.errorBody(type, says), { status, headers: { 'request-id': 'req_rehearsal' } });
  const openaiError = (status: number, type: string, code: string | null, says: string): Response =>
    Response.json(openai.errorBody(type, code, says), { status });

  if (local) {
    app.get('/_sandbox/fault', (c) => c.json({ fault: state.fault ?? null }));
    app.put('/_sandbox/fault', async (c) => {
      const wanted = z.object({ fault: z.enum(FAULTS).nullable() }).safeParse(await c.req.json());
      if (!wanted.success) return c.json({ error: z.prettifyError(wanted.error) }, 400);
      state.fault = wanted.data.fault ?? undefined;
      return c.json({ fault: state.fault ?? null });
    });
  }

  app.get('/v1/models', (c) => {
    const refused = state.fault === '401';
    if (c.req.header('anthropic-version') !== undefined)
      return anthropicKey(c) === model.keys.anthropic && !refused
        ? c.json(anthropic.modelList(model.models.anthropic))
        : anthropicError(401, 'authentication_error', 'invalid x-api-key');
    return c.req.header('authorization') === `Bearer ${model.keys.openai}` && !refused
      ? c.json(openai.modelList(model.models.openai))
      : openaiError(401, 'invalid_request_error', 'invalid_api_key', 'Incorrect API key provided.');
  });

  app.post('/v1/messages', async (c) => {
    if (anthropicKey(c) !== model.keys.anthropic)
      return anthropicError(401, 'authentication_error', 'invalid x-api-key');
    const request = anthropic.MessagesRequest.safeParse(await c.req.json().catch(() => undefined));
    if (!request.success) return anthropicError(400, 'invalid_request_error', z.prettifyError(request.error));
    const { fault } = state;
    if (fault !== undefined && fault !== 'cut') {
      const { status, anthropic: type, says } = FAULT_ANSWERS[fault];
      return anthropicError(status, type, says);
    }
    const { model: name, stream: streamed } = request.data;
    if (!model.models.anthropic.includes(name)) return anthropicError(404, 'not_found_error', `model: ${name}`);
    const message = anthropic.messageOf(name, nextMove(anthropic.conversationOf(request.data)));
    if (!streamed) return c.json(message);
    const lines = anthropic
      .events(message)
      .map(([event, data]) => `event: ${event}\ndata: ${JSON.stringify({ type: event, ...data })}\n\n`);
    return sent(lines, fault === 'cut');
  });

  app.post('/v1/chat/completions', async (c) => {
    if (c.req.header('authorization') !== `Bearer ${model.keys.openai}`)
      return openaiError(401, 'invalid_request_error', 'invalid_api_key', 'Incorrect API key provided.');
    const request = openai.ChatRequest.safeParse(await c.req.json().catch(() => undefined));
    if (!request.success) return openaiError(400, 'invalid_request_error', null, z.prettifyError(request.error));
    const { fault } = state;
    if (fault !== undefined && fault !== 'cut') {
      const { status, code, says } = FAULT_ANSWERS[fault];
      return openaiError(status === 529 ? 503 : status, 'server_error', code, says);
    }
    const { model: name, stream: streamed } = request.data;
    if (!model.models.openai.includes(name))
      return openaiError(404, 'invalid_request_error', 'model_not_found', `The model \`${name}\` does not exist`);
    const completion = openai.completionOf(name, nextMove(openai.conversationOf(request.data)));
    if (!streamed) return c.json(completion);
    const lines = openai.chunks(completion).map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
    return sent([...lines, 'data: [DONE]\n\n'], fault === 'cut');
  });

  app.all('*', (c) => c.json(anthropic.errorBody('not_found_error', `no path ${c.req.path}`), 404));
  return app;

  /** A stream of events; cut: it breaks in the middle, without an end. */
  function sent(lines: readonly string[], cut: boolean): Response {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const encoder = new TextEncoder();
        for (const line of cut ? lines.slice(0, Math.ceil(lines.length / 2)) : lines)
          controller.enqueue(encoder.encode(line));
        if (cut) controller.error(new Error('cut'));
        else controller.close();
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' } });
  }
}
