/** What there is of a deployment now, everywhere: read from the clusters, Google and this machine, never from memory. */
import type { Context } from '../../context.ts';
import { firstLine } from '../../base/failure.ts';
import { namespaceKept } from '../../deployment/ownership/remove-objects.ts';
import { isOurNamespace, owned, placesOf, type Place } from '../../deployment/ownership/ownership.ts';
import { keptBecause } from '../../deployment/ownership/retained.ts';
import type { OwnedItem, Removal, Step, StepId } from '../../step.ts';
import { nameOf, type KubeObject } from '../../base/kubernetes.ts';

export interface Item {
  /** The step whose undo removes it. */
  step: StepId;
  /** The cluster and namespace, Google Cloud, or this machine. */
  where: string;
  kind: string;
  name: string;
  /** Why it is kept on purpose; undefined: it goes. */
  kept: string | undefined;
  /** What is known of why it does not go. */
  stuck?: string | undefined;
}

/** Everything of the steps that is there. A remote cluster that does not answer is an item that is stuck. */
export async function inventory(steps: readonly Step[], ctx: Context, removal: Removal): Promise<Item[]> {
  const places = placesOf(removal.owned);
  const contexts = [...new Set(places.map((p) => p.target.context))];
  // One read for all places of a cluster.
  const clusterWide = new Map(
    contexts.map((context) => [context, ctx.kube({ context, namespace: 'default' }).everything('cluster')]),
  );
  const found = await Promise.all([
    ...places.map((place) =>
      inPlace(ctx, place, removal, clusterWide.get(place.target.context)).catch((error: unknown): Item[] => {
        if (isGke(ctx, place)) throw error;
        const stuck = `the cluster does not answer: ${firstLine(error)}; is it gone for good, take it out of REMOTE_CLUSTERS`;
        return [
          {
            step: place.step,
            where: whereIs(ctx, place),
            kind: 'Cluster',
            name: place.target.context,
            kept: undefined,
            stuck,
          },
        ];
      }),
    ),
    ...steps.map(async (step): Promise<Item[]> => {
      const items = step.kind === 'change' ? ((await step.owns(ctx).elsewhere?.()) ?? []) : [];
      return items.map((item) => asItem(step.id, item, removal));
    }),
  ]);
  return found.flat();
}

function asItem(step: StepId, { where, kind, name, part, kept }: OwnedItem, { retained }: Removal): Item {
  return { step, where, kind, name, kept: kept ?? (part && retained.get(part)) };
}

async function inPlace(
  ctx: Context,
  place: Place,
  { retained }: Removal,
  clusterWide: Promise<KubeObject[]> | undefined,
): Promise<Item[]> {
  const found = await owned(ctx, place, clusterWide);
  const item = (o: KubeObject): Item => {
    const isRelease = o['type'] === 'helm.sh/release.v1';
    return {
      step: place.named.get(nameOf(o))?.step ?? place.step,
      where: whereIs(ctx, place),
      kind: isRelease ? 'Helm release' : o.kind,
      name: isRelease ? (o.metadata.labels?.['name'] ?? '') : o.metadata.name,
      kept: keptBecause(o, place, retained),
    };
  };
  const own = [...found.inside, ...found.beside].map(item);
  const once = own.filter((a, i) => own.findIndex((b) => b.kind === a.kind && b.name === a.name) === i);
  if (!found.namespace) return once;
  // A namespace that is not the runbook's and holds nothing of it is none of its business.
  if (!isOurNamespace(found.namespace) && found.inside.length === 0) return once;
  const kept = namespaceKept(found, place, retained);
  return [...once, { ...item(found.namespace), kept, stuck: terminating(found.namespace) }];
}

/** What holds a namespace that is being deleted, in the server's words. */
function terminating(namespace: KubeObject): string | undefined {
  if (namespace.metadata.deletionTimestamp === undefined) return undefined;
  const { conditions = [] } = (namespace['status'] ?? {}) as { conditions?: { status: string; message?: string }[] };
  const saying = conditions.filter((c) => c.status === 'True').map((c) => c.message ?? '');
  return `it is being deleted${saying.length > 0 ? `: ${saying.join('; ')}` : ''}`;
}

function isGke({ settings }: Context, { target }: Place): boolean {
  return target.context === settings.gke.context;
}

function whereIs(ctx: Context, place: Place): string {
  return `${isGke(ctx, place) ? 'GKE cluster' : `cluster ${place.target.context}`}, ${place.target.namespace}`;
}

/** What goes, for a person: by place, a line for each kind, every name. */
export function itemLines(items: readonly Item[]): string[] {
  return group(items, (i) => i.where).flatMap(([where, inside]) => [
    `  ${where}`,
    ...group(inside, (i) => i.kind).map(
      ([kind, same]) => `    ${kind.padEnd(31)} ${same.map((i) => i.name).join(', ')}`,
    ),
  ]);
}

/** What stays, for a person: by place and reason; many of a kind are counted. */
export function leftLines(items: readonly Item[]): string[] {
  return group(items, (i) => i.where).flatMap(([where, inside]) => [
    `  ${where}`,
    ...group(inside, (i) => i.kept ?? i.stuck ?? '').map(([reason, same]) => {
      const names = group(same, (i) => i.kind).map(([kind, of]) =>
        of.length > MOST_NAMED ? `${of.length} of kind ${kind}` : `${kind} ${of.map((i) => i.name).join(', ')}`,
      );
      return `    ${names.join('; ')}\n        ${reason}`;
    }),
  ]);
}

const MOST_NAMED = 3;

function group<T>(list: readonly T[], key: (item: T) => string): [string, T[]][] {
  return [...Map.groupBy(list, key)];
}
