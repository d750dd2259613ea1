/** Debug sessions (kubently-contract 3.4): they live in Redis for SESSION_TTL seconds after the last command. */
import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { z } from 'zod';
import { record } from './audit.ts';
import type { ClientEnv } from './authentication.ts';
import { body, ClusterId } from './body.ts';
import { requireRegistered } from './commands.ts';
import { KEYS, type Store } from './store.ts';

const Session = z.object({
  session_id: z.string(),
  cluster_id: z.string(),
  created_at: z.string(),
  correlation_id: z.string().nullable(),
  service_identity: z.string().nullable(),
});
export type Session = z.infer<typeof Session>;

const NewSession = z.object({
  cluster_id: ClusterId,
  user_id: z.string().nullish(),
  correlation_id: z.string().nullish(),
  service_identity: z.string().nullish(),
});

function shape(session: Session, status: 'active' | 'idle', ttl: number) {
  const expires_at = new Date(Date.now() + ttl * 1000).toISOString();
  return { ...session, status, expires_at, ttl_seconds: ttl };
}

/** The session of this id. @throws HTTPException 404 */
export async function findSession(store: Store, id: string): Promise<Session> {
  const text = await store.redis.get(KEYS.session(id));
  if (text === null) throw new HTTPException(404, { message: `Session ${id} not found` });
  return Session.parse(JSON.parse(text));
}

/** Gives the session its full time again, in seconds. */
export async function extendSession(store: Store, session: Session, ttl: number): Promise<void> {
  await store.redis
    .multi()
    .expire(KEYS.session(session.session_id), ttl)
    .expire(KEYS.clusterSession(session.cluster_id), ttl)
    .exec();
}

/** /debug/session: create, read, end. */
export function sessionRoutes(store: Store, ttl: number): Hono<ClientEnv> {
  const app = new Hono<ClientEnv>();
  const event = (type: string, id: string) => JSON.stringify({ type, session_id: id });

  app.post('/', async (c) => {
    const wanted = await body(c, NewSession);
    await requireRegistered(store, wanted.cluster_id);
    const session: Session = {
      session_id: randomUUID(),
      cluster_id: wanted.cluster_id,
      created_at: new Date().toISOString(),
      correlation_id: wanted.correlation_id ?? null,
      service_identity: c.get('identity'),
    };
    const { session_id: id, cluster_id: cluster, correlation_id: correlation } = session;
    const change = store.redis
      .multi()
      .set(KEYS.session(id), JSON.stringify(session), { EX: ttl })
      .set(KEYS.clusterSession(cluster), id, { EX: ttl })
      .set(KEYS.active(cluster), '1', { EX: ttl })
      .sAdd(KEYS.activeSessions, id)
      .publish(KEYS.sessionEvents, event('created', id));
    if (correlation !== null) change.sAdd(KEYS.correlation(correlation), id).expire(KEYS.correlation(correlation), ttl);
    await change.exec();
    await record(store, { type: 'session_created', ...session });
    return c.json(shape(session, 'active', ttl), 201);
  });

  app.get('/:id', async (c) => {
    const session = await findSession(store, c.req.param('id'));
    return c.json(shape(session, 'idle', await store.redis.ttl(KEYS.session(session.session_id))));
  });

  app.delete('/:id', async (c) => {
    const session = await findSession(store, c.req.param('id'));
    const { session_id: id, cluster_id: cluster } = session;
    await store.redis
      .multi()
      .del([KEYS.session(id), KEYS.clusterSession(cluster), KEYS.active(cluster)])
      .sRem(KEYS.activeSessions, id)
      .publish(KEYS.sessionEvents, event('ended', id))
      .exec();
    await record(store, { type: 'session_ended', ...session });
    return c.body(null, 204);
  });
  return app;
}

/** How many sessions are alive; forgets the ids of those that expired. */
export async function countSessions(store: Store): Promise<number> {
  let alive = 0;
  for (const id of await store.redis.sMembers(KEYS.activeSessions)) {
    if ((await store.redis.exists(KEYS.session(id))) === 1) alive += 1;
    else await store.redis.sRem(KEYS.activeSessions, id);
  }
  return alive;
}
