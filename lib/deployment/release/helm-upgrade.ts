/** What Helm's upgrade of a release would change, asked of the API server as Helm's own apply. */
import { isDeepStrictEqual } from 'node:util';
import { CommandFailed } from '../../base/command.ts';
import { nameOf, type KubeObject } from '../../base/kubernetes.ts';
import { drift } from '../../clients/drift.ts';
import { differenceLines } from '../../clients/field-differences.ts';
import { releaseMarks } from '../../clients/helm.ts';
import type { Kubectl } from '../../clients/kubectl.ts';
import { isScaled } from './extra-objects.ts';
import type { TargetedRelease } from './targeted-release.ts';

/**
 * What Helm's upgrade from the recorded manifest to these objects would change, as the API server answers: what only
 * the text of a chart says otherwise (a default, a namespace) is no difference. None where both are the same.
 */
export async function upgradeLines(
  kube: Kubectl,
  { spec, target }: TargetedRelease,
  meant: readonly KubeObject[],
  manifest: readonly KubeObject[],
): Promise<string[] | { refused: string }> {
  const sorted = (objects: readonly KubeObject[]): KubeObject[] =>
    [...objects].sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  if (isDeepStrictEqual(sorted(meant), sorted(manifest))) return [];
  const names = new Set(meant.map(nameOf));
  const removed = manifest.filter((o) => !names.has(nameOf(o))).map((o) => `${nameOf(o)}: removed`);
  try {
    const { absent, changed } = await drift(
      kube,
      meant.map((o) => asHelmApplies(o, spec.release, target.namespace)),
      HELM_MANAGER,
    );
    const scaled = new Set(meant.filter((o) => isScaled(meant, o)).map(nameOf));
    const own = changed.filter((d) => !(d.path === 'spec.replicas' && scaled.has(d.object)));
    return [...differenceLines(own), ...absent.map((o) => `${o}: nothing → created`), ...removed];
  } catch (error) {
    const refused =
      error instanceof CommandFailed
        ? error.stderr.split('\n').find((line) => /immutable|forbidden: updates to/i.test(line))
        : undefined;
    if (refused === undefined) throw error;
    return { refused };
  }
}

/** Helm's field manager. */
export const HELM_MANAGER = 'helm';

/** The object with what Helm adds to each of its own. */
function asHelmApplies(object: KubeObject, release: string, namespace: string): KubeObject {
  const { labels, annotations } = object.metadata;
  return {
    ...object,
    metadata: {
      ...object.metadata,
      labels: { ...labels, 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: { ...annotations, ...releaseMarks(release, namespace) },
    },
  };
}

/** The object as it is compared: where an autoscaler counts, its replicas are not the release's. */
export function withoutReplicas(manifest: readonly KubeObject[], object: KubeObject): KubeObject {
  if (!isScaled(manifest, object)) return object;
  const spec = Object.entries(object['spec'] as Record<string, unknown>).filter(([field]) => field !== 'replicas');
  return { ...object, spec: Object.fromEntries(spec) };
}

/** Kinds that a pod reads, which must be there before it starts. */
const READ_BY_PODS: readonly string[] = ['Secret', 'ConfigMap', 'ServiceAccount', 'Service'];

/**
 * What to apply before Helm's upgrade, so that Redis is not replaced while the pods that begin by asking it start: a
 * redis-cli without a timeout hangs on the pod that went (docs/kubently-contract.md 1.5). None where no StatefulSet's
 * pods would be replaced.
 */
export async function statefulFirst(
  kube: Kubectl,
  { spec, target }: TargetedRelease,
  meant: readonly KubeObject[],
): Promise<KubeObject[]> {
  const objects = meant
    .filter((o) => o.kind === 'StatefulSet' || READ_BY_PODS.includes(o.kind))
    .map((o) => asHelmApplies(o, spec.release, target.namespace));
  const sets = objects.filter((o) => o.kind === 'StatefulSet');
  const { changed } = await drift(kube, sets, HELM_MANAGER);
  const replaced = new Set(changed.filter((d) => /^spec\.template\b/.test(d.path)).map((d) => d.object));
  if (replaced.size === 0) return [];
  return [...objects.filter((o) => o.kind !== 'StatefulSet'), ...sets.filter((o) => replaced.has(nameOf(o)))];
}
