/** The rendered objects show what the runbook means: API, executor, images, cluster id, URLs, mode, Redis. */
import type { Finding } from '../finding.ts';
import {
  apiUrl,
  executorImage,
  apiEnvironment,
  type GkeReleaseSpec,
  type Image,
  type ReleaseSpec,
} from '../release-spec.ts';
import { envOf, serviceOfHost, type Workload } from '../workloads.ts';
import { contentOf } from './secrets.ts';
import type { Release, Rule } from './rule.ts';

const unmeant = (
  id: string,
  message: string,
  at: { object?: string; path?: string } = {},
  grade: Finding['grade'] = 'error',
): Finding => ({
  grade,
  id,
  ...at,
  message,
  remedy:
    'the chart spells this in a way that the runbook does not know: compare its values.yaml with lib/chart/value-aliases.ts',
});

export const matchesSpec: Rule = (release) => [
  ...(release.spec.side === 'gke' ? gkeFindings(release, release.spec) : remoteFindings(release)),
  ...executorFindings(release),
];

function gkeFindings({ roles: { api, redis, redisHost }, objects }: Release, spec: GkeReleaseSpec): Finding[] {
  if (!api) return [unmeant('no-api', 'the release has no API: no container reads API_KEYS')];
  const at = { object: api.name };
  const found = imageFindings(api, spec.images.api);
  if (api.replicas !== spec.replicas)
    found.push(unmeant('replicas', `${api.replicas} replicas instead of ${spec.replicas}`, at));
  for (const [name, value] of Object.entries(apiEnvironment(spec))) found.push(...envFindings(api, name, value));
  if (!envOf(api.containers, 'REDIS_PASSWORD')?.valueFrom?.secretKeyRef)
    found.push(
      unmeant('redis-no-password', 'the API reads no REDIS_PASSWORD from a Secret: Redis would run without one', at),
    );
  if (!redis) found.push(unmeant('no-redis', 'the release has no Redis', at));
  const service = serviceOfHost(redisHost, spec.namespace);
  if (service !== undefined && !objects.some((o) => o.kind === 'Service' && o.metadata.name === service))
    found.push({
      ...unmeant('redis-host', `REDIS_HOST is ${redisHost ?? ''}, and no Service of the release has that name`, at),
      remedy: `use a release name that contains "kubently" (docs/kubently-contract.md 1.1), or mend the chart's Redis Service`,
    });
  return found;
}

function remoteFindings({ roles, objects }: Release): Finding[] {
  const found: Finding[] = [];
  const { api, redis } = roles;
  if (api && api.replicas > 0)
    found.push(unmeant('api-not-off', 'an executor-only release runs an API', { object: api.name }));
  else if (api)
    found.push({
      ...unmeant(
        'inert-api',
        'the chart cannot leave the API out: it stays at 0 replicas with its Services',
        { object: api.name },
        'warning',
      ),
      remedy: 'nothing: these objects do no harm',
    });
  if (redis) found.push(unmeant('redis-not-off', 'an executor-only release runs a Redis', { object: redis.name }));
  for (const ingress of objects.filter((o) => o.kind === 'Ingress'))
    found.push(
      unmeant('ingress-not-off', 'an executor-only release has an Ingress', {
        object: `Ingress/${ingress.metadata.name}`,
      }),
    );
  return found;
}

function executorFindings({ spec, roles: { executor }, objects }: Release): Finding[] {
  if (!executor)
    return [unmeant('no-executor', 'the release has no executor: no container reads KUBENTLY_API_URL and CLUSTER_ID')];
  const url = envOf(executor.containers, 'KUBENTLY_API_URL')?.value ?? '';
  const found = [
    ...imageFindings(executor, executorImage(spec)),
    ...envFindings(executor, 'CLUSTER_ID', spec.clusterId),
    ...urlFindings(spec, executor),
  ];
  if (!envOf(executor.containers, 'KUBENTLY_TOKEN')?.valueFrom?.secretKeyRef)
    found.push(
      unmeant('executor-token', 'the executor reads no KUBENTLY_TOKEN from a Secret', { object: executor.name }),
    );
  if (envOf(executor.containers, 'KUBENTLY_SSL_VERIFY')?.value === 'false')
    found.push(
      unmeant('tls-verify-off', 'the executor does not verify the certificate of the API', { object: executor.name }),
    );
  if (url.endsWith('/'))
    found.push(unmeant('api-url-slash', `KUBENTLY_API_URL ends with a slash: ${url}`, { object: executor.name }));
  return [...found, ...serviceUrlFindings(spec, executor, url, objects), ...modeFindings(spec, executor, objects)];
}

