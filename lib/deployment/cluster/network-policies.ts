/** What the NetworkPolicies of the GKE side (2.8) are made of: selectors, ports, callers. */
import type { ReleaseExtra } from '../../chart/release-extras.ts';
import type { Context } from '../../context.ts';
import { Failure } from '../../base/failure.ts';
import { INGRESS_NAMESPACE } from './infrastructure.ts';
import type { YamlValue } from '../../base/yaml-tag.ts';
import type { Fitted } from '../../chart/fit.ts';

/** The selectors and ports that the render shows. */
export type NetworkPolicyExtra = Extract<ReleaseExtra, { kind: 'network-policy' }>;

/** @throws Failure where the chart renders no Redis of its own */
export function policyExtra({ extras }: Fitted): NetworkPolicyExtra {
  const extra = extras.find((a) => a.kind === 'network-policy');
  if (extra) return extra;
  throw new Failure({
    what: 'the chart renders no Redis of its own, so there is nothing to protect',
    next: 'make lint-chart',
  });
}

/**
 * Who may call the API: the executor beside it, GKE's API server, and the ingress controller; undefined where the
 * controller's pods cannot be told, and any caller may.
 */
export async function apiCallers(ctx: Context, { executor }: NetworkPolicyExtra): Promise<YamlValue[] | undefined> {
  const controller = await controllerPeer(ctx);
  return controller === undefined ? undefined : [...(executor ? [pods(executor)] : []), KONNECTIVITY, controller];
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
async function controllerPeer(ctx: Context): Promise<YamlValue | undefined> {
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

function namespaced(name: string): YamlValue {
  return { matchLabels: { 'kubernetes.io/metadata.name': name } };
}

function pods(matchLabels: Record<string, string>): YamlValue {
  return { podSelector: { matchLabels } };
}
