/** What both APIs say in the same way: tools with a JSON Schema, text in parts, words one after the other. */
import { z } from 'zod';
import type { Tool } from './conversation.ts';

const property = z.looseObject({
  type: z.string().optional(),
  description: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
});

/** The JSON Schema of a tool's input. */
export const InputSchema = z.looseObject({
  properties: z.record(z.string(), property).optional(),
  required: z.array(z.string()).optional(),
});

export const TextParts = z.array(z.looseObject({ text: z.string().optional() }));

export function toolOf(name: string, description = '', schema: z.infer<typeof InputSchema> = {}): Tool {
  return { name, description, properties: schema.properties ?? {}, required: schema.required ?? [] };
}

/** The text of a message or a tool's result. */
export function words(content: string | z.infer<typeof TextParts> | null | undefined): string {
  return typeof content === 'string' ? content : (content ?? []).map((c) => c.text ?? '').join('\n');
}

/** The text in pieces, as a model's words come. */
export function pieces(text: string): string[] {
  return text.match(/[^]{1,40}/gu) ?? [''];
}
