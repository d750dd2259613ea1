/** Who calls: API keys of clients, and tokens of executors (kubently-contract 3.1). */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createMiddleware } from 'hono/factory';
import { HTTPException } from 'hono/http-exception';
import { KEYS, type Store } from './store.ts';

/** The caller's service name; null for a bare key, which has none. */
export type Identity = string | null;

export type ClientEnv = { Variables: { identity: Identity } };
export type ExecutorEnv = { Variables: { cluster: string } };

/** Reads API_KEYS: entries `service:key` or `key`, separated by commas or newlines; answers key -> service. */
export function parseApiKeys(text: string): Map<string, Identity> {
  const keys = new Map<string, Identity>();
  for (const entry of text.split(/[,\n]/).map((part) => part.trim())) {
    if (entry === '') continue;
    const colon = entry.indexOf(':');
    if (colon === -1) keys.set(entry, null);
    else keys.set(entry.slice(colon + 1), entry.slice(0, colon));
  }
  return keys;
}

function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** The identity behind an X-API-Key header: from API_KEYS or a key stored in Redis; undefined when there is none. */
export async function identify(
  header: string | undefined,
  apiKeys: Map<string, Identity>,
  store: Store,
): Promise<Identity | undefined> {
  if (header === undefined || header === '') return undefined;
  for (const [key, identity] of apiKeys) if (equal(key, header)) return identity;
  const stored = await store.redis.get(KEYS.apiKey(createHash('sha256').update(header).digest('hex')));
  return stored ?? undefined;
}

/** Middleware for clients: 401 unless X-API-Key is known; sets `identity`. */
export function requireApiKey(apiKeys: Map<string, Identity>, store: Store) {
  return createMiddleware<ClientEnv>(async (c, next) => {
    const identity = await identify(c.req.header('X-API-Key'), apiKeys, store);
    if (identity === undefined) throw new HTTPException(401, { message: 'Invalid or missing API key' });
    c.set('identity', identity);
    await next();
  });
}

/** Middleware for executors: 422 without the two headers, 401 unless the token is the cluster's; sets `cluster`. */
export function requireExecutor(store: Store) {
  return createMiddleware<ExecutorEnv>(async (c, next) => {
    const authorization = c.req.header('Authorization');
    const cluster = c.req.header('X-Cluster-Id');
    const missing = [
      ...(authorization === undefined ? ['authorization'] : []),
      ...(cluster === undefined ? ['x-cluster-id'] : []),
    ];
    if (authorization === undefined || cluster === undefined) {
      const detail = missing.map((name) => ({ type: 'missing', loc: ['header', name], msg: 'Field required' }));
      return c.json({ detail }, 422);
    }
    const token = /^Bearer (.+)$/.exec(authorization)?.[1];
    const wanted = await store.redis.get(KEYS.executorToken(cluster));
    if (token === undefined || wanted === null || !equal(token, wanted)) {
      throw new HTTPException(401, { message: 'Invalid executor token' });
    }
    c.set('cluster', cluster);
    return next();
  });
}
