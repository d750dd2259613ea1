/** What applying objects would change, field by field, by a server-side dry run: the server's own answer, with its defaults. */
import { isTerminating } from './conditions.ts';
import { fieldDifferences, type Difference } from './field-differences.ts';
import { FIELD_MANAGER, type Kubectl } from './kubectl.ts';
import { nameOf, type KubeObject } from '../base/kubernetes.ts';

export interface Drift {
  /** Kind/name of what is not there, or is being deleted. */
  absent: string[];
  changed: Difference[];
}

/**
 * What applying the objects would create or change. Values of Secrets are never part of the answer.
 * @param manager whose apply it would be: a field that this manager applied before and the object has no more is removed
 * @throws CommandFailed where the server refuses the change
 */
export async function drift(
  kube: Kubectl,
  objects: readonly KubeObject[],
  manager: string = FIELD_MANAGER,
): Promise<Drift> {
  const live = await Promise.all(objects.map((o) => kube.get(fullKind(o), o.metadata.name)));
  // What is being deleted is there for a moment longer, and takes no change with it.
  const isThere = objects.map((_, i) => {
    const found = live[i];
    return found !== undefined && !isTerminating(found);
  });
  const absent = objects.filter((_, i) => !isThere[i]);
  const present = objects.filter((_, i) => isThere[i]);
  const merged = present.length === 0 ? [] : await kube.applyDryRun(present, manager);
  const changed = present.flatMap((wanted, i) => {
    const found = live[objects.indexOf(wanted)];
    return fieldDifferences(nameOf(wanted), merged[i], found, wanted.kind === 'Secret');
  });
  return { absent: absent.map(nameOf), changed };
}

/** True when applying the objects would change nothing. */
export function isNone({ absent, changed }: Drift): boolean {
  return absent.length === 0 && changed.length === 0;
}

/** `Deployment.apps`, `Secret`: the kind as kubectl takes it. */
export function fullKind({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): string {
  const [group] = apiVersion.includes('/') ? apiVersion.split('/') : [''];
  return group ? `${kind}.${group}` : kind;
}
