/** Plan step 2.3: the namespace and every Secret that the release reads. */
import { absent, differs, done, unknownBefore, type ChangeStep } from '../lib/step.ts';
import { gkeSecrets } from '../lib/deployment/kubently/secrets.ts';
import { removeObjects } from '../lib/deployment/ownership/remove-objects.ts';
import { newNamespace } from '../lib/deployment/cluster/infrastructure.ts';
import { placeOf } from '../lib/deployment/ownership/ownership.ts';
import { readTokens, tokenNames } from '../lib/deployment/kubently/tokens.ts';
import type { Context } from '../lib/context.ts';
import type { KubeObject } from '../lib/base/kubernetes.ts';
import { runAlone } from './entry.ts';

export const step: ChangeStep = {
  id: '2.3',
  kind: 'change',
  title: 'Secrets of the release',
  needs: ['2.1'],

  async check(ctx) {
    const wanted = secretsOf(ctx);
    if (!wanted) return unknownBefore('2.1', 'the tokens are known after 2.1');
    const live = await Promise.all(wanted.map((s) => ctx.kube(ctx.settings.gke).get('Secret', s.metadata.name)));
    const missing = wanted.filter((_, i) => !live[i]);
    if (missing.length > 0) return absent(`missing: ${missing.map((s) => s.metadata.name).join(', ')}`);
    const other = wanted.filter((s, i) => otherKeys(s, live[i]).length > 0);
    if (other.length > 0)
      return differs(
        `differs from the configuration: ${other.map((s) => s.metadata.name).join(', ')}`,
        wanted.flatMap((s, i) => otherKeys(s, live[i])),
      );
    return done(`${wanted.map((s) => s.metadata.name).join(', ')} match the configuration`);
  },

  async apply(ctx) {
    const kube = ctx.kube(ctx.settings.gke);
    await kube.apply([...(await newNamespace(kube)), ...(secretsOf(ctx) ?? [])]);
  },

  async verify(ctx) {
    const found = await step.check(ctx);
    if (found.state !== 'done') throw new Error(found.reason);
    return found.reason;
  },

  async undo(ctx, retained) {
    await removeObjects(ctx, placeOf(ctx.settings, 'release'), retained);
  },
};

function secretsOf({ settings }: Context): KubeObject[] | undefined {
  const tokens = readTokens(settings.tokensFile);
  return tokenNames(settings).every((name) => tokens[name]) ? gkeSecrets(settings, tokens) : undefined;
}

/** The keys that have another value than meant, a line each; keys that others added are theirs. */
function otherKeys(wanted: KubeObject, live: KubeObject | undefined): string[] {
  const found = (live?.['data'] ?? {}) as Record<string, string>;
  return Object.entries(wanted['data'] as Record<string, string>).flatMap(([key, value]) =>
    found[key] === value ? [] : [`Secret/${wanted.metadata.name} data.${key}: (secret, differs)`],
  );
}

void runAlone(import.meta);
