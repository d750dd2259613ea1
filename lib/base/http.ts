/** HTTP(S) with a deadline, the runbook's own resolver and CA; verification is never off. */
import { lookup as systemLookup } from 'node:dns';
import { request as secure, type Agent } from 'node:https';
import type { LookupFunction } from 'node:net';

export interface HttpRequest {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD';
  url: string;
  headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it stands, in place of a body. */
  text?: string;
  timeoutMs?: number;
  /** Connections that are kept, with a trust of their own. */
  agent?: Agent;
}

export interface HttpAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** One request; rejects when there is no answer at all (refused, unknown name, bad certificate, too late). */
export type Http = (request: HttpRequest) => Promise<HttpAnswer>;

// An import of node:http would load its WebSocket as well: 40 ms of every start.
const { request: plain } = process.getBuiltinModule('node:http');
const DEFAULT_TIMEOUT_MS = 15_000;
/** No answer that the runbook asks for comes near it. */
const LARGEST_BODY = 32 * 1024 * 1024;

/**
 * The real Http.
 * @param lookup resolves names by DNS_SERVER where that is set
 */
export function realHttp(lookup: LookupFunction = systemLookup): Http {
  return ({ method = 'GET', url, headers = {}, body, text: plainText, timeoutMs = DEFAULT_TIMEOUT_MS, agent }) =>
    new Promise((resolve, reject) => {
      const text = plainText ?? (body === undefined ? undefined : JSON.stringify(body));
      const type = plainText === undefined ? 'application/json' : 'text/plain';
      const send = url.startsWith('https:') ? secure : plain;
      const sent = send(
        url,
        {
          method,
          lookup,
          agent,
          // Said, or the shell's NODE_TLS_REJECT_UNAUTHORIZED=0 would switch it off.
          rejectUnauthorized: true,
          headers: {
            'user-agent': 'kubently-runbook',
            ...(text === undefined ? {} : { 'content-type': type, 'content-length': String(Buffer.byteLength(text)) }),
            ...headers,
          },
          signal: AbortSignal.timeout(timeoutMs),
        },
        (answer) => {
          const chunks: Buffer[] = [];
          let size = 0;
          answer.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > LARGEST_BODY) answer.destroy(new Error(`${new URL(url).host} answers with more than 32 MB`));
            else chunks.push(chunk);
          });
          answer.on('error', reject);
          answer.on('end', () =>
            resolve({
              status: answer.statusCode ?? 0,
              headers: answer.headers,
              body: Buffer.concat(chunks).toString(),
            }),
          );
        },
      );
      sent.on('error', (error) =>
        reject(
          error.name === 'AbortError' || error.name === 'TimeoutError'
            ? new Error(`no answer from ${new URL(url).host} within ${timeoutMs / 1000} s`)
            : error,
        ),
      );
      sent.end(text);
    });
}
