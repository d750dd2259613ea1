/** Plan section "Network Policies": nothing comes in but what is needed; only the API reaches Redis, with selectors that match. */
import { checkOf, unknownBefore, type ChangeStep } from '../lib/step.ts';
import { drift } from '../lib/clients/drift.ts';
import { Failure } from '../lib/base/failure.ts';
import { apiCallers, policyExtra } from '../lib/deployment/cluster/network-policies.ts';
import type { KubeObject } from '../lib/base/kubernetes.ts';
import { yaml } from '../lib/base/yaml-tag.ts';
import type { Fitted } from '../lib/chart/fit.ts';
import { OURS } from '../lib/clients/kubectl.ts';
import type { Context } from '../lib/context.ts';
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
    return checkOf(
      await drift(ctx.kube(ctx.settings.gke), policies),
      `NetworkPolicies ${names} match the configuration`,
    );
  },

  async apply(ctx) {
    await ctx.kube(ctx.settings.gke).apply(await policyObjects(ctx, await fitted(ctx, await gkeRelease(ctx))));
  },

  async verify(ctx) {
    const extra = policyExtra(await fitted(ctx, await gkeRelease(ctx)));
    const kube = ctx.kube(ctx.settings.gke);
    const selected = await Promise.all(
      [extra.redis, extra.api].map(async (labels) => {
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

  owns: ({ settings }) => ({ objects: [{ target: settings.gke, probes: true }] }),

  async undo(ctx) {
    const kube = ctx.kube(ctx.settings.gke);
    for (const name of policyNames(ctx.settings.release)) await kube.delete(KIND, name);
  },
};

/** Names of the policies: Redis's, the API's, and the namespace's default. */
export function policyNames(release: string): [redis: string, api: string, rest: string] {
  return [`${release}-redis`, `${release}-api`, `${release}-default-deny`];
}

/**
 * All policies. What API and executor call (LLM, Google, the API's public name, which some networks translate to the
 * ingress controller's pods) is not restricted: its addresses are not known. kubelet's probes always pass.
 */
async function policyObjects(ctx: Context, fit: Fitted): Promise<KubeObject[]> {
  const { namespace } = ctx.settings.gke;
  const extra = policyExtra(fit);
  const callers = await apiCallers(ctx, extra);
  const [redis, api, rest] = policyNames(ctx.settings.release);
  return [
    yaml`
      apiVersion: networking.k8s.io/v1
      kind: NetworkPolicy
      metadata: { name: ${redis}, namespace: ${namespace}, labels: ${OURS} }
      spec:
        podSelector: { matchLabels: ${extra.redis} }
        policyTypes: [Ingress, Egress]
        ingress:
          - from: [{ podSelector: { matchLabels: ${extra.api} } }]
            ports: [{ protocol: TCP, port: ${extra.port} }]`,
    yaml`
      apiVersion: networking.k8s.io/v1
      kind: NetworkPolicy
      metadata: { name: ${api}, namespace: ${namespace}, labels: ${OURS} }
      spec:
        podSelector: { matchLabels: ${extra.api} }
        policyTypes: [Ingress]
        ingress:
          - ${{ ...(callers ? { from: callers } : {}), ports: [{ protocol: 'TCP', port: extra.apiPort }] }}`,
    yaml`
      apiVersion: networking.k8s.io/v1
      kind: NetworkPolicy
      metadata: { name: ${rest}, namespace: ${namespace}, labels: ${OURS} }
      spec:
        podSelector: {}
        policyTypes: [Ingress]`,
  ];
}

void runAlone(import.meta);
