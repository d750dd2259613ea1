/** The tokens that the clusters hold, beside those of TOKENS_FILE (plan step 2.1). */
import type { Context } from '../../context.ts';
import { secretValue } from '../../clients/kubectl.ts';
import { Secret } from '../../base/secret.ts';
import { nextOf, previousOf, tokenName } from '../../settings/tokens-file.ts';
import { API_KEYS_SECRET, executorTokenSecret, REDIS_SECRET } from '../../chart/secret-names.ts';

/** In the middle of a rotation the clusters may have the coming token, or still the former one (make rotate). */
export function isKept(live: Secret, name: string, kept: Readonly<Record<string, Secret>>): boolean {
  return [name, nextOf(name), previousOf(name)].some((n) => kept[n]?.equals(live));
}

/** The tokens that Secrets of the deployment hold now, by their names in the file. */
export async function tokensInClusters(ctx: Context): Promise<Record<string, Secret>> {
  const { settings } = ctx;
  const gke = ctx.kube(settings.gke);
  const [keys, redis, executor, ...remotes] = await Promise.all([
    gke.get('Secret', API_KEYS_SECRET),
    gke.get('Secret', REDIS_SECRET),
    gke.get('Secret', executorTokenSecret(settings.release)),
    ...settings.remotes.map((r) => ctx.kube(r).get('Secret', executorTokenSecret(r.release))),
  ]);
  const apiKey = secretValue(keys, 'keys')?.reveal().split(',')[0]?.split(':').at(-1);
  const found: [string, Secret | undefined][] = [
    ['API_KEY', apiKey ? new Secret(apiKey) : undefined],
    ['REDIS_PASSWORD', secretValue(redis, 'password')],
    [tokenName(settings.gkeClusterId), secretValue(executor, 'token')],
    ...settings.remotes.map((r, i): [string, Secret | undefined] => [
      tokenName(r.id),
      secretValue(remotes[i], 'token'),
    ]),
  ];
  return Object.fromEntries(found.flatMap(([name, secret]) => (secret ? [[name, secret]] : [])));
}
