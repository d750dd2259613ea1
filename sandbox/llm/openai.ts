/** OpenAI's Chat Completions API, as far as clients with tools and streams use it. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Conversation, Move, Result } from './conversation.ts';
import { InputSchema, pieces, TextParts, toolOf, words } from './message-parts.ts';

const content = z.union([z.string(), TextParts, z.null()]).optional();
export const ChatRequest = z.looseObject({
  model: z.string(),
  stream: z.boolean().optional(),
  messages: z
    .array(
      z.looseObject({
        role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
        content,
        tool_call_id: z.string().optional(),
        tool_calls: z
          .array(z.looseObject({ id: z.string(), function: z.object({ name: z.string(), arguments: z.string() }) }))
          .optional(),
      }),
    )
    .min(1),
  tools: z
    .array(
      z.looseObject({
        function: z.looseObject({
          name: z.string(),
          description: z.string().optional(),
          parameters: InputSchema.optional(),
        }),
      }),
    )
    .optional(),
});
export type ChatRequest = z.infer<typeof ChatRequest>;

/** The conversation that the request tells. Pure. */
export function conversationOf({ messages, tools = [] }: ChatRequest): Conversation {
  const asked = messages.findLastIndex((m) => m.role === 'user');
  const calls = new Map<string, { name: string; input: Record<string, unknown> }>();
  const results: Result[] = [];
  for (const { role, tool_calls: made = [], tool_call_id: id, content: said } of messages.slice(asked + 1)) {
    for (const call of made)
      calls.set(call.id, {
        name: call.function.name,
        input: JSON.parse(call.function.arguments) as Record<string, unknown>,
      });
    const call = role === 'tool' ? calls.get(id ?? '') : undefined;
    if (call) results.push({ ...call, text: words(said) });
  }
  return {
    instructions: messages
      .slice(0, asked)
      .map((m) => words(m.content))
      .join('\n'),
    question: words(messages[asked]?.content),
    tools: tools.map((t) => toolOf(t.function.name, t.function.description, t.function.parameters)),
    results,
  };
}

interface Completion {
  id: string;
  object: 'chat.completion';
  created: number;
  model: string;
  choices: { index: number; message: Said; finish_reason: string; logprobs: null }[];
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

interface Said {
  role: 'assistant';
  content: string | null;
  refusal: null;
  tool_calls?: { id: string; type: 'function'; function: { name: string; arguments: string } }[];
}

export function completionOf(model: string, move: Move): Completion {
  const message: Said =
    'text' in move
      ? { role: 'assistant', content: move.text, refusal: null }
      : {
          role: 'assistant',
          content: null,
          refusal: null,
          tool_calls: move.calls.map(({ name, input }) => ({
            id: `call_${randomUUID().replaceAll('-', '')}`,
            type: 'function',
            function: { name, arguments: JSON.stringify(input) },
          })),
        };
  return {
    id: `chatcmpl-${randomUUID()}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [{ index: 0, message, finish_reason: 'text' in move ? 'stop' : 'tool_calls', logprobs: null }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  };
}

/** The completion as the chunks of a stream; `[DONE]` follows them. */
export function chunks({ id, created, model, choices: [choice] }: Completion): object[] {
  const chunk = (delta: object, finish: string | null = null): object => ({
    id,
    object: 'chat.completion.chunk',
    created,
    model,
    choices: [{ index: 0, delta, finish_reason: finish, logprobs: null }],
  });
  const said = choice?.message;
  return [
    chunk({ role: 'assistant', content: said?.content === null ? null : '' }),
    ...(said?.content ? pieces(said.content).map((piece) => chunk({ content: piece })) : []),
    ...(said?.tool_calls ?? []).flatMap((call, index) => [
      chunk({ tool_calls: [{ index, ...call, function: { name: call.function.name, arguments: '' } }] }),
      ...pieces(call.function.arguments).map((piece) =>
        chunk({ tool_calls: [{ index, function: { arguments: piece } }] }),
      ),
    ]),
    chunk({}, choice?.finish_reason ?? 'stop'),
  ];
}

export function errorBody(type: string, code: string | null, message: string): object {
  return { error: { message, type, param: null, code } };
}

export function modelList(ids: readonly string[]): object {
  return {
    object: 'list',
    data: ids.map((id) => ({ id, object: 'model', created: 1767225600, owned_by: 'rehearsal' })),
  };
}
