/** Routes of the emulated services and how a request finds its own. */
import type { z } from 'zod';
import { GoogleError } from './error.ts';

/** One request that has been let in. */
export interface Call {
  /** A named part of the path, decoded. */
  param: (name: string) => string;
  query: URLSearchParams;
  body: unknown;
  /** The policy member that calls. */
  caller: string;
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export interface Route {
  method: string;
  pattern: URLPattern;
  /** The permission that the caller needs on the project. */
  permission: string;
  /** Whether such requests change something, for the request log. */
  mutating: boolean;
  handle: (call: Call) => unknown;
}

/** A route by its method and path (URLPattern; `:project` is checked before the call). A query by POST `reads`. */
export function route(
  signature: `${Method} ${string}`,
  permission: string,
  handle: Route['handle'],
  kind?: 'reads',
): Route {
  const [method = '', pathname = ''] = signature.split(' ');
  const mutating = method !== 'GET' && kind !== 'reads';
  return { method, pattern: new URLPattern({ pathname }), permission, mutating, handle };
}

/** The route of a request and its path parameters. Throws 501 for what is not emulated. */
export function match(routes: Route[], method: string, path: string): { route: Route; param: Call['param'] } {
  for (const candidate of routes) {
    const fits = candidate.method === method ? candidate.pattern.exec({ pathname: path }) : null;
    const groups = fits?.pathname.groups;
    if (groups !== undefined) return { route: candidate, param: (name) => decodeURIComponent(groups[name] ?? '') };
  }
  throw new GoogleError(501, `The rehearsal's Google API does not emulate ${method} ${path}`);
}

/** The body as `schema` wants it. Throws 400 in the words Google has for unknown and for wrong fields. */
export function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join('.') ?? '';
  if (issue?.code === 'unrecognized_keys') {
    const name = issue.keys[0] ?? '';
    const at = where === '' ? '' : ` at '${where}'`;
    throw new GoogleError(400, `Invalid JSON payload received. Unknown name "${name}"${at}: Cannot find field.`);
  }
  throw new GoogleError(400, `Invalid value at '${where}': ${issue?.message ?? ''}`);
}
