/** The emulated Google API on http (loopback, with the admin paths) and https (as pods see it). */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { authenticate, authorize } from './access.ts';
import { match, parse, type Route } from './api.ts';
import { dnsRoutes } from './cloud-dns.ts';
import { computeRoutes } from './compute.ts';
import { GoogleError, OAuthError } from './error.ts';
import { iamRoutes } from './iam.ts';
import { keyRoutes } from './keys.ts';
import { append, clientOf, read } from './request-log.ts';
import { resourceManagerRoutes } from './resource-manager.ts';
import { SettingsChange, change, suffer } from './settings.ts';
import type { Cloud } from './state.ts';
import { grantToken } from './token.ts';

/** Where the API listens and what it writes. */
export interface ServerOptions {
  cloud: Cloud;
  logFile: string;
  /** The operator's access token; written (0600) when it is not there. */
  tokenFile: string;
  http: { host: string; port: number };
  https?: { host: string; port: number; cert: string; key: string };
}

export interface GoogleServer {
  /** The port of the http listener. */
  port: number;
  close: () => Promise<void>;
}

interface Answer {
  status: number;
  body: object;
  /** Whether requests of this kind change something. */
  mutating: boolean;
}

function operatorToken(file: string): string {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, `ya29.${randomBytes(48).toString('base64url')}`, { mode: 0o600 });
  }
  return readFileSync(file, 'utf8').trim();
}

function json(body: string): unknown {
  if (body === '') return undefined;
  try {
    return JSON.parse(body);
  } catch {
    throw new GoogleError(400, 'Invalid JSON payload received.');
  }
}

function admin(options: ServerOptions, method: string, url: URL, body: string): object {
  const { settings } = options.cloud;
  switch (`${method} ${url.pathname}`) {
    case 'GET /_sandbox/settings':
      return settings;
    case 'POST /_sandbox/settings':
      return change(settings, parse(SettingsChange, json(body)));
    case 'GET /_sandbox/requests':
      return { requests: read(options.logFile, url.searchParams.get('since') ?? '') };
    default:
      throw new GoogleError(404, `no admin path ${method} ${url.pathname}`);
  }
}

/** The host name's first part of the API that a route belongs to. */
function serviceOf({ permission }: Route): string {
  const [name = ''] = permission.split('.');
  return name === 'resourcemanager' ? 'cloudresourcemanager' : name;
}

async function service(cloud: Cloud, token: string, routes: Route[], request: IncomingMessage, url: URL) {
  const body = await text(request);
  const method = request.method ?? '';
  if (url.pathname === '/token' && method === 'POST') {
    return { mutating: false, handle: () => grantToken(cloud, new URLSearchParams(body)) };
  }
  const { route, param } = match(routes, method, url.pathname);
  return {
    mutating: route.mutating,
    handle: () => {
      const caller = authenticate(cloud, token, request.headers.authorization, serviceOf(route));
      authorize(cloud, caller, route.permission, param('project'));
      return route.handle({ param, query: url.searchParams, body: json(body), caller });
    },
  };
}

const failure = (error: unknown) =>
  error instanceof GoogleError || error instanceof OAuthError
    ? error
    : new GoogleError(500, error instanceof Error ? (error.stack ?? error.message) : String(error));

function listener(options: ServerOptions, token: string, local: boolean): RequestListener {
  const { cloud } = options;
  const routes = [computeRoutes, dnsRoutes, iamRoutes, keyRoutes, resourceManagerRoutes].flatMap((make) => make(cloud));
  const answer = async (request: IncomingMessage, url: URL): Promise<Answer> => {
    let mutating = request.method !== 'GET';
    try {
      const called = await service(cloud, token, routes, request, url);
      mutating = called.mutating;
      await suffer(cloud.settings, request.method ?? '', url.pathname, false);
      const body = (await called.handle()) as object;
      await suffer(cloud.settings, request.method ?? '', url.pathname, true);
      return { status: 200, body, mutating };
    } catch (error) {
      const known = failure(error);
      return { status: known.code, body: known.body(), mutating };
    }
  };
  const administer = async (request: IncomingMessage, url: URL): Promise<Answer> => {
    try {
      return { status: 200, body: admin(options, request.method ?? '', url, await text(request)), mutating: false };
    } catch (error) {
      return { status: failure(error).code, body: failure(error).body(), mutating: false };
    }
  };
  return (request, response) => {
    const url = new URL(request.url ?? '/', 'http://google.invalid');
    const administrative = local && url.pathname.startsWith('/_sandbox/');
    void (administrative ? administer(request, url) : answer(request, url)).then(({ status, body, mutating }) => {
      if (!administrative) {
        const client = clientOf(request.headers['user-agent']);
        const time = new Date(cloud.now()).toISOString();
        append(options.logFile, { time, method: request.method ?? '', path: url.pathname, status, mutating, client });
      }
      response
        .writeHead(status, { 'content-type': 'application/json; charset=UTF-8' })
        .end(`${JSON.stringify(body, null, 2)}\n`);
    });
  };
}

async function listen(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

/** Starts the API. Port 0 takes a free one. Throws when an address cannot be listened on. */
export async function serveGoogle(options: ServerOptions): Promise<GoogleServer> {
  const token = operatorToken(options.tokenFile);
  const servers: Server[] = [];
  if (options.https !== undefined) {
    const { cert, key } = options.https;
    const https = createHttpsServer({ cert, key }, listener(options, token, false));
    await listen(https, options.https);
    servers.push(https);
  }
  // Last, so that whoever is answered here finds the rest up.
  const http = createHttpServer(listener(options, token, true));
  const port = await listen(http, options.http);
  servers.push(http);
  const close = async () => {
    for (const server of servers) {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    }
  };
  return { port, close };
}
