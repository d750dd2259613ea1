/** Plan step 2.3: the namespace and every Secret that the release reads. */
import { absent, differs, done, unknownBefore, type ChangeStep } from '../lib/step.ts';
import { gkeSecrets } from '../lib/deployment/kubently/secrets.ts';
import { removeObjects } from '../lib/deployment/ownership/remove-objects.ts';
import { newNamespace } from '../lib/deployment/cluster/infrastructure.ts';
import { placeAt } from '../lib/deployment/ownership/ownership.ts';
import { tokenNames } from '../lib/settings/tokens-file.ts';
import type { Context } from '../lib/context.ts';
import type { KubeObject } from '../lib/base/kubernetes.ts';
import type { Secret } from '../lib/base/secret.ts';
import { secretPurposeOf } from '../lib/chart/release-spec.ts';
import { LLM_SECRET } from '../lib/chart/secret-names.ts';
import { OURS } from '../lib/clients/kubectl.ts';
import { runAlone } from './entry.ts';

export const step: ChangeStep = {
  id: '2.3',
  kind: 'change',
  title: 'Secrets of the release',
  needs: ['2.1'],

  async check(ctx) {
    const wanted = secretsOf(ctx);
    if (!wanted) return unknownBefore('2.1', 'the tokens are known after 2.1');
    const kube = ctx.kube(ctx.settings.gke);
    const [live, unwanted] = await Promise.all([
      Promise.all(wanted.map((s) => kube.get('Secret', s.metadata.name))),
      unwantedLlmKeys(ctx),
    ]);
    const missing = wanted.filter((_, i) => !live[i]);
    if (missing.length > 0) return absent(`missing: ${missing.map((s) => s.metadata.name).join(', ')}`);
    const other = wanted.filter((s, i) => otherKeys(s, live[i]).length > 0);
    if (other.length > 0)
      return differs(
        `differs from the configuration: ${other.map((s) => s.metadata.name).join(', ')}`,
        wanted.flatMap((s, i) => otherKeys(s, live[i])),
      );
    if (unwanted.length > 0)
      return differs(
        `${LLM_SECRET} holds ${unwanted.join(', ')}, no longer set`,
        unwanted.map((key) => `Secret/${LLM_SECRET} data.${key}: (secret) → nothing`),
      );
    return done(`${wanted.map((s) => s.metadata.name).join(', ')} match the configuration`);
  },

  async apply(ctx) {
    const kube = ctx.kube(ctx.settings.gke);
    // Made anew with what is set now: a merge would keep what went.
    if ((await unwantedLlmKeys(ctx)).length > 0) await kube.delete('Secret', LLM_SECRET);
    await kube.apply([...(await newNamespace(kube)), ...(secretsOf(ctx) ?? [])]);
  },

  async verify(ctx) {
    const found = await step.check(ctx);
    if (found.state !== 'done') throw new Error(found.reason);
    return found.reason;
  },

  owns: ({ settings }) => ({ objects: [{ target: settings.gke }] }),

  async undo(ctx, removal) {
    await removeObjects(ctx, placeAt(removal, ctx.settings.gke), removal.retained);
  },
};

function secretsOf(ctx: Context): KubeObject[] | undefined {
  const tokens = ctx.tokens();
  return tokenNames(ctx.settings).every((name) => tokens[name]) ? gkeSecrets(ctx.settings, tokens) : undefined;
}

/** Provider keys in the runbook's own LLM Secret that the settings hold no more; what others added is theirs. */
async function unwantedLlmKeys({ kube, settings }: Context): Promise<string[]> {
  const live = await kube(settings.gke).get('Secret', LLM_SECRET);
  if (!live || Object.entries(OURS).some(([name, value]) => live.metadata.labels?.[name] !== value)) return [];
  const held = Object.keys(live['data'] ?? {});
  return held.filter((key) => secretPurposeOf(key) === 'llm-key' && !(key in settings.llm.keys));
}

/** The keys that have another value than meant, a line each; keys that others added are theirs. */
function otherKeys(wanted: KubeObject, live: KubeObject | undefined): string[] {
  const found = (live?.['data'] ?? {}) as Record<string, string>;
  return Object.entries(wanted['data'] as Record<string, Secret>).flatMap(([key, value]) =>
    found[key] === value.reveal() ? [] : [`Secret/${wanted.metadata.name} data.${key}: (secret, differs)`],
  );
}

void runAlone(import.meta);
