/** What values cannot do and the runbook does around the chart, with the names that the render shows. */
import type { IIngressSpec } from 'kubernetes-models/networking.k8s.io/v1/IngressSpec';
import type { IServiceSpec } from 'kubernetes-models/v1/ServiceSpec';
import { references } from './pod-references.ts';
import { CA_CONFIG_MAP, CA_FOLDER, LLM_CA_CONFIG_MAP, LLM_CA_FOLDER, type ReleaseSpec } from './release-spec.ts';
import type { Release } from './rules/rule.ts';
import type { WantedSecret } from './rules/secrets.ts';
import { envOf, selects, serviceSelector, type Labels, type Workload } from './workloads.ts';
import type { KubeObject } from '../base/kubernetes.ts';

/** How long an ingress controller may need to learn that a pod goes. */
const DRAIN_S = 5;
/** How long a command that an executor runs while its pod ends may still take. */
const END_S = 5;

/** One thing the runbook does beside the release. `says` is its line in `make plan`. */
export type ReleaseExtra = { says: string; namespace: string } & (
  | { kind: 'certificate'; name: string; host: string }
  | {
      /** A private CA in a ConfigMap, mounted where a container looks for it: that of the API's name, or of the LLM's gateway. */
      kind: 'trusted-ca';
      of: 'api' | 'llm';
      configMap: string;
      deployment: string;
      /** A strategic merge patch of the Deployment. */
      patch: { spec: object };
    }
  | {
      kind: 'drained-first' | 'ends-soon' | 'rolls-at-once' | 'spread';
      deployment: string;
      /** A strategic merge patch of the Deployment. */
      patch: { spec: object };
    }
  | { kind: 'pod-disruption-budget'; name: string; selector: Labels; minAvailable: number }
  | {
      kind: 'network-policy';
      name: string;
      redis: Labels;
      /** Redis's port. */
      port: number;
      api: Labels;
      /** Where the API's container listens. */
      apiPort: number;
      /** The executor of the same cluster, which may call the API inside it. */
      executor?: Labels;
    }
  | { kind: 'register-token'; clusterId: string; secret: string; key: string }
  | { kind: 'restart-on-secret-change'; workload: string; secrets: string[] }
  | { kind: 'hpa-adopt'; name: string; minReplicas: number; maxReplicas: number }
  | { kind: 'hpa-remove'; name: string }
);

/** Everything around the release; empty names never occur, since each entry is made from a rendered object. */
export function extrasOf(release: Release, secrets: readonly WantedSecret[]): ReleaseExtra[] {
  const { spec, roles, running } = release;
  const { namespace } = spec;
  return [
    ...(spec.side === 'gke' ? gkeSide(release) : registration(spec, secrets)),
    ...(spec.caFile && roles.executor
      ? [
          trustedCa(roles.executor, namespace, {
            of: 'api',
            reads: 'KUBENTLY_API_URL',
            env: 'KUBENTLY_CA_CERT',
            configMap: CA_CONFIG_MAP,
            folder: CA_FOLDER,
          }),
        ]
      : []),
    ...(roles.executor ? endsSoon(roles.executor, namespace) : []),
    ...running.flatMap((w) => restart(w, secrets, namespace)),
    ...autoscalers(release),
  ];
}

function gkeSide({ spec, objects, roles: { api, redis, executor } }: Release): ReleaseExtra[] {
  if (spec.side !== 'gke') return [];
  const { namespace, release } = spec;
  const extras: ReleaseExtra[] = [
    {
      kind: 'certificate',
      namespace,
      name: spec.tlsSecret,
      host: spec.host,
      says: `Certificate ${spec.tlsSecret} for ${spec.host} (the runbook's own)`,
    },
  ];
  if (api) extras.push(...drainedFirst(api, namespace), ...rollsAtOnce(api, namespace), ...spread(api, namespace));
  if (api && spec.llmCaFile)
    extras.push(
      trustedCa(api, namespace, {
        of: 'llm',
        reads: 'API_KEYS',
        env: 'SSL_CERT_FILE',
        configMap: LLM_CA_CONFIG_MAP,
        folder: LLM_CA_FOLDER,
      }),
    );
  // With one replica a budget would only block the drain of its node; the chart's own budget is the API's only one.
  if (api && api.replicas > 1 && !hasBudget(objects, api)) {
    const name = freeName('PodDisruptionBudget', `${release}-api`, objects);
    extras.push({
      kind: 'pod-disruption-budget',
      namespace,
      name,
      selector: api.selector,
      minAvailable: 1,
      says: `PodDisruptionBudget ${name}: at least 1 pod of ${api.name}`,
    });
  }
  if (api && redis)
    extras.push({
      kind: 'network-policy',
      namespace,
      name: `${release}-redis`,
      redis: redis.selector,
      port: redisPort(api),
      api: api.selector,
      apiPort: httpPort(api, objects),
      ...(executor ? { executor: executor.selector } : {}),
      says: `NetworkPolicies: ${namespace} takes no connection but those of ${api.name} to ${redis.name}, and of ingress and executor to ${api.name}`,
    });
  return extras;
}

