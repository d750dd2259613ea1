/** The NetworkPolicies of the GKE side: nothing comes in but what is needed, and Redis calls nobody. */
import type { ReleaseExtra } from '../../chart/release-extras.ts';
import type { Context } from '../../context.ts';
import { Failure } from '../../base/failure.ts';
import { INGRESS_NAMESPACE } from './infrastructure.ts';
import { OURS } from '../../clients/kubectl.ts';
import type { KubeObject } from '../../base/kubernetes.ts';
import type { Fitted } from '../../chart/fit.ts';

/** The selectors and ports that the render shows. */
export type PolicyFacts = Extract<ReleaseExtra, { kind: 'network-policy' }>;

/** @throws Failure where the chart renders no Redis of its own */
export function policyFacts({ extras }: Fitted): PolicyFacts {
  const facts = extras.find((a) => a.kind === 'network-policy');
  if (facts) return facts;
  throw new Failure({
    what: 'the chart renders no Redis of its own, so there is nothing to protect',
    next: 'make lint-chart',
  });
}

/** Names of the policies: Redis's, the API's, and the namespace's default. */
export function policyNames(release: string): [redis: string, api: string, rest: string] {
  return [`${release}-redis`, `${release}-api`, `${release}-default-deny`];
}

/**
 * All policies. What API and executor call (LLM, Google, the API's public name, which some networks translate to the
 * ingress controller's pods) is not restricted: its addresses are not known. kubelet's probes always pass.
 */
export async function policyObjects(ctx: Context, fit: Fitted): Promise<KubeObject[]> {
  const { settings } = ctx;
  const facts = policyFacts(fit);
  const [redis, api, rest] = policyNames(settings.release);
  const tcp = (port: number) => [{ protocol: 'TCP', port }];
  const pods = (matchLabels: Record<string, string>) => ({ podSelector: { matchLabels } });
  const policy = (name: string, spec: object): KubeObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: settings.gke.namespace, labels: OURS },
    spec,
  });
  const controller = await controllerPeer(ctx);
  const callers = controller
    ? { from: [...(facts.executor ? [pods(facts.executor)] : []), KONNECTIVITY, controller] }
    : {};
  return [
    policy(redis, {
      ...pods(facts.redis),
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [pods(facts.api)], ports: tcp(facts.port) }],
    }),
    policy(api, { ...pods(facts.api), policyTypes: ['Ingress'], ingress: [{ ...callers, ports: tcp(facts.apiPort) }] }),
    policy(rest, { podSelector: {}, policyTypes: ['Ingress'] }),
  ];
}

/** GKE's API server reaches pods (a Service's proxy, step 2.5) through these. */
const KONNECTIVITY = {
  namespaceSelector: namespaced('kube-system'),
  podSelector: { matchLabels: { 'k8s-app': 'konnectivity-agent' } },
};

/**
 * Who brings requests from outside: the pods behind the load balancer's Service. Undefined where they cannot be told
 * (no selector, or pods of the host network, whose packets carry a node's address): then any caller may.
 */
async function controllerPeer(ctx: Context): Promise<object | undefined> {
  const { settings } = ctx;
  if (settings.ingressController === 'traefik')
    return {
      namespaceSelector: namespaced(INGRESS_NAMESPACE),
      podSelector: { matchLabels: { 'app.kubernetes.io/name': 'traefik' } },
    };
  const address = (await ctx.google.address(settings.staticIpName))?.address;
  const service = (await ctx.inGke(INGRESS_NAMESPACE).listAll('Service')).find(
    (s) => address !== undefined && JSON.stringify(s['status'] ?? {}).includes(`"${address}"`),
  );
  const labels = (service?.['spec'] as { selector?: Record<string, string> } | undefined)?.selector;
  const namespace = service?.metadata.namespace;
  if (!namespace || !labels || Object.keys(labels).length === 0) return undefined;
  const selector = Object.entries(labels).map(([k, v]) => `${k}=${v}`);
  const pods = await ctx.inGke(namespace).list('Pod', selector.join(','));
  const onHost = pods.some((p) => (p['spec'] as { hostNetwork?: boolean }).hostNetwork === true);
  if (pods.length === 0 || onHost) return undefined;
  return { namespaceSelector: namespaced(namespace), podSelector: { matchLabels: labels } };
}

function namespaced(name: string): object {
  return { matchLabels: { 'kubernetes.io/metadata.name': name } };
}
