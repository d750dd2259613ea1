/** Names and selectors inside the release hold together: each one finds what it points to. */
import type { Finding } from '../finding.ts';
import { selects, serviceSelector, type Labels, type Workload } from '../workloads.ts';
import type { Release, Rule } from './rule.ts';
import { nameOf, type KubeObject } from '../../base/kubernetes.ts';

const broken = (id: string, object: string, message: string, path?: string): Finding => ({
  grade: 'error',
  id,
  object,
  ...(path ? { path } : {}),
  message,
  remedy: 'mend the chart: the release would come up without this connection',
});

export const selectorsMatch: Rule = (release) => [
  ...emittedTwice(release.objects),
  ...release.objects.flatMap((o) => objectFindings(o, release)),
  ...release.workloads.flatMap((w) => workloadFindings(w, release)),
];

function emittedTwice(objects: readonly KubeObject[]): Finding[] {
  const count = new Map<string, number>();
  for (const o of objects) {
    const key = `${nameOf(o)} ${o.metadata.namespace ?? ''}`;
    count.set(key, (count.get(key) ?? 0) + 1);
  }
  return [...count].flatMap(([key, n]) => {
    const object = key.split(' ')[0] ?? key;
    return n > 1
      ? [broken('emitted-twice', object, `is rendered ${n} times; an install would fail on the second`)]
      : [];
  });
}

interface PolicySpec {
  podSelector?: { matchLabels?: Labels };
  ingress?: { from?: Peer[] }[];
  egress?: { to?: Peer[] }[];
}
interface Peer {
  podSelector?: { matchLabels?: Labels };
  namespaceSelector?: unknown;
}

function objectFindings(object: KubeObject, { spec: { namespace }, workloads, objects }: Release): Finding[] {
  const name = nameOf(object);
  const none = (labels: Labels | undefined): boolean =>
    labels !== undefined && Object.keys(labels).length > 0 && !workloads.some((w) => selects(labels, w.labels));
  const text = (labels: Labels | undefined): string =>
    Object.entries(labels ?? {})
      .map(([k, v]) => `${k}=${v}`)
      .join(',');
  const nothing = (labels: Labels | undefined, path: string): Finding[] =>
    none(labels) ? [broken('selector', name, `selects no pod of the release: ${text(labels)}`, path)] : [];
  switch (object.kind) {
    case 'Service':
      return [...nothing(serviceSelector(object), 'spec.selector'), ...portFindings(object, workloads)];
    case 'PodDisruptionBudget':
      return nothing(
        (object['spec'] as PolicySpec & { selector?: { matchLabels?: Labels } }).selector?.matchLabels,
        'spec.selector',
      );
    case 'NetworkPolicy': {
      const spec = object['spec'] as PolicySpec;
      const peers = [
        ...(spec.ingress ?? []).flatMap((r) => r.from ?? []),
        ...(spec.egress ?? []).flatMap((r) => r.to ?? []),
      ];
      return [
        ...nothing(spec.podSelector?.matchLabels, 'spec.podSelector'),
        ...peers.flatMap((p) => (p.namespaceSelector ? [] : nothing(p.podSelector?.matchLabels, 'peer'))),
      ];
    }
    case 'HorizontalPodAutoscaler':
      return autoscalerFindings(object, workloads);
    case 'RoleBinding':
    case 'ClusterRoleBinding':
      return bindingFindings(object, objects, namespace);
    default:
      return [];
  }
}

function portFindings(service: KubeObject, workloads: readonly Workload[]): Finding[] {
  const { ports = [] } = service['spec'] as { ports?: { port: number; targetPort?: number | string }[] };
  const behind = workloads.filter((w) => selects(serviceSelector(service), w.labels));
  if (behind.length === 0) return [];
  const open = behind.flatMap((w) => w.containers.flatMap((c) => c.ports ?? []));
  return ports.flatMap(({ port, targetPort = port }) => {
    if (typeof targetPort === 'number' || open.some((p) => p.name === targetPort)) return [];
    return [
      broken('service-port', nameOf(service), `sends to port ${targetPort}, which no container names`, 'spec.ports'),
    ];
  });
}

