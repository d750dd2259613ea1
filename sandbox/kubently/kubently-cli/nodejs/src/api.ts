/** Calls of the Kubently API. */
import type { Connection } from './settings.ts';

/** A fetch that failed, in words; the reason hides in the error's cause. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

/** The JSON answer (undefined for 204). @throws Error with status and the server's own words on any other answer */
export async function call<T>(at: Connection, method: string, path: string, body?: unknown): Promise<T> {
  const url = `${at.apiUrl}${path}`;
  const response = await fetch(url, {
    method,
    headers: { 'X-API-Key': at.apiKey, 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (at.debug) process.stderr.write(`${method} ${url} -> ${response.status}\n`);
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}
