/** What in the clusters is the deployment's own, by the marks that live objects carry: labels, Helm's annotations, names of what controllers made for it. */
import { isOfRelease } from '../../clients/helm.ts';
import { FIELD_MANAGER } from '../../clients/kubectl.ts';
import type { Context } from '../../context.ts';
import { byId, type Part, type Removal, type Step, type StepId } from '../../step.ts';
import type { Target } from '../../base/target.ts';
import { nameOf, type KubeObject } from '../../base/kubernetes.ts';

/** A namespace in which the deployment has objects: what all its steps own there, as one. */
export interface Place {
  /** The first of the steps: its undo clears the namespace. */
  step: StepId;
  target: Target;
  part: Part | undefined;
  releases: readonly string[];
  named: ReadonlyMap<string, { step: StepId; parts: readonly Part[] }>;
  alsoIn: readonly string[];
  claims: readonly string[];
  probes: boolean;
}

export interface Owned {
  /** Undefined where it is not there. */
  namespace: KubeObject | undefined;
  /** The deployment's own in the namespace, less what these own themselves (pods, ReplicaSets). */
  inside: KubeObject[];
  /** What somebody else made in the namespace. */
  foreign: KubeObject[];
  /** The deployment's own elsewhere: cluster-scoped, or in kube-system. */
  beside: KubeObject[];
}

const MANAGED_BY = 'app.kubernetes.io/managed-by';
const RUNBOOKS = new Set([FIELD_MANAGER, `${FIELD_MANAGER}-probe`]);
/** What every namespace has. */
const OF_THE_CLUSTER = new Set(['ConfigMap/kube-root-ca.crt', 'ServiceAccount/default']);

/** What the steps own in clusters, in the plan's order. */
export function ownedBy(steps: readonly Step[], ctx: Context): Removal['owned'] {
  return [...steps]
    .sort(byId)
    .flatMap((s) => (s.kind === 'change' ? (s.owns(ctx).objects ?? []).map((o) => ({ ...o, step: s.id })) : []));
}

/** The namespaces of what is owned; steps and remote clusters that share one are one place. */
export function placesOf(owned: Removal['owned']): Place[] {
  const byTarget = Map.groupBy(owned, ({ target: { context, namespace } }) => `${context} ${namespace}`);
  return [...byTarget.values()].flatMap((same): Place[] => {
    const [first] = same;
    if (!first) return [];
    return [
      {
        step: first.step,
        target: { context: first.target.context, namespace: first.target.namespace },
        part: same.find((o) => o.part)?.part,
        releases: same.flatMap((o) => o.releases ?? []),
        named: new Map(
          same.flatMap((o) =>
            Object.entries(o.named ?? {}).map(([name, parts]) => [name, { step: o.step, parts }] as const),
          ),
        ),
        alsoIn: same.flatMap((o) => o.alsoIn ?? []),
        claims: same.flatMap((o) => o.claims ?? []),
        probes: same.some((o) => o.probes),
      },
    ];
  });
}

/** The place of a namespace. @throws Error where no step owns anything there */
export function placeAt({ owned }: Pick<Removal, 'owned'>, { context, namespace }: Target): Place {
  const found = placesOf(owned).find((p) => p.target.context === context && p.target.namespace === namespace);
  if (!found) throw new Error(`no step owns anything in namespace ${namespace} of ${context}`);
  return found;
}

/** True for what carries the runbook's mark; of namespaces only those that it made do (lib/deployment/cluster/infrastructure.ts newNamespace). */
export function isMarked(labels: Readonly<Record<string, string>> | undefined): boolean {
  return labels?.[MANAGED_BY] === FIELD_MANAGER;
}

/** True for a namespace that the runbook made. */
export function isOurNamespace(namespace: KubeObject | undefined): boolean {
  return isMarked(namespace?.metadata.labels);
}

/**
 * What is there of the deployment in one place now.
 * @param clusterWide the cluster's objects outside all namespaces, where they are read already
 * @throws CommandFailed where the cluster does not answer
 */
export async function owned(
  ctx: Context,
  place: Place,
  clusterWide: Promise<KubeObject[]> = ctx.kube(place.target).everything('cluster'),
): Promise<Owned> {
  const kube = ctx.kube(place.target);
  const [namespace, inNamespace, outside, also] = await Promise.all([
    kube.get('Namespace', place.target.namespace),
    kube.everything('namespace'),
    clusterWide,
    Promise.all(
      place.alsoIn.map((namespace) =>
        ctx
          .kube({ context: place.target.context, namespace })
          .list('Role.rbac.authorization.k8s.io,RoleBinding.rbac.authorization.k8s.io,Lease.coordination.k8s.io'),
      ),
    ),
  ]);
  const candidates = namespace ? inNamespace.filter((o) => !isDerived(o)) : [];
  return {
    namespace,
    inside: candidates.filter((o) => isOurs(o, place)),
    foreign: candidates.filter((o) => !isOurs(o, place)),
    beside: [
      ...outside.filter((o) => isBeside(o, place)),
      ...also.flat().filter((o) => isHelms(o, place) || place.named.has(nameOf(o))),
    ],
  };
}

function isOurs(o: KubeObject, place: Place): boolean {
  const { labels = {} } = o.metadata;
  if (RUNBOOKS.has(labels[MANAGED_BY] ?? '') || isHelms(o, place) || place.named.has(nameOf(o))) return true;
  if (o['type'] === 'helm.sh/release.v1') return place.releases.includes(labels['name'] ?? '');
  return o.kind === 'PersistentVolumeClaim' && place.releases.includes(labels['app.kubernetes.io/instance'] ?? '');
}

function isHelms(o: KubeObject, { releases, target }: Place): boolean {
  return releases.some((release) => isOfRelease(o, release, target.namespace));
}

/** Cluster-scoped: by Helm's annotation; a volume by its claim; the runbook's own by its label. */
function isBeside(o: KubeObject, place: Place): boolean {
  if (isHelms(o, place)) return true;
  if (o.kind === 'PersistentVolume') {
    const { claimRef } = o['spec'] as { claimRef?: { namespace: string; name: string } };
    return (
      claimRef?.namespace === place.target.namespace && place.claims.some((begin) => claimRef.name.startsWith(begin))
    );
  }
  const by = o.metadata.labels?.[MANAGED_BY];
  if (o.kind === 'Namespace') return place.probes && by === `${FIELD_MANAGER}-probe`;
  // By its label and its name: another deployment in the cluster has the label too.
  return by === FIELD_MANAGER && place.named.has(nameOf(o));
}

/** Made by a controller for another object, or by the cluster for every namespace. */
function isDerived(o: KubeObject): boolean {
  const owners = o.metadata['ownerReferences'] as unknown[] | undefined;
  return (
    (owners?.length ?? 0) > 0 ||
    o.kind === 'Endpoints' ||
    OF_THE_CLUSTER.has(nameOf(o)) ||
    o['type'] === 'kubernetes.io/service-account-token'
  );
}