/** The chart's HPA: no value governs it, so the runbook adopts or removes it (around.ts). */
function autoscalerFindings(object: KubeObject, workloads: readonly Workload[]): Finding[] {
  const {
    scaleTargetRef,
    minReplicas = 1,
    maxReplicas,
  } = object['spec'] as {
    scaleTargetRef: { kind: string; name: string };
    minReplicas?: number;
    maxReplicas: number;
  };
  const target = workloads.find((w) => w.name === `${scaleTargetRef.kind}/${scaleTargetRef.name}`);
  const warning = (id: string, message: string, remedy: string): Finding[] => [
    { grade: 'warning', id, object: nameOf(object), message, remedy },
  ];
  if (!target || target.replicas === 0) {
    const why = target ? 'is at 0 replicas' : 'is not in the release';
    return warning(
      'hpa-without-target',
      `scales ${scaleTargetRef.name}, which ${why}`,
      'nothing: the runbook leaves it out of the release',
    );
  }
  if (target.replicas < minReplicas || target.replicas > maxReplicas)
    return warning(
      'hpa-contradicts',
      `scales ${scaleTargetRef.name} to ${minReplicas}..${maxReplicas}, against its ${target.replicas} replicas`,
      `nothing: the runbook sets its lower bound to ${target.replicas} after each install`,
    );
  return warning(
    'hpa-stray',
    `scales ${scaleTargetRef.name} to ${minReplicas}..${maxReplicas} whatever the values say`,
    'nothing: the runbook adopts it; API_REPLICAS is its lower bound',
  );
}

function bindingFindings(object: KubeObject, objects: readonly KubeObject[], namespace: string): Finding[] {
  const { roleRef, subjects = [] } = object as KubeObject & {
    roleRef: { kind: string; name: string };
    subjects?: { kind: string; name: string; namespace?: string }[];
  };
  const has = (kind: string, name: string): boolean => objects.some((o) => o.kind === kind && o.metadata.name === name);
  const builtIn =
    ['view', 'edit', 'admin', 'cluster-admin'].includes(roleRef.name) || roleRef.name.startsWith('system:');
  return [
    ...(builtIn || has(roleRef.kind, roleRef.name)
      ? []
      : [
          broken(
            'binding',
            nameOf(object),
            `grants ${roleRef.kind} ${roleRef.name}, which is not in the release`,
            'roleRef',
          ),
        ]),
    ...subjects.flatMap((s) => {
      const where = s.namespace ?? (object.kind === 'RoleBinding' ? namespace : 'none');
      if (s.kind !== 'ServiceAccount' || (where === namespace && has('ServiceAccount', s.name))) return [];
      const named = `ServiceAccount ${s.name}${where === namespace ? '' : ` of namespace ${where}`}`;
      return [broken('binding', nameOf(object), `is for ${named}, which is not in the release`, 'subjects')];
    }),
  ];
}

function workloadFindings(workload: Workload, { objects }: Release): Finding[] {
  const found: Finding[] = [];
  if (
    ['Deployment', 'StatefulSet', 'DaemonSet'].includes(workload.object.kind) &&
    !selects(workload.selector, workload.labels)
  )
    found.push(
      broken('own-selector', workload.name, 'its selector does not match the labels of its own pods', 'spec.selector'),
    );
  const account = workload.pod.serviceAccountName ?? 'default';
  if (account !== 'default' && !objects.some((o) => o.kind === 'ServiceAccount' && o.metadata.name === account))
    found.push(
      broken('service-account', workload.name, `runs as ServiceAccount ${account}, which is not in the release`),
    );
  const { serviceName } = workload.object['spec'] as { serviceName?: string };
  if (serviceName && !objects.some((o) => o.kind === 'Service' && o.metadata.name === serviceName))
    found.push(
      broken(
        'service-name',
        workload.name,
        `names the Service ${serviceName}, which is not in the release`,
        'spec.serviceName',
      ),
    );
  return found;
}
