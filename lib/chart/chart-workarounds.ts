/** What a chart's own defaults bring in against the meaning, and the values that take it out again. */
import { valuesFile } from './chart-files.ts';
import { apiUrl, type ReleaseSpec } from './release-spec.ts';
import { readManifests, type RenderValues } from './render.ts';
import { rolesThatReadSecrets } from './rules/exposure.ts';
import { ISSUER_ANNOTATION, SNIPPET_ANNOTATION } from './rules/ingress.ts';
import { merged, type Values } from './value-tree.ts';
import { rolesOf, selects, serviceOfHost, serviceSelector } from './workloads.ts';
import type { KubeObject } from '../base/kubernetes.ts';

interface ChartWorkaround {
  /** True when the rendered objects show the trouble. */
  trouble: (objects: readonly KubeObject[], spec: ReleaseSpec) => boolean;
  /** Values that may take it out. */
  values: (objects: readonly KubeObject[], spec: ReleaseSpec) => Values | Promise<Values>;
}

const WORKAROUNDS: readonly ChartWorkaround[] = [
  withoutAnnotations(ISSUER_ANNOTATION),
  withoutAnnotations(SNIPPET_ANNOTATION),
  { trouble: redisHostUnknown, values: (_, { release }) => ({ fullnameOverride: release }) },
  { trouble: (objects) => rolesThatReadSecrets(objects).length > 0, values: () => valuesFile('executor-role') },
  { trouble: apiServiceRenamed, values: renamedApiUrl },
];

/** The values with every adaptation that takes its trouble out; the others are left for the findings to tell. */
export async function withWorkarounds(
  spec: ReleaseSpec,
  start: Values,
  text: string,
  render: RenderValues,
): Promise<Values> {
  let values = start;
  let objects = readManifests(text).objects;
  for (const { trouble, values: patch } of WORKAROUNDS) {
    if (!trouble(objects, spec)) continue;
    const candidate = merged(values, await patch(objects, spec));
    const rendered = await render(candidate);
    const after = rendered.ok ? readManifests(rendered.text).objects : objects;
    if (trouble(after, spec)) continue;
    values = candidate;
    objects = after;
  }
  return values;
}

function withoutAnnotations(unwanted: RegExp): ChartWorkaround {
  const found = (objects: readonly KubeObject[]): string[] =>
    objects
      .filter((o) => o.kind === 'Ingress')
      .flatMap((o) => Object.keys(o.metadata.annotations ?? {}).filter((key) => unwanted.test(key)));
  return {
    trouble: (objects) => found(objects).length > 0,
    // null takes a default of the chart away.
    values: (objects) => ({ ingress: { annotations: Object.fromEntries(found(objects).map((key) => [key, null])) } }),
  };
}

/** A release name without "kubently" makes the chart name another Redis host than its Service (docs/kubently-contract.md 1.1). */
function redisHostUnknown(objects: readonly KubeObject[], { namespace }: ReleaseSpec): boolean {
  const name = serviceOfHost(rolesOf(objects, namespace).redisHost, namespace);
  return name !== undefined && !objects.some((o) => o.kind === 'Service' && o.metadata.name === name);
}

function inClusterService(spec: ReleaseSpec): string | undefined {
  return spec.side === 'gke' ? serviceOfHost(new URL(apiUrl(spec)).hostname, spec.namespace) : undefined;
}

function apiServiceRenamed(objects: readonly KubeObject[], spec: ReleaseSpec): boolean {
  const executor = rolesOf(objects, spec.namespace).executor;
  const url = executor?.containers.flatMap((c) => c.env ?? []).find((e) => e.name === 'KUBENTLY_API_URL')?.value ?? '';
  const name = URL.canParse(url) ? serviceOfHost(new URL(url).hostname, spec.namespace) : undefined;
  return (
    inClusterService(spec) !== undefined &&
    name !== undefined &&
    !objects.some((o) => o.kind === 'Service' && o.metadata.name === name)
  );
}

function renamedApiUrl(objects: readonly KubeObject[], spec: ReleaseSpec): Values {
  const { api } = rolesOf(objects, spec.namespace);
  const service = objects.find(
    (o) =>
      o.kind === 'Service' &&
      api !== undefined &&
      selects(serviceSelector(o), api.labels) &&
      (o['spec'] as { clusterIP?: string }).clusterIP !== 'None',
  );
  const port = (service?.['spec'] as { ports?: { port: number }[] } | undefined)?.ports?.[0]?.port;
  return service && port !== undefined ? { executor: { apiUrl: `http://${service.metadata.name}:${port}` } } : {};
}
