/** Reads a render by itself, with nothing of lib/chart: what pods read, where objects go, who selects whom. */
import { parseAllDocuments } from 'yaml';
import type { Fit } from '../../lib/chart/fit.ts';
import type { ReleaseSpec } from '../../lib/chart/release-spec.ts';

/** Why the release would not work as installed, a line each; none where it would. */
export function verdict(fit: Fit, spec: ReleaseSpec): string[] {
  const objects = parseAllDocuments(fit.text, { version: '1.1' }).flatMap((d) => itemsOf(d.toJS()));
  const pods = objects.flatMap(podsOf);
  return [
    ...elsewhere(objects, spec),
    ...unmade(objects, pods, fit),
    ...(spec.side === 'gke' ? [...unselected(objects, pods), ...policiesMiss(objects, pods, fit)] : []),
    ...patchesLost(objects, fit),
    ...ownedTwice(objects, fit),
  ];
}

/** What lies at a path; undefined where there is nothing. */
function at(node: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>(
    (n, key) => (typeof n === 'object' && n !== null ? (n as Record<string, unknown>)[key] : undefined),
    node,
  );
}
const list = (node: unknown, ...path: string[]): unknown[] => {
  const found = at(node, ...path);
  return Array.isArray(found) ? found : [];
};
const idOf = (object: unknown): string => `${String(at(object, 'kind'))}/${String(at(object, 'metadata', 'name'))}`;

function itemsOf(value: unknown): unknown[] {
  if (value === null) return [];
  const items = at(value, 'items');
  return Array.isArray(items) ? items.flatMap(itemsOf) : [value];
}

interface Pod {
  name: string;
  labels: unknown;
  spec: unknown;
}

/** Of any object that holds a pod spec, at whatever depth, unless it is at 0 replicas. */
function podsOf(object: unknown): Pod[] {
  const found: Pod[] = [];
  const walk = (node: unknown, labels: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    if (list(node, 'containers').length > 0) found.push({ name: idOf(object), labels, spec: node });
    else for (const child of Object.values(node)) walk(child, at(node, 'metadata', 'labels'));
  };
  if (at(object, 'spec', 'replicas') !== 0) walk(object, {});
  return found;
}

function elsewhere(objects: readonly unknown[], { namespace }: ReleaseSpec): string[] {
  return objects.flatMap((o) => {
    const to = at(o, 'metadata', 'namespace');
    return to === undefined || to === namespace ? [] : [`${idOf(o)} goes to another namespace`];
  });
}

/** Every Secret key that a pod needs is rendered or among those that are made. */
function unmade(objects: readonly unknown[], pods: readonly Pod[], fit: Fit): string[] {
  const made = new Map(fit.secrets.map((s) => [`Secret/${s.name}`, new Set(s.keys)]));
  for (const extra of fit.extras)
    if (extra.kind === 'certificate') made.set(`Secret/${extra.name}`, new Set(['tls.crt', 'tls.key']));
  for (const o of objects)
    made.set(idOf(o), new Set(Object.keys({ ...(at(o, 'data') ?? {}), ...(at(o, 'stringData') ?? {}) })));
  const wrong: string[] = [];
  const need = (pod: string, source: unknown, keys: readonly unknown[]): void => {
    if (typeof source !== 'object' || source === null || at(source, 'optional') === true) return;
    const name = `Secret/${String(at(source, 'secretName') ?? at(source, 'name'))}`;
    const has = made.get(name);
    if (!has) wrong.push(`${pod} needs ${name}`);
    for (const key of keys) if (has && !has.has(String(key))) wrong.push(`${pod} needs ${String(key)} of ${name}`);
  };
  const walk = (pod: string, node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    need(pod, at(node, 'secretKeyRef'), [at(node, 'secretKeyRef', 'key')]);
    need(pod, at(node, 'secretRef'), []);
    need(
      pod,
      at(node, 'secret'),
      list(node, 'secret', 'items').map((i) => at(i, 'key')),
    );
    for (const child of Object.values(node)) walk(pod, child);
  };
  for (const pod of pods) walk(pod.name, pod.spec);
  return wrong;
}

function selected(selector: unknown, labels: unknown): boolean {
  return Object.entries(selector ?? {}).every(([key, value]) => at(labels, key) === value);
}

function unselected(objects: readonly unknown[], pods: readonly Pod[]): string[] {
  return objects
    .filter((o) => at(o, 'kind') === 'Service' && at(o, 'spec', 'selector') !== undefined)
    .filter((o) => !pods.some((p) => selected(at(o, 'spec', 'selector'), p.labels)))
    .map((o) => `${idOf(o)} selects no pod`);
}

/** The API has one budget, and none is both rendered and made beside the release. */
function ownedTwice(objects: readonly unknown[], fit: Fit): string[] {
  const budgets = fit.extras.flatMap((e) => (e.kind === 'pod-disruption-budget' ? [e] : []));
  return budgets.flatMap(({ name, selector }) => [
    ...(objects.some((o) => idOf(o) === `PodDisruptionBudget/${name}`) ? [`${name} has two owners`] : []),
    ...objects
      .filter((o) => at(o, 'kind') === 'PodDisruptionBudget')
      .filter((o) => selected(at(o, 'spec', 'selector', 'matchLabels'), selector))
      .map((o) => `${idOf(o)} and ${name} hold the same pods`),
  ]);
}

/** kustomize drops a patch of what is not there, and says nothing. */
function patchesLost(objects: readonly unknown[], fit: Fit): string[] {
  return fit.extras.flatMap((extra) => {
    const name =
      'workload' in extra ? extra.workload : 'deployment' in extra ? `Deployment/${extra.deployment}` : undefined;
    return name === undefined || objects.some((o) => idOf(o) === name) ? [] : [`${extra.kind} patches no ${name}`];
  });
}

/** The policies let the Ingress to where the API's container listens, and the API to where Redis does. */
function policiesMiss(objects: readonly unknown[], pods: readonly Pod[], fit: Fit): string[] {
  const policy = fit.extras.find((e) => e.kind === 'network-policy');
  if (!policy) return ['no NetworkPolicy'];
  const listens = (service: unknown, port: unknown): unknown[] => {
    const of = objects.find((o) => idOf(o) === `Service/${String(service)}`);
    const sent = list(of, 'spec', 'ports').find((p) => at(p, 'port') === port || at(p, 'name') === port);
    const to = at(sent, 'targetPort') ?? at(sent, 'port');
    if (typeof to === 'number') return [to];
    return pods
      .filter((p) => selected(at(of, 'spec', 'selector'), p.labels))
      .flatMap((p) => list(p.spec, 'containers').flatMap((c) => list(c, 'ports')))
      .filter((p) => at(p, 'name') === to)
      .map((p) => at(p, 'containerPort'));
  };
  const paths = objects
    .filter((o) => at(o, 'kind') === 'Ingress')
    .flatMap((o) => list(o, 'spec', 'rules').flatMap((r) => list(r, 'http', 'paths')));
  return paths.flatMap((path) => {
    const service = at(path, 'backend', 'service');
    const to = listens(at(service, 'name'), at(service, 'port', 'number') ?? at(service, 'port', 'name'));
    return to.includes(policy.apiPort) ? [] : [`the Ingress leads to ${to.join()}, open is ${policy.apiPort}`];
  });
}
