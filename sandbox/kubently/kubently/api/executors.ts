/** What executors call: the command stream, results, capabilities, heartbeat (kubently-contract 3.6). */
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { z } from 'zod';
import { log } from '../log.ts';
import type { ExecutorEnv } from './authentication.ts';
import { body } from './body.ts';
import { Result } from './commands.ts';
import { eventStream } from './sse.ts';
import { KEYS, type Store } from './store.ts';

const IDLE_MS = 30_000;
const ACTIVE_SECONDS = 90;
const RESULT_SECONDS = 60;
const CAPABILITY_SECONDS = 3600;

const Capabilities = z.object({
  mode: z.string(),
  allowed_verbs: z.array(z.string()),
  restricted_resources: z.array(z.string()),
  allowed_flags: z.array(z.string()),
  executor_version: z.string().nullish(),
  executor_pod: z.string().nullish(),
});

/** Waits for the next command; undefined after an idle half minute or when the stream ended. */
async function next(queue: string[], wake: { now: () => void }, ended: AbortSignal): Promise<string | undefined> {
  if (queue.length === 0 && !ended.aborted) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, IDLE_MS);
      wake.now = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
  return queue.shift();
}

/** /executor: every route needs the executor's own token. */
export function executorRoutes(store: Store, closing: AbortSignal): Hono<ExecutorEnv> {
  const app = new Hono<ExecutorEnv>();

  app.get('/stream', async (c) => {
    const cluster = c.get('cluster');
    const markActive = () => store.redis.set(KEYS.active(cluster), '1', { EX: ACTIVE_SECONDS });
    const queue: string[] = [];
    const wake = { now: () => {} };
    const unsubscribe = await store.subscribe(KEYS.commands(cluster), (message) => {
      queue.push(message);
      wake.now();
    });
    await markActive();
    log.info(`executor stream opened for cluster ${cluster}`);
    return eventStream(c, closing, async ({ send, ended }) => {
      const keepalive = () => send({ timestamp: Date.now() / 1000 }, 'keepalive');
      ended.addEventListener('abort', () => wake.now());
      try {
        await send({ status: 'connected', cluster_id: cluster }, 'connected');
        await keepalive();
        for (;;) {
          const message = await next(queue, wake, ended);
          if (ended.aborted) break;
          if (message !== undefined) {
            await send(JSON.parse(message), 'command');
          } else {
            await markActive();
            await keepalive();
          }
        }
      } finally {
        await unsubscribe();
        log.info(`executor stream closed for cluster ${cluster}`);
      }
    });
  });

  app.post('/results', async (c) => {
    const result = await body(c, Result);
    const cluster = c.get('cluster');
    if ((await store.redis.get(KEYS.command(result.command_id))) !== cluster) {
      throw new HTTPException(403, { message: 'This command was not issued to this cluster, or it has expired' });
    }
    await store.redis.set(KEYS.result(result.command_id), JSON.stringify(result), { EX: RESULT_SECONDS });
    await store.redis.publish(KEYS.resultReady(result.command_id), 'ready');
    return c.json({ status: 'accepted', command_id: result.command_id });
  });

  app.post('/capabilities', async (c) => {
    const reported = await body(c, Capabilities);
    await store.redis.set(KEYS.capabilities(c.get('cluster')), JSON.stringify(reported), { EX: CAPABILITY_SECONDS });
    return c.json({
      status: 'success',
      message: 'Capabilities stored',
      mode: reported.mode,
      ttl_seconds: CAPABILITY_SECONDS,
    });
  });

  app.post('/heartbeat', async (c) => {
    const known = await store.redis.expire(KEYS.capabilities(c.get('cluster')), CAPABILITY_SECONDS);
    return known === 1
      ? c.json({ status: 'success', message: 'Capabilities kept' })
      : c.json({ status: 'not_found', message: 'No capabilities reported yet' });
  });
  return app;
}
