/** The audit trail: Redis list auth:audit, newest first, at most 10000 entries (kubently-contract 3.8). */
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { z } from 'zod';
import type { ClientEnv, Identity } from './authentication.ts';
import { jsonError, parse } from './body.ts';
import { KEYS, type Store } from './store.ts';

const KEPT = 10_000;

const Entry = z.object({
  timestamp: z.string(),
  type: z.string(),
  service_identity: z.string().nullable().default(null),
  cluster_id: z.string().nullable().default(null),
  session_id: z.string().nullable().default(null),
  command_id: z.string().nullable().default(null),
  command: z.string().nullable().default(null),
  outcome: z.string().nullable().default(null),
  error: z.string().nullable().default(null),
  correlation_id: z.string().nullable().default(null),
});
type Entry = z.infer<typeof Entry>;

/** Adds one entry; a command's output is never recorded. */
export async function record(
  store: Store,
  entry: Partial<Entry> & { type: string; service_identity: Identity },
): Promise<void> {
  const line = JSON.stringify(Entry.parse({ timestamp: new Date().toISOString(), ...entry }));
  await store.redis
    .multi()
    .lPush(KEYS.audit, line)
    .lTrim(KEYS.audit, 0, KEPT - 1)
    .exec();
}

const Query = z.object({
  event_type: z.string().optional(),
  cluster_id: z.string().optional(),
  session_id: z.string().optional(),
  since: z.string().optional(),
  until: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});

function time(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Date.parse(text);
  if (Number.isNaN(value)) throw jsonError(400, { detail: `${name} is not an ISO 8601 time: ${text}` });
  return value;
}

/** GET /audit: the caller's own entries; 403 for a bare key, which has no identity. */
export function auditRoutes(store: Store): Hono<ClientEnv> {
  const app = new Hono<ClientEnv>();
  app.get('/', async (c) => {
    const identity = c.get('identity');
    if (identity === null) {
      throw new HTTPException(403, { message: 'The audit log needs a service:key API key; this one is bare' });
    }
    const query = parse(Query, c.req.query(), 'query');
    const since = time('since', query.since) ?? -Infinity;
    const until = time('until', query.until) ?? Infinity;
    const entries: Entry[] = [];
    for (const line of await store.redis.lRange(KEYS.audit, 0, -1)) {
      const entry = Entry.parse(JSON.parse(line));
      const at = Date.parse(entry.timestamp);
      if (entry.service_identity !== identity || at < since || at > until) continue;
      if (query.event_type !== undefined && entry.type !== query.event_type) continue;
      if (query.cluster_id !== undefined && entry.cluster_id !== query.cluster_id) continue;
      if (query.session_id !== undefined && entry.session_id !== query.session_id) continue;
      if (entries.push(entry) === query.limit) break;
    }
    return c.json({ entries, count: entries.length, service_identity: identity });
  });
  return app;
}
