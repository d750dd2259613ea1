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

/** Name of the Redis pod, or undefined where none runs. */
export async function runningRedis({ kube, settings }: Context): Promise<string | undefined> {
  const pods = await kube(settings.gke).list('Pod', selector(settings.release, 'redis'));
  return pods.find((p) => (p['status'] as { phase?: string } | undefined)?.phase === 'Running')?.metadata.name;
}

/** Name of the Redis pod. @throws Failure when none runs */
export async function redisPod(ctx: Context): Promise<string> {
  const pod = await runningRedis(ctx);
  if (pod === undefined) throw new Failure({ what: 'no Redis pod runs', next: './runbook 2.5' });
  return pod;
}

/** redis-cli in the pod (looked up where it is not given), signed in. @returns its stdout */
export async function redisCli(ctx: Context, argv: readonly string[], pod?: string): Promise<string> {
  const password = tokenOf(readTokens(ctx.settings.tokensFile), 'REDIS_PASSWORD');
  const script = 'read -r REDISCLI_AUTH; export REDISCLI_AUTH; exec redis-cli --no-auth-warning "$@"';
  return ctx
    .kube(ctx.settings.gke)
    .exec(pod ?? (await redisPod(ctx)), undefined, ['sh', '-c', script, 'sh', ...argv], password);
}

/** Which of the clusters have exactly this token registered (plan step 4.0), compared by hash. */
export async function registered(
  ctx: Context,
  tokens: ReadonlyMap<string, Secret>,
  pod?: string,
): Promise<Map<string, 'registered' | 'other' | 'absent'>> {
  const ids = [...tokens.keys()];
  const keys = ids.map((id) => `executor:token:${id}`);
  const script =
    "local r = {} for i, k in ipairs(KEYS) do local v = redis.call('GET', k) r[i] = v and redis.sha1hex(v) or '-' end return r";
  const lines = (await redisCli(ctx, ['EVAL', script, String(keys.length), ...keys], pod)).trim().split('\n');
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
