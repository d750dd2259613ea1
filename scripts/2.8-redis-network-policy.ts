/** Plan section "Network Policies": nothing comes in but what is needed; only the API reaches Redis, with selectors that match. */
import { checkOf, unknownBefore, type ChangeStep } from '../lib/step.ts';
import { drift } from '../lib/clients/drift.ts';
import { Failure } from '../lib/base/failure.ts';
import { policyFacts, policyNames, policyObjects } from '../lib/deployment/cluster/network-policies.ts';
import { fitted, knownFit } from '../lib/deployment/release/fitted.ts';
import { gkeRelease } from '../lib/deployment/release/release.ts';
import { runAlone } from './entry.ts';

const KIND = 'NetworkPolicy.networking.k8s.io';

export const step: ChangeStep = {
  id: '2.8',
  kind: 'change',
  title: 'NetworkPolicies: only the API reaches Redis',
  needs: ['1.3', '2.3', '2.4'],
  needsToVerify: ['2.5'],

  async check(ctx) {
    const fit = await knownFit(ctx, await gkeRelease(ctx));
    if (!fit) return unknownBefore('2.4', 'the selectors are known after 2.4');
    const policies = await policyObjects(ctx, fit);
    const names = policies.map((p) => p.metadata.name).join(', ');
    return checkOf(await drift(ctx.kube(ctx.settings.gke), policies), `NetworkPolicies ${names} are as meant`);
  },

  async apply(ctx) {
    await ctx.kube(ctx.settings.gke).apply(await policyObjects(ctx, await fitted(ctx, await gkeRelease(ctx))));
  },

  async verify(ctx) {
    const facts = policyFacts(await fitted(ctx, await gkeRelease(ctx)));
    const kube = ctx.kube(ctx.settings.gke);
    const selected = await Promise.all(
      [facts.redis, facts.api].map(async (labels) => {
        const selector = Object.entries(labels).map(([k, v]) => `${k}=${v}`);
        return (await kube.list('Pod', selector.join(','))).map((p) => p.metadata.name);
      }),
    );
    const names = policyNames(ctx.settings.release);
    const empty = selected.findIndex((pods) => pods.length === 0);
    if (empty >= 0)
      throw new Failure({ what: `NetworkPolicy ${names[empty] ?? ''} selects no pod`, next: 'make lint-chart' });
    return `${names.join(', ')}: they select ${selected.flat().join(', ')}; make verify probes them`;
  },

  async undo(ctx) {
    const kube = ctx.kube(ctx.settings.gke);
    for (const name of policyNames(ctx.settings.release)) await kube.delete(KIND, name);
  },
};

void runAlone(import.meta);
