/** What can be rotated, and all of it in one go (make rotate). */
import type { Context } from '../../context.ts';
import { BadInput } from '../../base/failure.ts';
import { fitted } from '../../deployment/release/fitted.ts';
import { gkeRelease, remoteRelease } from '../../deployment/release/release.ts';
import type { Settings } from '../../settings/settings.ts';
import { tokenName } from '../../settings/tokens-file.ts';
import { rotateApiKey } from './api-key.ts';
import { DNS_KEY, isDnsKeyUnfinished, rotateDnsKey } from './dns-key.ts';
import { rotateExecutor } from './executor.ts';
import { begin, isUnfinished } from './marks.ts';
import { rotateRedis } from './redis.ts';
import type { TargetedRelease } from '../../deployment/release/targeted-release.ts';

export type Subject = 'api-key' | 'redis' | 'dns-key' | `executor:${string}`;

/** The subjects that WHAT names, in the order in which they are rotated. @throws BadInput */
export function subjectsOf(what: string | undefined, settings: Settings): Subject[] {
  const executors = [settings.gkeClusterId, ...settings.remotes.map((r) => r.id)].map(
    (id): Subject => `executor:${id}`,
  );
  const all: Subject[] = [
    ...(settings.dns01Auth === 'key' ? ['dns-key' as const] : []),
    'redis',
    ...executors,
    'api-key',
  ];
  if (what === 'all') return all;
  const one = all.find((s) => s === what);
  if (one) return [one];
  const message = what === undefined ? 'is not given' : `cannot rotate "${what}"`;
  throw new BadInput([{ about: 'WHAT', message, remedy: `choose one of ${all.join(', ')}, all` }]);
}

/**
 * Those that are to be done now, each with its new token on disk: what an earlier run began and did not end, or,
 * where there is nothing of that kind, all of them anew. @throws Failure before the first change where a release's
 * values are not known
 */
export async function beginAll(ctx: Context, subjects: readonly Subject[]): Promise<Subject[]> {
  for (const targeted of await releasesOf(ctx, subjects)) await fitted(ctx, targeted);
  const unfinished = await Promise.all(
    subjects.map(async (s) => isUnfinished(ctx, nameOf(s)) || (s === 'dns-key' && (await isDnsKeyUnfinished(ctx)))),
  );
  const open = subjects.filter((_, i) => unfinished[i]);
  if (open.length > 0) return open;
  await begin(ctx, subjects.map(nameOf));
  return [...subjects];
}

/** Rotates one, or finishes it. @returns the evidence in words @throws Failure */
export function rotate(ctx: Context, subject: Subject): Promise<string> {
  switch (subject) {
    case 'api-key':
      return rotateApiKey(ctx);
    case 'redis':
      return rotateRedis(ctx);
    case 'dns-key':
      return rotateDnsKey(ctx);
    default:
      return rotateExecutor(ctx, clusterOf(subject));
  }
}

/** The releases whose pods restart. */
async function releasesOf(ctx: Context, subjects: readonly Subject[]): Promise<TargetedRelease[]> {
  if (subjects.every((s) => s === 'dns-key')) return [];
  const remotes = ctx.settings.remotes.filter((r) => subjects.includes(`executor:${r.id}`));
  return Promise.all([gkeRelease(ctx), ...remotes.map((r) => remoteRelease(ctx, r))]);
}

/** The subject's name in TOKENS_FILE. */
function nameOf(subject: Subject): string {
  switch (subject) {
    case 'api-key':
      return 'API_KEY';
    case 'redis':
      return 'REDIS_PASSWORD';
    case 'dns-key':
      return DNS_KEY;
    default:
      return tokenName(clusterOf(subject));
  }
}

function clusterOf(subject: `executor:${string}`): string {
  return subject.slice('executor:'.length);
}
