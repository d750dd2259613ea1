/** Redis of the release, asked inside its pod; the password goes by stdin, and no token comes back. */
import { STEP } from '../../base/plan-steps.ts';
import { createHash } from 'node:crypto';
import type { Context } from '../../context.ts';
import { tokenOf } from './secrets.ts';
import { Failure } from '../../base/failure.ts';
import { Secret } from '../../base/secret.ts';

/** Labels of Kubently's pods (docs/kubently-contract.md 1.1). */
export function selector(release: string, component: 'api' | 'executor' | 'redis'): string {
  return `app.kubernetes.io/instance=${release},app.kubernetes.io/component=${component}`;
}

/** Name of the Redis pod, or undefined where none runs. */
export async function runningRedis({ kube, settings }: Context): Promise<string | undefined> {
  const pods = await kube(settings.gke).list('Pod', selector(settings.release, 'redis'));
  return pods.find(
    (p) =>
      p.metadata.deletionTimestamp === undefined &&
      (p['status'] as { phase?: string } | undefined)?.phase === 'Running',
  )?.metadata.name;
}

/** Name of the Redis pod. @throws Failure when none runs */
export async function redisPod(ctx: Context): Promise<string> {
  const pod = await runningRedis(ctx);
  if (pod === undefined) throw new Failure({ what: 'no Redis pod runs', next: `./runbook ${STEP.release}` });
  return pod;
}

interface Asked {
  /** The deployment's own where none is given. */
  password?: Secret;
  /** Looked up where it is not given. */
  pod?: string;
}

const SIGN_IN = 'read -r REDISCLI_AUTH; export REDISCLI_AUTH; ';

/** redis-cli in the pod, signed in. @returns its stdout */
export async function redisCli(ctx: Context, argv: readonly string[], asked: Asked = {}): Promise<string> {
  return redisShell(ctx, 'exec redis-cli --no-auth-warning "$@"', argv, asked);
}

/**
 * A shell line in the Redis pod in which redis-cli is signed in.
 * @param input goes to the line's stdin, after the password
 * @param mutates true when it changes what Redis holds
 */
export async function redisShell(
  ctx: Context,
  line: string,
  argv: readonly string[],
  {
    password = tokenOf(ctx.tokens(), 'REDIS_PASSWORD'),
    pod,
    input,
    mutates = false,
    timeoutMs = 30_000,
  }: Asked & { input?: Secret; mutates?: boolean; timeoutMs?: number },
): Promise<string> {
  const told = input ? new Secret(`${password.reveal()}\n${input.reveal()}`) : password;
  const argvAll = ['sh', '-c', SIGN_IN + line, 'sh', ...argv];
  const name = pod ?? (await redisPod(ctx));
  return ctx.kube(ctx.settings.gke).exec(name, undefined, argvAll, told, timeoutMs, mutates);
}

/** True when Redis takes the password. */
export async function redisTakes(ctx: Context, password: Secret): Promise<boolean> {
  return (await redisCli(ctx, ['PING'], { password })).trim() === 'PONG';
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
  const lines = (await redisCli(ctx, ['EVAL', script, String(keys.length), ...keys], pod ? { pod } : {}))
    .trim()
    .split('\n');
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
