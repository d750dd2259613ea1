/** Anthropic's Messages API, as far as clients with tools and streams use it. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Call, Conversation, Move, Result } from './conversation.ts';
import { InputSchema, pieces, TextParts, toolOf, words } from './message-parts.ts';

const textBlock = z.looseObject({ type: z.literal('text'), text: z.string() });
const block = z.union([
  textBlock,
  z.looseObject({
    type: z.literal('tool_use'),
    id: z.string(),
    name: z.string(),
    input: z.record(z.string(), z.unknown()),
  }),
  z.looseObject({
    type: z.literal('tool_result'),
    tool_use_id: z.string(),
    content: z.union([z.string(), TextParts]).optional(),
  }),
  z.looseObject({ type: z.string() }),
]);

export const MessagesRequest = z.looseObject({
  model: z.string(),
  max_tokens: z.number().int().positive(),
  stream: z.boolean().optional(),
  system: z.union([z.string(), TextParts]).optional(),
  messages: z
    .array(z.object({ role: z.enum(['user', 'assistant']), content: z.union([z.string(), z.array(block)]) }))
    .min(1),
  tools: z
    .array(
      z.looseObject({
        name: z.string(),
        description: z.string().optional(),
        input_schema: InputSchema.optional(),
      }),
    )
    .optional(),
});
export type MessagesRequest = z.infer<typeof MessagesRequest>;

/** The conversation that the request tells. Pure. */
export function conversationOf({ system, messages, tools = [] }: MessagesRequest): Conversation {
  const blocks = messages.flatMap(({ role, content }) =>
    (typeof content === 'string' ? [{ type: 'text' as const, text: content }] : content).map((b) => ({
      role,
      block: b,
    })),
  );
  const asked = blocks.findLastIndex(({ role, block: b }) => role === 'user' && b.type === 'text');
  const calls = new Map<string, { name: string; input: Record<string, unknown> }>();
  const results: Result[] = [];
  for (const { block: b } of blocks.slice(asked + 1)) {
    if (b.type === 'tool_use' && 'input' in b && 'id' in b)
      calls.set(String(b.id), { name: String(b['name']), input: b.input as Record<string, unknown> });
    if (b.type === 'tool_result' && 'tool_use_id' in b) {
      const call = calls.get(String(b.tool_use_id));
      if (call) results.push({ ...call, text: words(b['content'] as string | { text?: string }[] | undefined) });
    }
  }
  const texts = blocks
    .slice(0, asked)
    .flatMap(({ block: b }) => (b.type === 'text' && 'text' in b ? [String(b.text)] : []));
  const question = blocks[asked]?.block;
  return {
    instructions: [words(system), ...texts].join('\n'),
    question: question && 'text' in question ? String(question.text) : '',
    tools: tools.map((t) => toolOf(t.name, t.description, t.input_schema)),
    results,
  };
}

type Block = { type: 'text'; text: string } | { type: 'tool_use'; id: string; name: string; input: Call['input'] };

export interface Message {
  id: string;
  type: 'message';
  role: 'assistant';
  model: string;
  content: Block[];
  stop_reason: 'end_turn' | 'tool_use';
  stop_sequence: null;
  usage: { input_tokens: number; output_tokens: number };
}

export function messageOf(model: string, move: Move): Message {
  const content: Block[] =
    'text' in move
      ? [{ type: 'text', text: move.text }]
      : move.calls.map((call) => ({ type: 'tool_use', id: `toolu_${randomUUID().replaceAll('-', '')}`, ...call }));
  return {
    id: `msg_${randomUUID().replaceAll('-', '')}`,
    type: 'message',
    role: 'assistant',
    model,
    content,
    stop_reason: 'text' in move ? 'end_turn' : 'tool_use',
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 1 },
  };
}

/** The message as the events of a stream, [name, data] each. */
export function events(message: Message): [string, object][] {
  const { content, stop_reason, stop_sequence, usage, ...start } = message;
  return [
    ['message_start', { message: { ...start, content: [], stop_reason: null, stop_sequence: null, usage } }],
    ...content.flatMap((b, index): [string, object][] => [
      ['content_block_start', { index, content_block: b.type === 'text' ? { ...b, text: '' } : { ...b, input: {} } }],
      ...pieces(b.type === 'text' ? b.text : JSON.stringify(b.input)).map((piece): [string, object] => [
        'content_block_delta',
        {
          index,
          delta:
            b.type === 'text' ? { type: 'text_delta', text: piece } : { type: 'input_json_delta', partial_json: piece },
        },
      ]),
      ['content_block_stop', { index }],
    ]),
    ['message_delta', { delta: { stop_reason, stop_sequence }, usage: { output_tokens: usage.output_tokens } }],
    ['message_stop', {}],
  ];
}

export function errorBody(type: string, message: string): object {
  return { type: 'error', error: { type, message } };
}

export function modelList(ids: readonly string[]): object {
  const data = ids.map((id) => ({ type: 'model', id, display_name: id, created_at: '2026-01-01T00:00:00Z' }));
  return { data, has_more: false, first_id: ids[0] ?? null, last_id: ids.at(-1) ?? null };
}
