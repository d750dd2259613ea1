/** Plan step 2.1: every token is generated once, kept in TOKENS_FILE, and restored from the cluster while a copy lives. */
import { absent, conflict, differs, done, unknownBefore, type ChangeStep } from '../lib/runner/step.ts';
import { API_KEYS_SECRET, executorTokenSecret, REDIS_SECRET } from '../lib/kubently/deployment.ts';
import { secretValue } from '../lib/kubernetes/kubectl.ts';
import { Secret } from '../lib/secret.ts';
import {
  generateToken,
  nextOf,
  previousOf,
  readIngressIp,
  readTokens,
  tokenName,
  tokenNames,
  writeTokens,
} from '../lib/kubently/tokens.ts';
import type { Context } from '../lib/context.ts';

export const step: ChangeStep = {
  id: '2.1',
  kind: 'change',
  title: 'Tokens generated, kept in TOKENS_FILE',
  needs: ['1.0'],

  async check(ctx) {
    const { settings } = ctx;
    const [live, address] = await Promise.all([tokensInClusters(ctx), ctx.google.address(settings.staticIpName)]);
    const kept = readTokens(settings.tokensFile);
    const names = tokenNames(settings);
    const other = names.filter((n) => kept[n] && live[n] && !isKept(live[n], n, kept));
    if (other.length > 0)
      return conflict(
        `${other.join(', ')} in ${settings.tokensFile} is not what the clusters have`,
        `move the file away to take the clusters' own, or delete the Secrets to set them anew from the file (./runbook 2.3)`,
      );
    const missing = names.filter((n) => !kept[n]);
    const restorable = missing.filter((n) => live[n]);
    if (restorable.length > 0)
      return differs(`${settings.tokensFile} lacks ${restorable.join(', ')}, which the clusters still have`);
    if (missing.length > 0) return absent(`${settings.tokensFile} lacks ${missing.join(', ')}`);
    if (!address) return unknownBefore('1.0', 'INGRESS_IP of the file is known after 1.0');
    if (readIngressIp(settings.tokensFile) !== address.address)
      return differs('INGRESS_IP in the file is not the reserved address');
    return done(`${settings.tokensFile} holds all ${names.length} tokens`);
  },

  async apply(ctx) {
    const { settings } = ctx;
    const [live, address] = await Promise.all([tokensInClusters(ctx), ctx.google.address(settings.staticIpName)]);
    const kept = readTokens(settings.tokensFile);
    const all = Object.fromEntries(tokenNames(settings).map((n) => [n, kept[n] ?? live[n] ?? generateToken()]));
    // Tokens of clusters that are no longer listed stay: they may still be deployed.
    await writeTokens(settings.tokensFile, { ...kept, ...all }, address?.address ?? '');
  },

  verify({ settings }) {
    const kept = readTokens(settings.tokensFile);
    const missing = tokenNames(settings).filter((n) => !kept[n]);
    return missing.length === 0
      ? Promise.resolve(`${settings.tokensFile} holds ${Object.keys(kept).length} tokens, readable by its owner only`)
      : Promise.reject(new Error(`the file lacks ${missing.join(', ')}`));
  },

  keeps: "TOKENS_FILE is the operator's",
  undo: () => Promise.resolve(),
};

/** In the middle of a rotation the clusters may have the coming token, or still the former one (make rotate). */
function isKept(live: Secret, name: string, kept: Readonly<Record<string, Secret>>): boolean {
  return [name, nextOf(name), previousOf(name)].some((n) => kept[n]?.equals(live));
}

/** The tokens that Secrets of the deployment hold now, by their names in the file. */
async function tokensInClusters(ctx: Context): Promise<Record<string, Secret>> {
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

if (import.meta.main)
  void import('../lib/runner/program.ts').then(({ main }) => main([step.id, ...process.argv.slice(2)]));
