/** Plan section "Network Policies": only the API reaches Redis, with selectors that match. */
import { checkOf, unknownBefore, type ChangeStep } from '../lib/step.ts';
import type { Context } from '../lib/context.ts';
import { drift } from '../lib/drift.ts';
import { Failure } from '../lib/failure.ts';
import { OURS, type KubeObject } from '../lib/kubectl.ts';
import { fitted, gkeRelease, knownFit, type Fitted } from '../lib/release.ts';

const KIND = 'NetworkPolicy.networking.k8s.io';

export const step: ChangeStep = {
  id: '2.8',
  kind: 'change',
  title: 'NetworkPolicy: only the API reaches Redis',
  needs: ['2.3', '2.4'],
  needsToVerify: ['2.5'],

  async check(ctx) {
    const fit = await knownFit(ctx, await gkeRelease(ctx));
    if (!fit) return unknownBefore('2.4', 'the selectors are known after 2.4');
    const policy = policyOf(ctx, fit);
    return checkOf(
      await drift(ctx.kube(ctx.settings.gke), [policy]),
      `NetworkPolicy ${policy.metadata.name} is as meant`,
    );
  },

  async apply(ctx) {
    await ctx.kube(ctx.settings.gke).apply([await policyObject(ctx)]);
  },

  async verify(ctx) {
    const kube = ctx.kube(ctx.settings.gke);
    const { metadata, spec } = await policyObject(ctx);
    const { podSelector } = spec as { podSelector: { matchLabels: Record<string, string> } };
    const pods = await kube.list(
      'Pod',
      Object.entries(podSelector.matchLabels)
        .map(([k, v]) => `${k}=${v}`)
        .join(','),
    );
    if (pods.length === 0)
      throw new Failure({ what: `NetworkPolicy ${metadata.name} selects no pod`, next: 'make lint-chart' });
    return `NetworkPolicy ${metadata.name} selects ${pods.map((p) => p.metadata.name).join(', ')}; make verify probes it`;
  },

  async undo(ctx) {
    const kube = ctx.kube(ctx.settings.gke);
    const ours = Object.entries(OURS).map(([k, v]) => `${k}=${v}`);
    for (const { metadata } of await kube.list(KIND, ours.join())) await kube.delete(KIND, metadata.name);
  },
};

/** The policy with the selectors that the render shows. */
async function policyObject(ctx: Context): Promise<KubeObject> {
  return policyOf(ctx, await fitted(ctx, await gkeRelease(ctx)));
}

function policyOf(ctx: Context, fit: Fitted): KubeObject {
  const around = fit.around.find((a) => a.kind === 'network-policy');
  if (!around)
    throw new Failure({
      what: 'the chart renders no Redis of its own, so there is nothing to protect',
      next: 'make lint-chart',
    });
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: around.name, namespace: ctx.settings.gke.namespace, labels: OURS },
    spec: {
      podSelector: { matchLabels: around.redis },
      policyTypes: ['Ingress'],
      ingress: [
        { from: [{ podSelector: { matchLabels: around.api } }], ports: [{ protocol: 'TCP', port: around.port }] },
      ],
    },
  };
}

if (import.meta.main) void import('../lib/program.ts').then(({ main }) => main([step.id, ...process.argv.slice(2)]));