/** What is sent to a pod that has just ended is lost, and who sent it waits for minutes. Nothing where the chart sees to it. */
function drainedFirst({ name, object, containers }: Workload, namespace: string): ReleaseExtra[] {
  const serving = containers.find((c) => c.ports && c.ports.length > 0) ?? containers[0];
  if (!serving || serving.lifecycle?.preStop) return [];
  const lifecycle = { preStop: { sleep: { seconds: DRAIN_S } } };
  return [
    {
      kind: 'drained-first',
      namespace,
      deployment: object.metadata.name,
      patch: { spec: { template: { spec: { containers: [{ name: serving.name, lifecycle }] } } } },
      says: `a pod of ${name} is out of its Service ${DRAIN_S} s before it is stopped`,
    },
  ];
}

/**
 * An executor holds its stream to one API pod, which breaks it when it ends, and waits 5 s each time (docs/kubently-contract.md 8):
 * where all new pods are ready before the first old one ends, once. Nothing where the chart says how to roll.
 */
function rollsAtOnce({ name, object, replicas }: Workload, namespace: string): ReleaseExtra[] {
  const { strategy } = object['spec'] as { strategy?: object };
  if (strategy !== undefined || replicas < 2) return [];
  return [
    {
      kind: 'rolls-at-once',
      namespace,
      deployment: object.metadata.name,
      patch: { spec: { strategy: { rollingUpdate: { maxSurge: '100%', maxUnavailable: 0 } } } },
      says: `an upgrade of ${name} starts all new pods before it ends the old ones, so that executors are cut off once`,
    },
  ];
}

/** Pods that may all stand on one node all go with it. Nothing where the chart says how they are kept apart. */
function spread({ name, object, pod, replicas, selector }: Workload, namespace: string): ReleaseExtra[] {
  const said = (pod.topologySpreadConstraints ?? []).length > 0 || pod.affinity?.podAntiAffinity !== undefined;
  if (replicas < 2 || said) return [];
  const apart = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: selector },
  };
  return [
    {
      kind: 'spread',
      namespace,
      deployment: object.metadata.name,
      patch: { spec: { template: { spec: { topologySpreadConstraints: [apart] } } } },
      says: `pods of ${name} on nodes of their own, where there are several`,
    },
  ];
}

/**
 * The executor does not end by itself when asked to (docs/kubently-contract.md 8), and two of one id would both run each
 * command: under Recreate the cluster is away until the old one is killed. Nothing where the chart says how long.
 */
function endsSoon({ name, object, pod }: Workload, namespace: string): ReleaseExtra[] {
  const { strategy } = object['spec'] as { strategy?: { type?: string } };
  if (pod['terminationGracePeriodSeconds'] !== undefined || strategy?.type !== 'Recreate') return [];
  return [
    {
      kind: 'ends-soon',
      namespace,
      deployment: object.metadata.name,
      patch: { spec: { template: { spec: { terminationGracePeriodSeconds: END_S } } } },
      says: `a pod of ${name} ends within ${END_S} s`,
    },
  ];
}

function redisPort(api: Workload): number {
  return Number(envOf(api.containers, 'REDIS_PORT')?.value ?? '6379');
}

/** Where the API listens: what the Ingress leads to through its Service, else the port named http, else the first. */
function httpPort(api: Workload, objects: readonly KubeObject[]): number {
  const ports = api.containers.flatMap((c) => c.ports ?? []);
  const target = ingressTarget(api, objects);
  if (typeof target === 'number') return target;
  return (ports.find((p) => p.name === (target ?? 'http')) ?? ports[0])?.containerPort ?? 8080;
}

