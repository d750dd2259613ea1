/** What a step may apply of its objects: never over what somebody else has under the same name. */
import { FIELD_MANAGER, OURS, type Kubectl } from '../../clients/kubectl.ts';
import { drift, fullKind } from '../../clients/drift.ts';
import { differenceLines } from '../../clients/field-differences.ts';
import { nameOf, type KubeObject } from '../../base/kubernetes.ts';
import { shellWord } from '../../base/shell-word.ts';
import { conflict, type Check } from '../../step.ts';
import { isMarked } from './ownership.ts';

export interface Applicable {
  /** What is not there, and what carries the runbook's mark. */
  apply: KubeObject[];
  /** Kind/name of what somebody else has there just as it is wanted: used, and left alone. */
  left: string[];
  /** What somebody else has there in another form. */
  taken: Check | undefined;
}

/** Looks at the objects as they are in the cluster. @throws CommandFailed where the cluster does not answer */
export async function applicable(kube: Kubectl, objects: readonly KubeObject[]): Promise<Applicable> {
  const live = await Promise.all(objects.map((o) => kube.get(fullKind(o), o.metadata.name)));
  const isTheirs = (_: KubeObject, i: number): boolean => {
    const found = live[i];
    return found !== undefined && !isMarked(found.metadata.labels);
  };
  const theirs = objects.filter(isTheirs);
  const apply = objects.filter((o) => !theirs.includes(o));
  if (theirs.length === 0) return { apply, left: [], taken: undefined };
  const { changed } = await drift(kube, theirs.map(unmarked));
  const other = live.find((o) => o !== undefined && changed.some((d) => d.object === nameOf(o)));
  if (!other) return { apply, left: theirs.map(nameOf), taken: undefined };
  const lines = differenceLines(changed.filter((d) => d.object === nameOf(other)));
  return {
    apply,
    left: [],
    taken: conflict(
      `${nameOf(other)} is ${await ownerOf(kube, other)}, and differs: ${lines.slice(0, 3).join('; ')}${lines.length > 3 ? ` (and ${lines.length - 3} more)` : ''}`,
      `have its owner change or rename it; or let the runbook take it over: ${adopt(kube, other)}`,
    ),
  };
}

/** The command by which an operator gives the object to the runbook: from then on it is changed, and removed, like its own. */
export function adopt(kube: Kubectl, object: KubeObject): string {
  const { context, namespace } = kube.target;
  const where = object.metadata.namespace === undefined ? '' : ` --namespace ${namespace}`;
  const label = Object.entries(OURS).map(([name, value]) => `${name}=${value}`);
  return `kubectl --context ${shellWord(context)}${where} label ${fullKind(object)} ${object.metadata.name} ${label.join(' ')} --overwrite`;
}

/** Whose an object without the runbook's mark is, in words that follow "is": by labels and annotations of what makes objects, else by its field managers. */
export async function ownerOf(kube: Kubectl, object: KubeObject): Promise<string> {
  const { labels = {}, annotations = {} } = object.metadata;
  const [flux, argo, kapp, olm, helm, by] = [
    labels['kustomize.toolkit.fluxcd.io/name'] ?? labels['helm.toolkit.fluxcd.io/name'],
    annotations['argocd.argoproj.io/tracking-id']?.split(':')[0],
    labels['kapp.k14s.io/app'],
    labels['olm.owner'],
    annotations['meta.helm.sh/release-name'],
    labels['app.kubernetes.io/managed-by'],
  ];
  if (flux) return `Flux's (${flux})`;
  if (argo) return `Argo CD's (application ${argo})`;
  if (kapp) return `kapp's (app ${kapp})`;
  if (olm) return `an operator's (${olm})`;
  if (helm) return `Helm's (release ${helm} of namespace ${annotations['meta.helm.sh/release-namespace'] ?? '?'})`;
  if (by) return `${by}'s (label app.kubernetes.io/managed-by)`;
  const managers = (await kube.managers(fullKind(object), object.metadata.name)).filter((m) => m !== FIELD_MANAGER);
  return managers.length > 0 ? `somebody else's (written by ${managers.join(', ')})` : "somebody else's";
}

/** The object less the runbook's mark, which nobody else's has. */
function unmarked(object: KubeObject): KubeObject {
  const { labels = {}, ...metadata } = object.metadata;
  const others = Object.entries(labels).filter(([name]) => OURS[name] === undefined);
  return { ...object, metadata: { ...metadata, ...(others.length > 0 ? { labels: Object.fromEntries(others) } : {}) } };
}
