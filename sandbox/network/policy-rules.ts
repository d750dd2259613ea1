/**
 * NetworkPolicies as an nftables ruleset of the node (networking.k8s.io/v1 semantics, IPv4, one node).
 * Traffic of the node itself does not pass the forward hook, so kubelet's probes are always allowed.
 */
import type {
  V1LabelSelector,
  V1Namespace,
  V1NetworkPolicy,
  V1NetworkPolicyIngressRule,
  V1NetworkPolicyPeer,
  V1NetworkPolicyPort,
  V1Pod,
} from '@kubernetes/client-node';

export const TABLE = 'kubently_policy';

/** Everything the rules follow from. */
export interface PolicyWorld {
  pods: readonly V1Pod[];
  namespaces: readonly V1Namespace[];
  policies: readonly V1NetworkPolicy[];
}

/** A pod with an address of its own: not of the host network, not ended. */
interface Endpoint {
  address: string;
  namespace: string;
  labels: Record<string, string>;
  /** Container ports by "PROTOCOL/name". */
  ports: Map<string, number>;
}

/** Whether labels satisfy a selector; an empty selector selects everything. */
export function selects(selector: V1LabelSelector | undefined, labels: Record<string, string>): boolean {
  const equal = Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return (
    equal &&
    (selector?.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = labels[key];
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
        default:
          return false;
      }
    })
  );
}

function endpoints(pods: readonly V1Pod[]): Endpoint[] {
  return pods.flatMap((pod) => {
    const address = pod.status?.podIP;
    const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    if (address === undefined || ended || pod.spec?.hostNetwork === true) return [];
    const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
    const named = ports.map((p) => [`${p.protocol ?? 'TCP'}/${p.name ?? ''}`, p.containerPort] as const);
    return [
      { address, namespace: pod.metadata?.namespace ?? '', labels: pod.metadata?.labels ?? {}, ports: new Map(named) },
    ];
  });
}

const set = (items: readonly string[]): string => `{ ${[...new Set(items)].sort().join(', ')} }`;

/** nft matches for one policy port at one target; undefined when a named port means nothing there. */
function portMatch(port: V1NetworkPolicyPort, target: Endpoint | undefined): string | undefined {
  const protocol = port.protocol ?? 'TCP';
  const name = protocol.toLowerCase();
  if (port.port === undefined) return `meta l4proto ${name}`;
  if (typeof port.port === 'number') {
    return `${name} dport ${port.endPort === undefined ? port.port : `${port.port}-${port.endPort}`}`;
  }
  const number = target?.ports.get(`${protocol}/${port.port}`);
  return number === undefined ? undefined : `${name} dport ${number}`;
}

/** The endpoints that a peer means, or undefined for an ipBlock. */
function peerPods(peer: V1NetworkPolicyPeer, own: string, world: PolicyWorld, all: Endpoint[]): Endpoint[] | undefined {
  if (peer.ipBlock !== undefined) return undefined;
  const labelsOf = new Map(world.namespaces.map((n) => [n.metadata?.name ?? '', n.metadata?.labels ?? {}]));
  return all.filter(
    (pod) =>
      (peer.namespaceSelector === undefined
        ? pod.namespace === own
        : selects(peer.namespaceSelector, labelsOf.get(pod.namespace) ?? {})) && selects(peer.podSelector, pod.labels),
  );
}

/** A rule's peers: the client spells the field _from in what it lists, and from in what it watches. */
function sources(rule: V1NetworkPolicyIngressRule & { from?: V1NetworkPolicyPeer[] }): V1NetworkPolicyPeer[] {
  return rule._from ?? rule.from ?? [];
}