/** The targetPort of the Service by which an Ingress reaches the API. */
function ingressTarget(api: Workload, objects: readonly KubeObject[]): number | string | undefined {
  const backends = objects
    .filter((o) => o.kind === 'Ingress')
    .flatMap((o) => (o['spec'] as IIngressSpec).rules ?? [])
    .flatMap((rule) => rule.http?.paths ?? [])
    .flatMap(({ backend }) => backend.service ?? []);
  for (const { name, port } of backends) {
    const service = objects.find((o) => o.kind === 'Service' && o.metadata.name === name);
    if (!service || !selects(serviceSelector(service), api.labels)) continue;
    const { ports = [] } = service['spec'] as IServiceSpec;
    const sent = ports.find((p) => (port?.number === undefined ? p.name === port?.name : p.port === port.number));
    if (sent) return sent.targetPort ?? sent.port;
  }
  return undefined;
}

/** A budget that the chart itself renders for the API's pods. */
function hasBudget(objects: readonly KubeObject[], api: Workload): boolean {
  return objects.some(
    (o) =>
      o.kind === 'PodDisruptionBudget' &&
      selects((o['spec'] as { selector?: { matchLabels?: Labels } }).selector?.matchLabels ?? {}, api.labels),
  );
}

/** The name, or another one where the chart renders an object of the kind by it: nothing may have two owners. */
function freeName(kind: string, name: string, objects: readonly KubeObject[]): string {
  return objects.some((o) => o.kind === kind && o.metadata.name === name) ? `${name}-runbook` : name;
}

function registration(spec: ReleaseSpec, secrets: readonly WantedSecret[]): ReleaseExtra[] {
  return secrets.flatMap((secret): ReleaseExtra[] => {
    const key = secret.keys.find((k) => secret.holds[k] === 'executor-token');
    if (key === undefined) return [];
    const { clusterId, namespace } = spec;
    return [
      {
        kind: 'register-token',
        namespace,
        clusterId,
        secret: secret.name,
        key,
        says: `token of ${clusterId} (Secret ${secret.name}) registered at the API before the release`,
      },
    ];
  });
}

interface Trust {
  of: 'api' | 'llm';
  /** An env entry by which the container is known. */
  reads: string;
  /** The env entry that names the file. */
  env: string;
  configMap: string;
  folder: string;
}

function trustedCa(workload: Workload, namespace: string, { of, reads, env, configMap, folder }: Trust): ReleaseExtra {
  const { object, containers } = workload;
  const container = (containers.find((c) => c.env?.some((e) => e.name === reads)) ?? containers[0])?.name ?? '';
  const value = `${folder}/ca.crt`;
  const named = envOf(containers, env)?.value === value;
  const pod = {
    containers: [
      {
        name: container,
        ...(named ? {} : { env: [{ name: env, value }] }),
        volumeMounts: [{ name: configMap, mountPath: folder, readOnly: true }],
      },
    ],
    volumes: [{ name: configMap, configMap: { name: configMap } }],
  };
  return {
    kind: 'trusted-ca',
    of,
    namespace,
    configMap,
    deployment: object.metadata.name,
    patch: { spec: { template: { spec: pod } } },
    says: `ConfigMap ${configMap} mounted into ${workload.name} at ${folder}`,
  };
}

/** A changed Secret restarts no pod by itself (docs/kubently-contract.md 1.5). */
function restart(workload: Workload, secrets: readonly WantedSecret[], namespace: string): ReleaseExtra[] {
  if (!['Deployment', 'StatefulSet', 'DaemonSet'].includes(workload.object.kind)) return [];
  const names = new Set(references(workload).flatMap((r) => (r.kind === 'Secret' ? [r.name] : [])));
  const read = secrets.map((s) => s.name).filter((name) => names.has(name));
  if (read.length === 0) return [];
  return [
    {
      kind: 'restart-on-secret-change',
      namespace,
      workload: workload.name,
      secrets: read,
      says: `${workload.name} restarted when ${read.join(', ')} changed`,
    },
  ];
}

function autoscalers({ spec, objects, workloads }: Release): ReleaseExtra[] {
  const { namespace } = spec;
  return objects
    .filter((o) => o.kind === 'HorizontalPodAutoscaler')
    .map(({ metadata: { name }, ...object }): ReleaseExtra => {
      const spec = object['spec'] as { scaleTargetRef: { kind: string; name: string }; maxReplicas: number };
      const target = workloads.find((w) => w.name === `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`);
      if (!target || target.replicas === 0)
        return {
          kind: 'hpa-remove',
          namespace,
          name,
          says: `HorizontalPodAutoscaler ${name} removed: it has nothing to scale`,
        };
      const maxReplicas = Math.max(spec.maxReplicas, target.replicas);
      return {
        kind: 'hpa-adopt',
        namespace,
        name,
        minReplicas: target.replicas,
        maxReplicas,
        says: `HorizontalPodAutoscaler ${name} set to ${target.replicas}..${maxReplicas}`,
      };
    });
}
