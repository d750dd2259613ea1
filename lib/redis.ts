/** Redis of the release, asked inside its pod; the password goes by stdin, and no token comes back. */
import { createHash } from 'node:crypto';
import type { Context } from './context.ts';
import { tokenOf } from './deployment.ts';
import { Failure } from './failure.ts';
import type { Secret } from './secret.ts';
import { readTokens } from './tokens.ts';

/** Labels of Kubently's pods (contract 1.1). */
export function selector(release: string, component: 'api' | 'executor' | 'redis'): string {
  return `app.kubernetes.io/instance=${release},app.kubernetes.io/component=${component}`;
}

/** True where a Redis pod of the release can be asked. */
export async function redisRuns({ kube, settings }: Context): Promise<boolean> {
  const pods = await kube(settings.gke).list('Pod', selector(settings.release, 'redis'));
  return pods.some((p) => (p['status'] as { phase?: string } | undefined)?.phase === 'Running');
}

/** Name of the Redis pod. @throws Failure when none runs */
export async function redisPod({ kube, settings }: Context): Promise<string> {
  const [pod] = await kube(settings.gke).list('Pod', selector(settings.release, 'redis'));
  if (!pod) throw new Failure({ what: 'no Redis pod runs', next: './runbook 2.5' });
  return pod.metadata.name;
}

/** redis-cli in the pod, signed in. @returns its stdout */
export async function redisCli(ctx: Context, argv: readonly string[]): Promise<string> {
  const password = tokenOf(readTokens(ctx.settings.tokensFile), 'REDIS_PASSWORD');
  const script = 'read -r REDISCLI_AUTH; export REDISCLI_AUTH; exec redis-cli --no-auth-warning "$@"';
  return ctx.kube(ctx.settings.gke).exec(await redisPod(ctx), undefined, ['sh', '-c', script, 'sh', ...argv], password);
}

/** Which of the clusters have exactly this token registered (plan step 4.0), compared by hash. */
export async function registered(
  ctx: Context,
  tokens: ReadonlyMap<string, Secret>,
): Promise<Map<string, 'registered' | 'other' | 'absent'>> {
  const ids = [...tokens.keys()];
  const keys = ids.map((id) => `executor:token:${id}`);
  const script =
    "local r = {} for i, k in ipairs(KEYS) do local v = redis.call('GET', k) r[i] = v and redis.sha1hex(v) or '-' end return r";
  const lines = (await redisCli(ctx, ['EVAL', script, String(keys.length), ...keys])).trim().split('\n');
  return new Map(
    ids.map((id, i) => {
      const found = lines[i]?.trim() ?? '-';
      const wanted = createHash('sha1')
        .update(tokens.get(id)?.reveal() ?? '')
        .digest('hex');
      return [id, found === '-' ? 'absent' : found === wanted ? 'registered' : 'other'];
    }),
  );
}