/** One direction's rules of one policy for one pod: each line returns what it admits. */
function admitted(
  direction: 'ingress' | 'egress',
  policy: V1NetworkPolicy,
  pod: Endpoint,
  world: PolicyWorld,
  all: Endpoint[],
): string[] {
  const far = direction === 'ingress' ? 'saddr' : 'daddr';
  const rules =
    direction === 'ingress'
      ? (policy.spec?.ingress ?? []).map((rule) => ({ peers: sources(rule), ports: rule.ports ?? [] }))
      : (policy.spec?.egress ?? []).map((rule) => ({ peers: rule.to ?? [], ports: rule.ports ?? [] }));
  const lines: string[] = [];
  for (const { peers, ports } of rules) {
    const admit = (match: string, target: Endpoint | undefined) => {
      if (ports.length === 0) lines.push(`${match} return`.trim());
      for (const port of ports) {
        const found = portMatch(port, target);
        if (found !== undefined) lines.push(`${match} ${found} return`.trim());
      }
    };
    const byName = direction === 'egress' && ports.some((port) => typeof port.port === 'string');
    const near = direction === 'ingress' ? pod : undefined;
    if (peers.length === 0) {
      if (byName) for (const target of all) admit(`ip daddr ${target.address}`, target);
      else admit('', near);
    }
    // IPv6 blocks mean nothing on an IPv4 network.
    for (const peer of peers.filter((p) => p.ipBlock?.cidr.includes(':') !== true)) {
      const found = peerPods(peer, policy.metadata?.namespace ?? '', world, all);
      if (found === undefined) {
        const except = peer.ipBlock?.except ?? [];
        const but = except.length === 0 ? '' : ` ip ${far} != ${set(except)}`;
        admit(`ip ${far} ${peer.ipBlock?.cidr ?? ''}${but}`, near);
      } else if (byName) {
        for (const target of found) admit(`ip daddr ${target.address}`, target);
      } else if (found.length > 0) {
        admit(`ip ${far} ${set(found.map((f) => f.address))}`, near);
      }
    }
  }
  return lines;
}

/** Whether a policy rules a direction; without policyTypes: ingress always, egress if it has egress rules. */
function rules(policy: V1NetworkPolicy, direction: 'Ingress' | 'Egress'): boolean {
  const types = policy.spec?.policyTypes ?? [];
  if (types.length > 0) return types.includes(direction);
  return direction === 'Ingress' || (policy.spec?.egress?.length ?? 0) > 0;
}

/**
 * The whole ruleset for `nft -f`, replacing the former one in one transaction. Each isolated pod has a chain per
 * ruled direction that returns what some policy admits and drops the rest; open connections go on.
 */
export function ruleset(world: PolicyWorld): string {
  const all = endpoints(world.pods);
  const chains: string[] = [];
  const maps: Record<'ingress' | 'egress', string[]> = { ingress: [], egress: [] };
  for (const pod of all) {
    const selecting = world.policies.filter(
      (p) => p.metadata?.namespace === pod.namespace && selects(p.spec?.podSelector, pod.labels),
    );
    for (const [direction, type] of [
      ['ingress', 'Ingress'],
      ['egress', 'Egress'],
    ] as const) {
      const ruling = selecting.filter((policy) => rules(policy, type));
      if (ruling.length === 0) continue;
      const name = `${direction}_${pod.address.replaceAll('.', '_')}`;
      const lines = ruling.flatMap((policy) => admitted(direction, policy, pod, world, all));
      const itself = `ip ${direction === 'ingress' ? 'saddr' : 'daddr'} ${pod.address} return`;
      chains.push(`  chain ${name} {\n${[itself, ...lines, 'drop'].map((line) => `    ${line}\n`).join('')}  }`);
      maps[direction].push(`${pod.address} : jump ${name}`);
    }
  }
  const judge = (end: string, entries: string[]) => (entries.length === 0 ? [] : [`ip ${end} vmap ${set(entries)}`]);
  const forward = [
    'type filter hook forward priority filter; policy accept;',
    'ct state established,related accept',
    ...judge('saddr', maps.egress),
    ...judge('daddr', maps.ingress),
  ];
  return [
    `table inet ${TABLE} {}`,
    `delete table inet ${TABLE}`,
    `table inet ${TABLE} {`,
    ...chains.sort(),
    `  chain forward {\n${forward.map((line) => `    ${line}\n`).join('')}  }`,
    '}',
    '',
  ].join('\n');
}
