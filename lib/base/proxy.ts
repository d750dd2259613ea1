/** The operator's way out: which proxy the runbook's own requests go through, as HTTPS_PROXY and NO_PROXY say to curl and kubectl. */
import type { Agent } from 'node:https';
import { request as secure } from 'node:https';
import { BlockList, isIP, type Socket } from 'node:net';
import { Failure } from './failure.ts';

type Environment = Readonly<Record<string, string>>;

const { request: plain } = process.getBuiltinModule('node:http');
const TIMEOUT_MS = 10_000;

/** The proxy refuses, or does not answer: nothing is known of who was asked. */
export class ProxyFailed extends Failure {
  override name = 'ProxyFailed';
}

/** The proxy for a URL; undefined where it is asked straight. @throws ProxyFailed for a proxy that is no HTTP proxy */
export function proxyFor(url: URL, environment: Environment): URL | undefined {
  const secured = url.protocol === 'https:';
  const text = valueOf(secured ? 'https_proxy' : 'http_proxy', environment) ?? valueOf('all_proxy', environment);
  if (text === undefined || isExcepted(url, valueOf('no_proxy', environment) ?? '')) return undefined;
  const proxy = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (proxy && /^https?:$/.test(proxy.protocol)) return proxy;
  throw new ProxyFailed({
    what: `${url.host} cannot be asked through the proxy of the environment: ${proxy ? `it is a ${proxy.protocol.slice(0, -1)} proxy` : 'its address cannot be read'}`,
    next: 'set HTTPS_PROXY to an http:// or https:// proxy, or name the host in NO_PROXY',
  });
}

/** What an Agent needs to go that way; nothing where the URL is asked straight. */
export function agentOptions(url: URL, environment: Environment): NonNullable<ConstructorParameters<typeof Agent>[0]> {
  const proxy = proxyFor(url, environment)?.href;
  return proxy === undefined ? {} : { keepAlive: true, proxyEnv: { https_proxy: proxy, http_proxy: proxy } };
}

/** An error of a request through a proxy, told as the proxy's where it is. */
export function throughProxy(error: NodeJS.ErrnoException & { statusCode?: number }, url: URL, proxy: URL): Error {
  const { code = '', message, statusCode } = error;
  if (!/^(ECONN|ENOTFOUND|EAI_|EHOST|ENET|ETIMEDOUT|ERR_PROXY)/.test(code)) return error;
  return proxyFailed(
    proxy,
    `${url.hostname}:${portOf(url)}`,
    statusCode,
    message.replace(/^Failed to establish .*?: (?=HTTP)/, ''),
  );
}

/** What a proxy's refusal means. @param status its HTTP status; undefined where it does not answer */
export function proxyFailed(proxy: URL, target: string, status: number | undefined, found: string): ProxyFailed {
  const host = target.replace(/:\d+$/, '');
  return new ProxyFailed({
    what: `the proxy ${proxy.host} (HTTPS_PROXY) ${status === undefined ? 'does not answer' : `does not let ${target} through (HTTP ${status})`}`,
    found,
    next:
      status === 407
        ? 'put its user and password into HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT'
        : status === undefined
          ? `look at HTTPS_PROXY; where ${host} is reached without a proxy, name it in NO_PROXY`
          : `have the proxy let ${target} through; where ${host} is reached without it, name it in NO_PROXY`,
  });
}

/** A connection to host:port by the proxy's CONNECT. @throws ProxyFailed */
export function tunnel(proxy: URL, target: string): Promise<Socket> {
  const { username, password } = proxy;
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  return new Promise((resolve, reject) => {
    const asked = (proxy.protocol === 'https:' ? secure : plain)(proxy.origin, {
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...(username ? { 'proxy-authorization': `Basic ${login}` } : {}) },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      agent: false,
    });
    asked.on('connect', (answer, socket) => {
      if (answer.statusCode === 200) resolve(socket);
      else reject(proxyFailed(proxy, target, answer.statusCode ?? 0, answer.statusMessage ?? ''));
    });
    asked.on('error', (error) => reject(proxyFailed(proxy, target, undefined, error.message)));
    asked.end();
  });
}

/** Lower case counts first, as with curl; an empty one is none. */
function valueOf(name: string, environment: Environment): string | undefined {
  return environment[name] || environment[name.toUpperCase()] || undefined;
}

/** NO_PROXY: names with all beneath them, addresses, networks, each with a port or without; this machine always. */
function isExcepted(url: URL, exceptions: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)) return true;
  return exceptions
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => {
      if (entry === '*') return true;
      if (isIP(host) && entry.includes('/')) return isInside(host, entry);
      const [, name = entry, only] = /^\[?([^\]]+?)\]?(?::(\d+))?$/.exec(entry) ?? [];
      if (isIP(entry)) return entry === host;
      const domain = name.replace(/^\*?\./, '');
      return (only === undefined || only === portOf(url)) && (host === domain || host.endsWith(`.${domain}`));
    });
}

function portOf({ port, protocol }: URL): string {
  return port || (protocol === 'https:' ? '443' : '80');
}

function isInside(address: string, network: string): boolean {
  const [base = '', bits = ''] = network.split('/');
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(base) !== isIP(address) || !/^\d+$/.test(bits) || Number(bits) > (family === 'ipv6' ? 128 : 32))
    return false;
  const list = new BlockList();
  list.addSubnet(base, Number(bits), family);
  return list.check(address, family);
}
