/** The command path: one kubectl command to one cluster's executor and back, over Redis (kubently-contract 3.5). */
import { randomUUID } from 'node:crypto';
import { HTTPException } from 'hono/http-exception';
import { z } from 'zod';
import { record } from './audit.ts';
import type { Identity } from './authentication.ts';
import { KEYS, type Store } from './store.ts';

/** What an executor posts back; further fields are dropped. */
export const Result = z.object({
  command_id: z.string(),
  success: z.boolean(),
  output: z.string().nullish(),
  error: z.string().nullish(),
  exit_code: z.number().int().nullish(),
  execution_time_ms: z.number(),
  executed_at: z.union([z.number(), z.string()]).nullish(),
});

export type Command = {
  cluster: string;
  /** kubectl's arguments. */
  args: string[];
  /** Seconds to wait for the result. */
  timeout: number;
  identity: Identity;
  session?: string | null;
  correlation?: string | null;
};

export type Outcome = {
  command_id: string;
  session_id: string | null;
  cluster_id: string;
  status: 'success' | 'failure' | 'timeout';
  correlation_id: string | null;
  output: string | null;
  error: string | null;
  execution_time_ms: number;
  executed_at: string;
};

/** @throws HTTPException 404, naming the known clusters, unless the cluster has an executor token */
export async function requireRegistered(store: Store, cluster: string): Promise<void> {
  if ((await store.redis.exists(KEYS.executorToken(cluster))) === 1) return;
  const known = (await store.clusters()).join(', ') || 'none';
  throw new HTTPException(404, { message: `Cluster ${cluster} is not registered. Known clusters: ${known}` });
}

function isoTime(value: number | string | null | undefined): string {
  if (typeof value === 'string') return value;
  return new Date(typeof value === 'number' ? value * 1000 : Date.now()).toISOString();
}

/**
 * Sends the command to the cluster's executors and waits for the first result. Nothing is queued:
 * without a subscriber the command is lost, and the outcome is `timeout`.
 */
export async function runCommand(store: Store, command: Command): Promise<Outcome> {
  const { cluster, args, timeout, identity, session = null, correlation = null } = command;
  const id = randomUUID();
  const started = Date.now();
  await store.redis
    .multi()
    .set(KEYS.command(id), cluster, { EX: Math.max(120, 2 * timeout) })
    .set(KEYS.active(cluster), '1', { EX: 60 })
    .exec();

  const ready = Promise.withResolvers<'ready' | 'timeout'>();
  const unsubscribe = await store.subscribe(KEYS.resultReady(id), () => ready.resolve('ready'));
  const timer = setTimeout(() => ready.resolve('timeout'), timeout * 1000);
  let text: string | null = null;
  try {
    const message = { id, args, timeout, correlation_id: correlation };
    await store.redis.publish(KEYS.commands(cluster), JSON.stringify(message));
    if ((await ready.promise) === 'ready') text = await store.redis.get(KEYS.result(id));
  } finally {
    clearTimeout(timer);
    await unsubscribe();
  }

  const about = { command_id: id, session_id: session, cluster_id: cluster, correlation_id: correlation };
  let outcome: Outcome;
  if (text === null) {
    const error = `Command timed out after ${timeout} seconds`;
    const spent = { execution_time_ms: Date.now() - started, executed_at: isoTime(null) };
    outcome = { ...about, status: 'timeout', output: null, error, ...spent };
  } else {
    const result = Result.parse(JSON.parse(text));
    outcome = {
      ...about,
      status: result.success ? 'success' : 'failure',
      output: result.output ?? null,
      error: result.error ?? null,
      execution_time_ms: result.execution_time_ms,
      executed_at: isoTime(result.executed_at),
    };
  }
  const { status, error } = outcome;
  const line = `kubectl ${args.join(' ')}`;
  await record(store, {
    ...about,
    type: 'command_executed',
    service_identity: identity,
    command: line,
    outcome: status,
    error,
  });
  return outcome;
}
