/** HTTP(S) with a deadline, the runbook's own resolver and CA; verification is never off. */
import { lookup as systemLookup } from 'node:dns';
import type { Agent } from 'node:http';
import { Agent as SecureAgent, request as secure } from 'node:https';
import type { LookupFunction } from 'node:net';
import { agentOptions, proxyFailed, proxyFor, throughProxy } from './proxy.ts';

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
const { request: plain, Agent: PlainAgent } = process.getBuiltinModule('node:http');
const DEFAULT_TIMEOUT_MS = 15_000;
/** No answer that the runbook asks for comes near it. */
const LARGEST_BODY = 32 * 1024 * 1024;

/**
 * The real Http.
 * @param lookup resolves names by DNS_SERVER where that is set
 * @param environment its HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY count
 */
export function realHttp(
  lookup: LookupFunction = systemLookup,
  environment: Readonly<Record<string, string>> = {},
): Http {
  const agents = new Map<string, Agent>();
  const agentFor = (to: URL, proxy: URL): Agent => {
    const key = `${to.protocol}${proxy.href}`;
    const Kind = to.protocol === 'https:' ? SecureAgent : PlainAgent;
    const known = agents.get(key) ?? new Kind(agentOptions(to, environment));
    agents.set(key, known);
    return known;
  };
  return ({ method = 'GET', url, headers = {}, body, text: plainText, timeoutMs = DEFAULT_TIMEOUT_MS, agent }) =>
    new Promise((resolve, reject) => {
      const to = new URL(url);
      const proxy = proxyFor(to, environment);
      const text = plainText ?? (body === undefined ? undefined : JSON.stringify(body));
      const type = plainText === undefined ? 'application/json' : 'text/plain';
      const send = url.startsWith('https:') ? secure : plain;
      const sent = send(
        url,
        {
          method,
          // The proxy's own name is the system's to know; it looks the other up itself.
          lookup: proxy ? systemLookup : lookup,
          agent: agent ?? (proxy && agentFor(to, proxy)),
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
          if (proxy && answer.statusCode === 407) {
            answer.resume();
            reject(proxyFailed(proxy, to.host, 407, answer.statusMessage ?? ''));
            return;
          }
          const chunks: Buffer[] = [];
          let size = 0;
          answer.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > LARGEST_BODY) answer.destroy(new Error(`${to.host} answers with more than 32 MB`));
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
            ? new Error(
                `no answer from ${to.host} within ${timeoutMs / 1000} s${proxy ? ` (through the proxy ${proxy.host})` : ''}`,
              )
            : proxy
              ? throughProxy(error, to, proxy)
              : error,
        ),
      );
      sent.end(text);
    });
}
