/** Connections to the edge as clients make them, each told in a line: what was agreed, or who refused and why. */
import type { LookupOptions } from 'node:dns';
import { request as plain, type OutgoingHttpHeaders } from 'node:http';
import { connect as connectH2 } from 'node:http2';
import { request as secure } from 'node:https';
import type { LookupFunction } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** "accepted: TLSv1.3 TLS_AES_128_GCM_SHA256", "refused: protocol version" (the server), "distrusted: CODE" (the client). @throws whatever else goes wrong */
export async function handshake(options: ConnectionOptions): Promise<string> {
  try {
    const socket = await connected(options);
    const line = `accepted: ${socket.getProtocol() ?? '?'} ${socket.getCipher().standardName}`;
    socket.destroy();
    return line;
  } catch (error) {
    return refusal(error);
  }
}

/** The connected socket; the caller destroys it. */
export function connected(options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: 443, timeout: 10_000, ...options }, () => {
      resolve(socket);
    });
    socket.on('timeout', () => socket.destroy(new Error('no handshake within 10 s')));
    socket.on('error', reject);
  });
}

/** Verification's codes, as Node names them. */
const DISTRUST =
  /^(CERT_|ERR_TLS_CERT_ALTNAME_INVALID|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_)/;

function refusal(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (DISTRUST.test(code)) return `distrusted: ${code}`;
  const alert = /ALERT_(\w+)$/.exec(code)?.[1];
  if (alert === undefined) throw error;
  return `refused: ${alert.toLowerCase().replaceAll('_', ' ')}`;
}

export interface Ask {
  url: string;
  method?: string;
  headers?: OutgoingHttpHeaders;
  body?: string;
  /** What the connection goes to, whatever the URL says. */
  address: string;
  tls?: ConnectionOptions;
}

/** One HTTP/1.1 request on a connection of its own. */
export function ask({ url, method = 'GET', headers = {}, body, address, tls = {} }: Ask): Promise<Answer> {
  const { hostname } = new URL(url);
  const common = {
    method,
    headers,
    agent: false as const,
    timeout: 15_000,
    lookup: (_: string, options: LookupOptions, done: Parameters<LookupFunction>[2]) => {
      if (options.all) done(null, [{ address, family: 4 }]);
      else done(null, address, 4);
    },
  };
  return new Promise((resolve, reject) => {
    const sent = url.startsWith('https:')
      ? secure(url, { ...common, servername: /^[\d.]+$/.test(hostname) ? '' : hostname, ...tls })
      : plain(url, common);
    sent.on('response', (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
      answer.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within 15 s')));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** As ask, in a line: "HTTP 308 to https://…", or the refusal. */
export async function askLine(options: Ask): Promise<string> {
  try {
    const { status, headers } = await ask(options);
    return `HTTP ${status}${headers['location'] ? ` to ${String(headers['location'])}` : ''}`;
  } catch (error) {
    return refusal(error);
  }
}

/** Sends `count` requests at once over one HTTP/2 connection. @returns how many were answered with each status */
export async function burst(
  origin: string,
  path: string,
  count: number,
  options: ConnectionOptions,
): Promise<Map<number, number>> {
  const session = connectH2(origin, options);
  const statuses = new Map<number, number>();
  try {
    const failed = new Promise<never>((_, reject) => session.on('error', reject));
    const one = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ':path': path });
        stream.on('response', (headers) => {
          const status = Number(headers[':status']);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        });
        stream.on('error', reject);
        stream.on('end', resolve);
        stream.resume();
      });
    // Traefik takes 250 streams at a time; the rest would be reset.
    for (let sent = 0; sent < count; sent += 200)
      await Promise.race([Promise.all(Array.from({ length: Math.min(200, count - sent) }, one)), failed]);
  } finally {
    session.destroy();
  }
  return statuses;
}

/** Holds a stream over https open. @returns "open after 310 s, 32 pieces came", or how it ended before */
export function held({ url, address, headers = {} }: Pick<Ask, 'url' | 'address' | 'headers'>, seconds: number) {
  return new Promise<string>((resolve, reject) => {
    const { hostname } = new URL(url);
    const started = Date.now();
    const after = (): string => `${Math.round((Date.now() - started) / 1000)} s`;
    let pieces = 0;
    const accept = { host: hostname, accept: 'text/event-stream', ...headers };
    const sent = secure(url, { agent: false, host: address, servername: hostname, headers: accept }, (answer) => {
      if (answer.statusCode !== 200) {
        reject(new Error(`HTTP ${answer.statusCode ?? '?'}`));
        return;
      }
      answer.on('data', () => (pieces += 1));
      answer.on('end', () => resolve(`ended after ${after()}`));
      answer.on('error', () => resolve(`broken off after ${after()}`));
      setTimeout(() => {
        resolve(`open after ${after()}, ${pieces} pieces came`);
        sent.destroy();
      }, seconds * 1000);
    });
    sent.on('error', reject);
    sent.end();
  });
}
