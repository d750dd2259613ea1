/** What in the clusters is the deployment's own, by the marks that live objects carry: labels, Helm's annotations, names of what controllers made for it. */
import { STEP } from '../../base/plan-steps.ts';
import type { Context } from '../../context.ts';
import {
  CERT_MANAGER_NAMESPACE,
  CERT_MANAGER_RELEASE,
  INGRESS_NAMESPACE,
  ingressObjects,
  ISSUER_NAMES,
} from '../cluster/infrastructure.ts';
import { FIELD_MANAGER } from '../../clients/kubectl.ts';
import type { Settings } from '../../settings/settings.ts';
import type { StepId } from '../../step.ts';
import type { Target } from '../../base/target.ts';
import type { KubeObject } from '../../base/kubernetes.ts';
import { TLS_SECRET } from '../../chart/secret-names.ts';

/** A namespace in which the deployment has objects, and the step whose undo clears it. */
export interface Place {
  part: 'release' | 'remote' | 'cert-manager' | 'ingress';
  step: StepId;
  target: Target;
  /** Helm releases of the deployment in it. */
  releases: string[];
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

/** What controllers made for the deployment without a mark of whose it is. */
const BY_NAME: Record<Place['part'], ReadonlySet<string>> = {
  release: new Set([`Secret/${TLS_SECRET}`]),
  remote: new Set(),
  ingress: new Set(),
  'cert-manager': new Set([
    ...Object.values(ISSUER_NAMES).map((name) => `Secret/${name}`),
    'Secret/cert-manager-webhook-ca',
    'Lease/cert-manager-controller',
    'Lease/cert-manager-cainjector-leader-election',
  ]),
};

/** What the runbook applies outside all namespaces, by part. */
const CLUSTER_SCOPED: Record<Place['part'], () => ReadonlySet<string>> = {
  release: () => new Set(),
  remote: () => new Set(),
  ingress: () =>
    new Set(
      ingressObjects({ staticIpName: '', hstsIncludeSubdomains: false }, '')
        .filter((o) => o.metadata.namespace === undefined)
        .map(id),
    ),
  'cert-manager': () => new Set(Object.values(ISSUER_NAMES).map((name) => `ClusterIssuer/${name}`)),
};

/** All places of a deployment; remotes that share a namespace are one. */
export function places({ gke, release, remotes }: Pick<Settings, 'gke' | 'release' | 'remotes'>): Place[] {
  const inGke = (namespace: string): Target => ({ context: gke.context, namespace });
  const all: Place[] = [
    { part: 'release', step: STEP.secrets, target: gke, releases: [release] },
    {
      part: 'cert-manager',
      step: STEP.certManager,
      target: inGke(CERT_MANAGER_NAMESPACE),
      releases: [CERT_MANAGER_RELEASE],
    },
    { part: 'ingress', step: STEP.ingressController, target: inGke(INGRESS_NAMESPACE), releases: [] },
  ];
  for (const { context, namespace, release: name } of remotes) {
    const known = all.find((p) => p.target.context === context && p.target.namespace === namespace);
    if (known) known.releases.push(name);
    else all.push({ part: 'remote', step: STEP.remoteRelease, target: { context, namespace }, releases: [name] });
  }
  return all;
}

/** The place of a part in the GKE cluster. */
export function placeOf(settings: Settings, part: Exclude<Place['part'], 'remote'>): Place {
  const found = places(settings).find((p) => p.part === part);
  if (!found) throw new Error(`no place ${part}`);
  return found;
}

/** True for a namespace that the runbook made: it marks only those (lib/deployment/cluster/infrastructure.ts newNamespace). */
export function isOurNamespace(namespace: KubeObject | undefined): boolean {
  return namespace?.metadata.labels?.[MANAGED_BY] === FIELD_MANAGER;
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
  const [namespace, inNamespace, outside, inSystem] = await Promise.all([
    kube.get('Namespace', place.target.namespace),
    kube.everything('namespace'),
    clusterWide,
    place.part === 'cert-manager'
      ? ctx
          .inGke('kube-system')
          .list('Role.rbac.authorization.k8s.io,RoleBinding.rbac.authorization.k8s.io,Lease.coordination.k8s.io')
      : [],
  ]);
  const candidates = namespace ? inNamespace.filter((o) => !isDerived(o)) : [];
  return {
    namespace,
    inside: candidates.filter((o) => isOurs(o, place)),
    foreign: candidates.filter((o) => !isOurs(o, place)),
    beside: [
      ...outside.filter((o) => isBeside(o, place)),
      ...inSystem.filter((o) => isHelms(o, place) || BY_NAME[place.part].has(id(o))),
    ],
  };
}

/** Kind/name. */
export function id({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.name}`;
}

function isOurs(o: KubeObject, place: Place): boolean {
  const { labels = {} } = o.metadata;
  if (RUNBOOKS.has(labels[MANAGED_BY] ?? '') || isHelms(o, place) || BY_NAME[place.part].has(id(o))) return true;
  if (o['type'] === 'helm.sh/release.v1') return place.releases.includes(labels['name'] ?? '');
  return o.kind === 'PersistentVolumeClaim' && place.releases.includes(labels['app.kubernetes.io/instance'] ?? '');
}

function isHelms({ metadata: { annotations = {} } }: KubeObject, { releases, target }: Place): boolean {
  return (
    releases.includes(annotations['meta.helm.sh/release-name'] ?? '') &&
    annotations['meta.helm.sh/release-namespace'] === target.namespace
  );
}

/** Cluster-scoped: by Helm's annotation; a volume by its claim; the runbook's own by its label. */
function isBeside(o: KubeObject, place: Place): boolean {
  if (isHelms(o, place)) return true;
  if (o.kind === 'PersistentVolume') {
    const { claimRef } = o['spec'] as { claimRef?: { namespace: string; name: string } };
    return (
      place.part === 'release' &&
      claimRef?.namespace === place.target.namespace &&
      claimRef.name.startsWith('redis-data-')
    );
  }
  const by = o.metadata.labels?.[MANAGED_BY];
  if (o.kind === 'Namespace') return place.part === 'release' && by === `${FIELD_MANAGER}-probe`;
  // By its label and its name: another deployment in the cluster has the label too.
  return by === FIELD_MANAGER && CLUSTER_SCOPED[place.part]().has(id(o));
}

/** Made by a controller for another object, or by the cluster for every namespace. */
function isDerived(o: KubeObject): boolean {
  const owners = o.metadata['ownerReferences'] as unknown[] | undefined;
  return (
    (owners?.length ?? 0) > 0 ||
    o.kind === 'Endpoints' ||
    OF_THE_CLUSTER.has(id(o)) ||
    o['type'] === 'kubernetes.io/service-account-token'
  );
}