/** Another in-cluster Service than meant is the chart's own name for it, which adapt.ts took; serviceUrlFindings proves that it exists. */
function urlFindings(spec: ReleaseSpec, executor: Workload): Finding[] {
  const found = envFindings(executor, 'KUBENTLY_API_URL', apiUrl(spec));
  const url = envOf(executor.containers, 'KUBENTLY_API_URL')?.value ?? '';
  const local = (text: string): boolean =>
    URL.canParse(text) && serviceOfHost(new URL(text).hostname, spec.namespace) !== undefined;
  if (found.length === 0 || !local(url) || !local(apiUrl(spec))) return found;
  return [
    {
      grade: 'warning',
      id: 'executor-url-adapted',
      object: executor.name,
      path: 'KUBENTLY_API_URL',
      message: `the executor asks ${url}: the chart's API Service is not the one of ${apiUrl(spec)}`,
      remedy: 'nothing, or set GKE_EXECUTOR_API_URL to this URL',
    },
  ];
}

function serviceUrlFindings(
  spec: ReleaseSpec,
  executor: Workload,
  url: string,
  objects: Release['objects'],
): Finding[] {
  if (!URL.canParse(url)) return [];
  const { hostname, port, protocol } = new URL(url);
  const found: Finding[] = [];
  if (protocol === 'http:')
    found.push({
      grade: 'warning',
      id: 'plain-http',
      object: executor.name,
      path: 'KUBENTLY_API_URL',
      message: `the executor's token and every command's output go to ${url} unencrypted`,
      remedy: 'leave GKE_EXECUTOR_API_URL empty: the executor then takes the public https URL',
    });
  const name = serviceOfHost(hostname, spec.namespace);
  if (name === undefined || spec.side !== 'gke') return found;
  const service = objects.find((o) => o.kind === 'Service' && o.metadata.name === name);
  const ports = (service?.['spec'] as { ports?: { port: number }[] } | undefined)?.ports ?? [];
  const wanted = Number(port || (protocol === 'https:' ? 443 : 80));
  if (!ports.some((p) => p.port === wanted))
    found.push({
      grade: 'error',
      id: 'executor-url-service',
      object: executor.name,
      path: 'KUBENTLY_API_URL',
      message: `${url} names no port of a Service in the release`,
      remedy: 'leave GKE_EXECUTOR_API_URL empty, or name the API Service that the chart renders',
    });
  return found;
}

/** The mode stands in the whitelist that the executor mounts. */
function modeFindings(spec: ReleaseSpec, executor: Workload, objects: Release['objects']): Finding[] {
  const mounted = (executor.pod.volumes ?? []).flatMap((v) =>
    v.configMap?.name === undefined ? [] : [v.configMap.name],
  );
  const maps = objects.filter((o) => o.kind === 'ConfigMap' && mounted.includes(o.metadata.name));
  const texts = maps.flatMap((o) => Object.keys(o['data'] ?? {}).map((key) => contentOf(o, key) ?? ''));
  const modes = texts.flatMap((t) => /^[ \t]*(?:mode|securityMode):[ \t]*["']?(\w+)/m.exec(t)?.[1] ?? []);
  if (modes.includes(spec.securityMode)) return [];
  const shown = modes.length === 0 ? 'no mode at all' : `mode ${modes.join(', ')}`;
  return [
    unmeant('security-mode', `the executor's whitelist says ${shown} instead of ${spec.securityMode}`, {
      object: executor.name,
    }),
  ];
}

function imageFindings(workload: Workload, { repository, tag }: Image): Finding[] {
  const images = workload.containers.map((c) => c.image ?? '');
  if (images.includes(`${repository}:${tag}`)) return [];
  return [unmeant('image', `runs ${images.join(', ')} instead of ${repository}:${tag}`, { object: workload.name })];
}

function envFindings(workload: Workload, name: string, value: string): Finding[] {
  const entries = workload.containers.flatMap((c) => c.env ?? []).filter((e) => e.name === name);
  // Kubernetes takes the last of several entries with one name.
  const last = entries.at(-1);
  if (last?.value === value) return [];
  const shown = last?.valueFrom ? 'from somewhere else' : (last?.value ?? 'not set');
  return [unmeant('env', `${name} is ${shown} instead of ${value}`, { object: workload.name, path: name })];
}
