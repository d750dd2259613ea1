/** Keys that a drill writes into Redis, to see what a restore brings back and what not. */
import { randomUUID } from 'node:crypto';
import type { Context } from '../context.ts';
import { redisShell } from '../deployment/kubently/redis.ts';

/** One key with a value that nobody else has. */
export interface Canary {
  key: string;
  value: string;
}

/** Nobody's but a drill's: Kubently's own keys begin otherwise. */
const PREFIX = 'kubently-runbook:drill:';
/** A drill that was killed leaves no key for good. */
const SECONDS = '86400';

/** Writes a new one. @param name told apart by it within a drill */
export async function writeCanary(ctx: Context, name: 'before' | 'after'): Promise<Canary> {
  const canary = { key: PREFIX + name, value: randomUUID() };
  await redis(ctx, ['SET', canary.key, canary.value, 'EX', SECONDS], true);
  return canary;
}

/** True when Redis holds it with its own value. */
export async function holdsCanary(ctx: Context, { key, value }: Canary): Promise<boolean> {
  return (await redis(ctx, ['GET', key], false)) === value;
}

/** Removes them; content where they are gone. */
export async function removeCanaries(ctx: Context, canaries: readonly Canary[]): Promise<void> {
  await redis(ctx, ['DEL', ...canaries.map((c) => c.key)], true);
}

async function redis(ctx: Context, argv: readonly string[], mutates: boolean): Promise<string> {
  return (await redisShell(ctx, 'exec redis-cli --no-auth-warning "$@"', argv, { mutates })).trim();
}
