/** What a rendered release runs: workloads, their pods and the roles they play, found by what they read and never by name. */
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IEnvVar } from 'kubernetes-models/v1/EnvVar';
import type { IPodTemplateSpec } from 'kubernetes-models/v1/PodTemplateSpec';
import { nameOf, type KubeObject } from '../base/kubernetes.ts';

export type Labels = Record<string, string>;

export interface Workload {
  object: KubeObject;
  /** Kind/name. */
  name: string;
  /** 1 where nothing is said; CronJobs count as 1. */
  replicas: number;
  selector: Labels;
  labels: Labels;
  /** As rendered. */
  pod: NonNullable<IPodTemplateSpec['spec']>;
  /** With the env entries that rendered ConfigMaps give. */
  containers: IContainer[];
  initContainers: IContainer[];
}

interface WorkloadSpec {
  replicas?: number;
  selector?: { matchLabels?: Labels };
  template?: IPodTemplateSpec;
  jobTemplate?: { spec?: { template?: IPodTemplateSpec } };
}

/** Every Deployment, StatefulSet, DaemonSet, Job, CronJob and Pod of the release. */
export function workloads(objects: readonly KubeObject[]): Workload[] {
  return objects.flatMap((object): Workload[] => {
    const spec = (object['spec'] ?? {}) as WorkloadSpec;
    const template: IPodTemplateSpec | undefined =
      object.kind === 'Pod' ? object : (spec.template ?? spec.jobTemplate?.spec?.template);
    const pod = template?.spec;
    if (!pod) return [];
    return [
      {
        object,
        name: nameOf(object),
        replicas: spec.replicas ?? 1,
        selector: spec.selector?.matchLabels ?? {},
        labels: template.metadata?.labels ?? {},
        pod,
        containers: pod.containers.map((c) => withConfigMaps(c, objects)),
        initContainers: (pod.initContainers ?? []).map((c) => withConfigMaps(c, objects)),
      },
    ];
  });
}

/** The container as it starts: what it is given by envFrom and configMapKeyRef stands in its env as text. */
function withConfigMaps(container: IContainer, objects: readonly KubeObject[]): IContainer {
  const { given, own } = variablesOf(container, objects);
  const more = new Map(given.filter((g) => !own.some((e) => e.name === g.name)).map((g) => [g.name, g]));
  return { ...container, env: [...more.values(), ...own] };
}

/** The container's variables with the text of the ConfigMaps among the objects: those of envFrom, and its own env. */
export function variablesOf(
  { env = [], envFrom = [] }: IContainer,
  objects: readonly KubeObject[],
): { given: IEnvVar[]; own: IEnvVar[] } {
  const dataOf = (name: string | undefined): Record<string, string> => {
    const map = objects.find((o) => o.kind === 'ConfigMap' && o.metadata.name === name);
    return (map?.['data'] ?? {}) as Record<string, string>;
  };
  const own = env.map((e): IEnvVar => {
    const { name, key = '' } = e.valueFrom?.configMapKeyRef ?? {};
    const value = name === undefined ? undefined : dataOf(name)[key];
    return value === undefined ? e : { name: e.name, value };
  });
  const given = envFrom.flatMap(({ prefix = '', configMapRef }) =>
    Object.entries(dataOf(configMapRef?.name)).map(([key, value]): IEnvVar => ({ name: `${prefix}${key}`, value })),
  );
  return { given, own };
}

/** Containers and init containers. */
export function everyContainer(workload: Workload): IContainer[] {
  return [...workload.initContainers, ...workload.containers];
}

/** An env entry of any of the containers. */
export function envOf(containers: readonly IContainer[], name: string): IEnvVar | undefined {
  return containers.flatMap((c) => c.env ?? []).find((e) => e.name === name);
}

/** True when pods with these labels are selected; an empty selector selects none here, since Services do so. */
export function selects(selector: Labels, labels: Labels): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

export interface Roles {
  api: Workload | undefined;
  executor: Workload | undefined;
  redis: Workload | undefined;
  /** The Redis host that the API is given. */
  redisHost: string | undefined;
}

/** Kinds that keep running: a hook or test pod reads the same env entries. */
const SERVING = ['Deployment', 'StatefulSet', 'DaemonSet'];

/** Who is API, executor and Redis: by the env entries they read, and by the Service that the API calls Redis. */
export function rolesOf(objects: readonly KubeObject[], namespace: string): Roles {
  const all = workloads(objects).filter((w) => SERVING.includes(w.object.kind));
  const api = all.find((w) => envOf(w.containers, 'API_KEYS'));
  const executor = all.find(
    (w) => envOf(w.containers, 'KUBENTLY_API_URL') && envOf(w.containers, 'CLUSTER_ID') && w !== api,
  );
  const redisHost = envOf(api?.containers ?? [], 'REDIS_HOST')?.value ?? undefined;
  const service = objects.find((o) => o.kind === 'Service' && o.metadata.name === serviceOfHost(redisHost, namespace));
  const redis =
    all.find((w) => service && selects(serviceSelector(service), w.labels)) ??
    all.find((w) => w !== api && w !== executor && w.containers.some((c) => (c.image ?? '').includes('redis')));
  return { api, executor, redis, redisHost };
}

/** The selector of a Service. */
export function serviceSelector(service: KubeObject): Labels {
  return (service['spec'] as { selector?: Labels } | undefined)?.selector ?? {};
}

/** The Service that an in-cluster host name means (`name`, `name.NAMESPACE`, `name.NAMESPACE.svc…`), or undefined for a public name. */
export function serviceOfHost(host: string | undefined, namespace: string): string | undefined {
  const [first = '', second, third] = host?.split('.') ?? [];
  const local = second === undefined || (second === namespace && (third === undefined || third === 'svc'));
  return first !== '' && local ? first : undefined;
}
