/** Clusters and their executor tokens (kubently-contract 3.3). A cluster is known when it has a token. */
import { randomBytes } from 'node:crypto';
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { z } from 'zod';
import { record } from './audit.ts';
import type { ClientEnv } from './authentication.ts';
import { body } from './body.ts';
import { KEYS, type Store } from './store.ts';

const Capabilities = z.looseObject({ mode: z.string().nullish(), executor_version: z.string().nullish() });

async function capabilities(store: Store, cluster: string) {
  const text = await store.redis.get(KEYS.capabilities(cluster));
  return text === null ? null : Capabilities.parse(JSON.parse(text));
}

const exists = async (store: Store, key: string) => (await store.redis.exists(key)) === 1;

const NewToken = z.object({
  token: z
    .string()
    .regex(/^[A-Za-z0-9_-]{32,128}$/, 'must be 32 to 128 letters, digits, - or _')
    .nullish(),
});

/** /admin/agents: list, status, token registration and removal. */
export function adminRoutes(store: Store): Hono<ClientEnv> {
  const app = new Hono<ClientEnv>();
  const unknown = (id: string) => new HTTPException(404, { message: `Cluster ${id} has no executor token` });

  app.get('/agents', async (c) => {
    const ids = await store.clusters();
    const clusters = await Promise.all(
      ids.map(async (id) => ({ id, connected: await exists(store, KEYS.active(id)), lastSeen: null })),
    );
    return c.json({ clusters, count: clusters.length });
  });

  app.get('/agents/:id/status', async (c) => {
    const id = c.req.param('id');
    if (!(await exists(store, KEYS.executorToken(id)))) throw unknown(id);
    const connected = await exists(store, KEYS.active(id));
    const reported = await capabilities(store, id);
    return c.json({
      id,
      connected,
      status: connected ? 'connected' : 'disconnected',
      lastSeen: null,
      version: reported?.executor_version ?? null,
      kubernetesVersion: null,
      capabilities: reported,
      mode: reported?.mode ?? null,
    });
  });

  app.post('/agents/:id/token', async (c) => {
    const id = c.req.param('id');
    const token = (await body(c, NewToken)).token ?? randomBytes(32).toString('hex');
    const stored = await store.redis.set(KEYS.executorToken(id), token, { condition: 'NX' });
    if (stored === null) throw new HTTPException(409, { message: `Cluster ${id} already has an executor token` });
    await record(store, { type: 'executor_token_created', service_identity: c.get('identity'), cluster_id: id });
    return c.json({ token, clusterId: id, createdAt: new Date().toISOString() });
  });

  app.delete('/agents/:id/token', async (c) => {
    const id = c.req.param('id');
    if ((await store.redis.del(KEYS.executorToken(id))) === 0) throw unknown(id);
    await store.redis.del([KEYS.active(id), KEYS.capabilities(id)]);
    await record(store, { type: 'executor_token_deleted', service_identity: c.get('identity'), cluster_id: id });
    return c.body(null, 204);
  });
  return app;
}

/** /debug/clusters: the registered ids, and one cluster's state. */
export function clusterRoutes(store: Store): Hono<ClientEnv> {
  const app = new Hono<ClientEnv>();

  app.get('/', async (c) => {
    const clusters = await store.clusters();
    return c.json({ clusters, count: clusters.length });
  });

  app.get('/:id', async (c) => {
    const id = c.req.param('id');
    const hasToken = await exists(store, KEYS.executorToken(id));
    const hasActiveSession = await exists(store, KEYS.clusterSession(id));
    const reported = await capabilities(store, id);
    if (!hasToken && !hasActiveSession && reported === null) {
      throw new HTTPException(404, { message: `Cluster ${id} not found` });
    }
    return c.json({
      clusterId: id,
      status: { hasToken, hasActiveSession, executorReporting: reported !== null },
      capabilities: reported,
      ttlRemaining: reported === null ? null : await store.redis.ttl(KEYS.capabilities(id)),
    });
  });
  return app;
}

/** GET /api/v1/clusters/{id}/capabilities: what the executor reported, if it reports. */
export function capabilityRoutes(store: Store): Hono<ClientEnv> {
  const app = new Hono<ClientEnv>();
  app.get('/:id/capabilities', async (c) => {
    const clusterId = c.req.param('id');
    const reported = await capabilities(store, clusterId);
    return c.json({ clusterId, capabilities: reported, available: reported !== null });
  });
  return app;
}
