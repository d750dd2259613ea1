/** What a chart's own defaults bring in against the meaning, and the values that take it out again. */
import { valuesFile } from './chart-files.ts';
import { apiUrl, type Meaning } from './meaning.ts';
import { readManifests, type RenderValues } from './render.ts';
import { rolesThatReadSecrets } from './rules/exposure.ts';
import { ISSUER_ANNOTATION, SNIPPET_ANNOTATION } from './rules/ingress.ts';
import { merged, type Values } from './value-tree.ts';
import { rolesOf, selects, serviceOfHost, serviceSelector } from './workloads.ts';
import type { KubeObject } from '../base/kubernetes.ts';

interface Adaptation {
  /** True when the rendered objects show the trouble. */
  trouble: (objects: readonly KubeObject[], meaning: Meaning) => boolean;
  /** Values that may take it out. */
  values: (objects: readonly KubeObject[], meaning: Meaning) => Values | Promise<Values>;
}

const ADAPTATIONS: readonly Adaptation[] = [
  withoutAnnotations(ISSUER_ANNOTATION),
  withoutAnnotations(SNIPPET_ANNOTATION),
  { trouble: redisHostUnknown, values: (_, { release }) => ({ fullnameOverride: release }) },
  { trouble: (objects) => rolesThatReadSecrets(objects).length > 0, values: () => valuesFile('executor-role') },
  { trouble: apiServiceRenamed, values: renamedApiUrl },
];

/** The values with every adaptation that takes its trouble out; the others are left for the findings to tell. */
export async function adapted(meaning: Meaning, start: Values, text: string, render: RenderValues): Promise<Values> {
  let values = start;
  let objects = readManifests(text).objects;
  for (const { trouble, values: patch } of ADAPTATIONS) {
    if (!trouble(objects, meaning)) continue;
    const candidate = merged(values, await patch(objects, meaning));
    const rendered = await render(candidate);
    const after = rendered.ok ? readManifests(rendered.text).objects : objects;
    if (trouble(after, meaning)) continue;
    values = candidate;
    objects = after;
  }
  return values;
}

function withoutAnnotations(unwanted: RegExp): Adaptation {
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

/** A release name without "kubently" makes the chart name another Redis host than its Service (contract 1.1). */
function redisHostUnknown(objects: readonly KubeObject[], { namespace }: Meaning): boolean {
  const name = serviceOfHost(rolesOf(objects, namespace).redisHost, namespace);
  return name !== undefined && !objects.some((o) => o.kind === 'Service' && o.metadata.name === name);
}

function inClusterService(meaning: Meaning): string | undefined {
  return meaning.side === 'gke' ? serviceOfHost(new URL(apiUrl(meaning)).hostname, meaning.namespace) : undefined;
}

function apiServiceRenamed(objects: readonly KubeObject[], meaning: Meaning): boolean {
  const executor = rolesOf(objects, meaning.namespace).executor;
  const url = executor?.containers.flatMap((c) => c.env ?? []).find((e) => e.name === 'KUBENTLY_API_URL')?.value ?? '';
  const name = URL.canParse(url) ? serviceOfHost(new URL(url).hostname, meaning.namespace) : undefined;
  return (
    inClusterService(meaning) !== undefined &&
    name !== undefined &&
    !objects.some((o) => o.kind === 'Service' && o.metadata.name === name)
  );
}

function renamedApiUrl(objects: readonly KubeObject[], meaning: Meaning): Values {
  const { api } = rolesOf(objects, meaning.namespace);
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
