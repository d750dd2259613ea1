/** HTTP(S) to the API, one connection for each request: trust is decided before the first byte is sent. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as tcpConnect, isIP, type Socket } from 'node:net';
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Settings } from './settings.ts';
import { readRoots, refusedCertificate } from './trust.ts';

const CONNECT_MS = 10_000;

export type Request = {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** The connection is given up when nothing was heard for so long. */
  silenceMs: number;
};

/** Sends one request; resolves to the answer, whose body is still to be read. @throws CertificateRefused or what the network says */
export async function send(settings: Settings, { method, path, headers, body, silenceMs }: Request) {
  const url = new URL(settings.apiUrl + path);
  const socket = url.protocol === 'https:' ? await secure(url, settings) : await plain(url.hostname, portOf(url));
  socket.setTimeout(silenceMs, () => socket.destroy(new Error(`nothing heard for ${silenceMs / 1000} s`)));
  const request = httpRequest({
    createConnection: () => socket,
    method,
    path: url.pathname + url.search,
    headers: { Host: url.host, Connection: 'close', ...headers },
  });
  request.end(body);
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  // From here on whoever reads the answer is told.
  request.on('error', (error) => answer.destroy(error));
  return answer;
}

const portOf = (url: URL) => Number(url.port || (url.protocol === 'https:' ? 443 : 80));
const bare = (hostname: string) => hostname.replace(/^\[(.*)\]$/, '$1');

/** Waits for `event`, at most CONNECT_MS; a socket that does not get there is destroyed. */
async function established<T extends Socket>(socket: T, event: 'connect' | 'secureConnect'): Promise<T> {
  try {
    await once(socket, event, { signal: AbortSignal.timeout(CONNECT_MS) });
    return socket;
  } catch (error) {
    socket.destroy();
    throw handshakeError(error);
  }
}

function plain(hostname: string, port: number): Promise<Socket> {
  return established(tcpConnect({ host: bare(hostname), port }), 'connect');
}

async function secure(url: URL, settings: Settings): Promise<TLSSocket> {
  const host = bare(url.hostname);
  const roots = readRoots(settings);
  const proxy = proxyFor(host);
  const options: ConnectionOptions = {
    host,
    port: portOf(url),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(proxy === undefined ? {} : { socket: await tunnel(proxy, `${host}:${portOf(url)}`) }),
    ...(roots === undefined ? {} : { ca: roots }),
    minVersion: 'TLSv1.2',
    // The handshake ends either way, so that a refused certificate can be named; nothing is sent before `authorized`.
    rejectUnauthorized: false,
  };
  const socket = await established(tlsConnect(options), 'secureConnect');
  if (settings.verify || roots !== undefined) {
    const refused = refusedCertificate(socket, host, settings.pins);
    if (refused !== undefined) {
      socket.destroy();
      throw refused;
    }
  }
  return socket;
}

/** OpenSSL's short words for a handshake that failed, where it has some. */
function handshakeError(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (error.name === 'AbortError') return new Error(`not connected within ${CONNECT_MS / 1000} s`);
  const { code, reason } = error as { code?: string; reason?: string };
  return reason === undefined ? error : new Error(`TLS handshake failed: ${reason} (${code ?? 'no code'})`);
}

/** The proxy that https_proxy names, unless no_proxy excludes the host (name, .suffix or *). */
function proxyFor(host: string): URL | undefined {
  const variable = (name: string) => process.env[name] || process.env[name.toUpperCase()] || '';
  const excluded = variable('no_proxy')
    .split(/[\s,]+/)
    .filter(Boolean);
  const matches = (entry: string) =>
    entry === '*' || host === entry || host.endsWith(entry.startsWith('.') ? entry : `.${entry}`);
  const proxy = variable('https_proxy');
  return proxy === '' || excluded.some(matches) ? undefined : new URL(proxy);
}

async function tunnel(proxy: URL, target: string): Promise<Socket> {
  const login = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const request = httpRequest({
    host: bare(proxy.hostname),
    port: portOf(proxy),
    method: 'CONNECT',
    path: target,
    headers: {
      Host: target,
      ...(proxy.username === '' ? {} : { 'Proxy-Authorization': `Basic ${Buffer.from(login).toString('base64')}` }),
    },
    signal: AbortSignal.timeout(CONNECT_MS),
  });
  request.end();
  const [answer, socket] = (await once(request, 'connect')) as [IncomingMessage, Socket];
  if (answer.statusCode === 200) return socket;
  socket.destroy();
  throw new Error(`the proxy ${proxy.host} refuses ${target}: ${answer.statusCode ?? 'no status'}`);
}
