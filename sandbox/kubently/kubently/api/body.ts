/** Request bodies: parsed against a schema, or refused with 422 in the server's error shape. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { z } from 'zod';

/** Lowercase letters, digits and hyphens, 1 to 100 of them (kubently-contract 3.4). */
export const ClusterId = z.string().regex(/^[a-z0-9-]{1,100}$/);

/** An error answer with a JSON body of its own. */
export function jsonError(status: 400 | 404 | 422, body: unknown): HTTPException {
  return new HTTPException(status, { res: Response.json(body, { status }) });
}

function refused(issues: { path: PropertyKey[]; message: string; code?: string }[], place: string): HTTPException {
  const detail = issues.map((issue) => ({
    type: issue.code ?? 'value_error',
    loc: [place, ...issue.path.map((part) => (typeof part === 'symbol' ? part.toString() : part))],
    msg: issue.message,
  }));
  return jsonError(422, { detail });
}

/** `value` as the schema's type. @throws HTTPException 422 with one detail per issue */
export function parse<T>(schema: z.ZodType<T>, value: unknown, place = 'body'): T {
  const result = schema.safeParse(value);
  if (!result.success) throw refused(result.error.issues, place);
  return result.data;
}

/** The request's JSON body as the schema's type; an empty body counts as `{}`. @throws HTTPException 422 */
export async function body<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  const text = await c.req.text();
  let value: unknown = {};
  try {
    if (text !== '') value = JSON.parse(text);
  } catch {
    throw refused([{ path: [], message: 'JSON decode error', code: 'json_invalid' }], 'body');
  }
  return parse(schema, value);
}
