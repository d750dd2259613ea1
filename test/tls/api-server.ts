/** A server that speaks the API's executor stream over TLS as a case wants it, and a proxy; both say what reached them. */
import { once } from 'node:events';
import {
  createServer as createHttp,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttps, type Server as HttpsServer, type ServerOptions } from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';

export interface Served {
  port: number;
  /** Requests that arrived, so that a case can show that none did. */
  requests: string[];
  server: HttpServer | HttpsServer;
  close: () => void;
}

async function listening(server: HttpServer | HttpsServer, requests: string[]): Promise<Served> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { port: (server.address() as AddressInfo).port, requests, server, close };
}

/** The API: opens an event stream for an executor, or sends it elsewhere. Without `tls` it speaks plain http. */
export function api(tls?: ServerOptions, redirect?: string): Promise<Served> {
  const requests: string[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    if (redirect !== undefined) {
      response.writeHead(308, { Location: redirect }).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('event: connected\r\ndata: {"status":"connected"}\r\n\r\n');
  };
  return listening(tls === undefined ? createHttp(answer) : createHttps(tls, answer), requests);
}

/** An http proxy whose CONNECT leads to `port`, whatever name is asked for; or refuses with `status`. */
export function proxy(port: number, status = 200): Promise<Served> {
  const requests: string[] = [];
  const server = createHttp();
  server.on('connect', (request: IncomingMessage, client) => {
    requests.push(`CONNECT ${request.url ?? ''}`);
    client.on('error', () => undefined);
    if (status !== 200) {
      client.end(`HTTP/1.1 ${status} Refused\r\n\r\n`);
      return;
    }
    const upstream = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('close', () => upstream.destroy());
  });
  return listening(server, requests);
}
