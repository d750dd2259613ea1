/** The API server's routes, put together; which of them are open, and the shapes of errors (docs/kubently-contract.md 3.1, 3.2). */
import { BlockList, isIP } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { log, reason } from '../log.ts';
import { a2aRoutes } from './a2a.ts';
import { auditRoutes } from './audit.ts';
import { requireApiKey, requireExecutor, type Identity } from './authentication.ts';
import { adminRoutes, capabilityRoutes, clusterRoutes } from './clusters.ts';
import { executeRoutes } from './execute.ts';
import { executorRoutes } from './executors.ts';
import { countSessions, sessionRoutes } from './sessions.ts';
import type { Store } from './store.ts';

const VERSION = '1.0.0';
const DEFAULT_SESSION_TTL = 3600;

export type Settings = {
  store: Store;
  apiKeys: Map<string, Identity>;
  environment: NodeJS.ProcessEnv;
  /** Ends the open streams. */
  closing: AbortSignal;
};

type Env = { Bindings: HttpBindings };

/** Peers whose X-Forwarded-Proto counts: FORWARDED_ALLOW_IPS lists addresses and networks, or is `*`. */
function trustedProxies(allowed: string): (peer: string | undefined) => boolean {
  const entries = allowed.split(',').flatMap((part) => part.trim() || []);
  if (entries.includes('*')) return () => true;
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return (peer) => peer !== undefined && list.check(peer, isIP(peer) === 6 ? 'ipv6' : 'ipv4');
}

/** The scheme that the client spoke: the proxy's word where it may say so, else what this server itself speaks. */
function scheme(c: Context<Env>, trusted: (peer: string | undefined) => boolean): 'http' | 'https' {
  const peer = c.env.incoming.socket.remoteAddress?.replace(/^::ffff:/, '');
  return c.req.header('X-Forwarded-Proto') === 'https' && trusted(peer) ? 'https' : 'http';
}

/** The server as a Hono application. */
export function createApp(settings: Settings): Hono<Env> {
  const { store, apiKeys, environment, closing } = settings;
  const sessionTtl = Number(environment['SESSION_TTL'] ?? DEFAULT_SESSION_TTL);
  const proxies = trustedProxies(environment['FORWARDED_ALLOW_IPS'] ?? '');
  const running = environment['ENVIRONMENT'] || 'development';
  const app = new Hono<Env>();

  app.use(async (c, next) => {
    await next();
    const line = `${c.req.method} ${c.req.path} ${c.res.status}`;
    if (c.req.path === '/healthz') log.debug(line);
    else log.info(line);
  });
  app.notFound((c) => c.json({ detail: 'Not Found' }, 404));
  app.onError((error, c) => {
    if (error instanceof HTTPException) return error.res ?? c.json({ detail: error.message }, error.status);
    log.error(`${c.req.method} ${c.req.path}: ${reason(error)}`);
    if (!store.ready()) return c.json({ error: `Redis unavailable: ${reason(error)}` }, 503);
    return c.json({ detail: 'Internal Server Error' }, 500);
  });

  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/health', async (c) => {
    try {
      await store.redis.ping();
    } catch (error) {
      return c.json({ status: 'unhealthy', error: store.lastError() || reason(error) }, 503);
    }
    const tls = scheme(c, proxies) === 'https' ? 'enabled' : 'disabled';
    if (running === 'production' && tls === 'disabled') log.warning('Running in production without TLS');
    return c.json({
      status: 'healthy',
      redis: 'connected',
      modules: 'initialized',
      tls,
      environment: running,
      version: VERSION,
    });
  });
  app.get('/metrics', async (c) => {
    if (!store.ready()) return c.body(null, 503);
    const help = '# HELP kubently_active_sessions Active debug sessions\n# TYPE kubently_active_sessions gauge\n';
    return c.text(`${help}kubently_active_sessions ${await countSessions(store)}\n`);
  });
  const discovery = {
    authentication_methods: ['api_key'],
    api_key: { header: 'X-API-Key', description: 'Static API key' },
    oauth: { enabled: false },
  };
  app.get('/.well-known/kubently-auth', (c) => c.json(discovery));
  app.get('/auth/discovery', (c) => c.json(discovery));
  app.get('/health/auth', (c) => c.json({ api_key: { enabled: true, healthy: true }, oauth: { enabled: false } }));

  for (const path of ['/admin/*', '/debug/*', '/api/v1/*', '/audit']) app.use(path, requireApiKey(apiKeys, store));
  app.route('/admin', adminRoutes(store));
  app.route('/debug/clusters', clusterRoutes(store));
  app.route('/debug/session', sessionRoutes(store, sessionTtl));
  app.route('/debug/execute', executeRoutes(store, sessionTtl));
  app.route('/api/v1/clusters', capabilityRoutes(store));
  app.route('/audit', auditRoutes(store));

  app.use('/executor/*', requireExecutor(store));
  app.route('/executor', executorRoutes(store, closing));

  if ((environment['KUBENTLY_A2A'] ?? '').toLowerCase() !== 'off') {
    app.all('/a2a', (c) => c.redirect(`${scheme(c, proxies)}://${c.req.header('Host') ?? 'localhost'}/a2a/`, 307));
    app.route('/a2a/', a2aRoutes({ store, apiKeys, environment, closing }));
  }
  return app;
}
