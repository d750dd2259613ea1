/** Takes the deployment's own out of a namespace, and the namespace with it where the runbook made it and nothing else is in it. */
import type { Context } from '../../context.ts';
import { fullKind } from '../../clients/drift.ts';
import { isOurNamespace, owned, type Owned, type Place } from './ownership.ts';
import { keptBecause } from './retained.ts';
import { waitFor } from '../../base/wait.ts';
import { nameOf, type KubeObject } from '../../base/kubernetes.ts';
import type { Retained } from '../../step.ts';

const NAMESPACE_TIMEOUT_MS = 300_000;

/** Why the namespace stays; undefined: it goes, with all that is in it. */
export function namespaceKept(
  { namespace, inside, foreign }: Owned,
  place: Place,
  retained: Retained,
): string | undefined {
  if (!isOurNamespace(namespace)) return 'it was there before the runbook';
  const [other] = foreign;
  if (other) {
    const more = foreign.length > 1 ? ` and ${foreign.length - 1} more` : '';
    return `it holds ${nameOf(other)}${more}, which the runbook did not make`;
  }
  const kept = inside.find((o) => keptBecause(o, place, retained));
  return kept && `it holds ${nameOf(kept)}`;
}

/** Deletes what is the deployment's own in and beside the namespace, less what is retained. Tolerant of what is gone. */
export async function removeObjects(ctx: Context, place: Place, retained: Retained): Promise<void> {
  const found = await owned(ctx, place);
  const goes = (o: KubeObject): boolean => keptBecause(o, place, retained) === undefined;
  const remove = (o: KubeObject): Promise<void> =>
    ctx
      .kube({ context: place.target.context, namespace: o.metadata.namespace ?? place.target.namespace })
      .delete(fullKind(o), o.metadata.name);
  // A volume goes by itself, after its claim.
  const volumes = found.beside.filter((o) => o.kind === 'PersistentVolume' && goes(o));
  for (const o of found.beside) if (goes(o) && !volumes.includes(o)) await remove(o);
  if (found.namespace && namespaceKept(found, place, retained) === undefined)
    await ctx.kube(place.target).delete('Namespace', place.target.namespace, NAMESPACE_TIMEOUT_MS);
  else for (const o of found.inside) if (goes(o)) await remove(o);
  if (volumes.length > 0) await volumesGone(ctx, place, volumes);
}

async function volumesGone(ctx: Context, place: Place, volumes: readonly KubeObject[]): Promise<void> {
  const kube = ctx.kube(place.target);
  await waitFor(
    {
      what: 'the volumes',
      timeoutMs: 120_000,
      probe: async () => {
        const left = (await Promise.all(volumes.map((v) => kube.get(v.kind, v.metadata.name)))).flatMap((v) => v ?? []);
        return left.length === 0
          ? { state: 'ready', value: undefined }
          : { state: 'pending', reason: `${left.map((v) => v.metadata.name).join(', ')} is still there` };
      },
      next: `kubectl --context ${place.target.context} describe pv ${volumes[0]?.metadata.name ?? ''}`,
    },
    ctx,
  );
}
