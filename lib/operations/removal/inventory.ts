/** What there is of a deployment now, everywhere: read from the clusters, Google and this machine, never from memory. */
import { STEP } from '../../base/plan-steps.ts';
import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { clusterIds } from '../../deployment/kubently/api.ts';
import { IMAGES } from '../../deployment/kubently/checkout.ts';
import { namespaceKept } from '../../deployment/ownership/remove-objects.ts';
import type { Context } from '../../context.ts';
import { firstLine } from '../../base/failure.ts';
import { dns01Members } from '../../deployment/dns/dns01-account.ts';
import { deploymentName, dns01Email } from '../../deployment/cluster/infrastructure.ts';
import { isOurNamespace, owned, places, type Place } from '../../deployment/ownership/ownership.ts';
import { fitFiles } from '../../deployment/release/fitted.ts';
import { keptBecause } from '../../deployment/ownership/retained.ts';
import type { StepId } from '../../step.ts';
import type { KubeObject } from '../../base/kubernetes.ts';
import type { Retained } from '../../step.ts';

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

/** Everything that is there. A remote cluster that does not answer is an item that is stuck. */
export async function inventory(ctx: Context, retained: Retained): Promise<Item[]> {
  const all = places(ctx.settings);
  const contexts = [...new Set(all.map((p) => p.target.context))];
  // One read for all places of a cluster.
  const clusterWide = new Map(
    contexts.map((context) => [context, ctx.kube({ context, namespace: 'default' }).everything('cluster')]),
  );
  const found = await Promise.all([
    ...all.map((place) =>
      inPlace(ctx, place, retained, clusterWide.get(place.target.context)).catch((error: unknown): Item[] => {
        if (place.part !== 'remote') throw error;
        const stuck = `the cluster does not answer: ${firstLine(error)}; is it gone for good, take it out of REMOTE_CLUSTERS`;
        return [
          {
            step: place.step,
            where: whereIs(place),
            kind: 'Cluster',
            name: place.target.context,
            kept: undefined,
            stuck,
          },
        ];
      }),
    ),
    inGoogle(ctx, retained),
    Promise.resolve(here(ctx)),
  ]);
  return found.flat();
}

async function inPlace(
  ctx: Context,
  place: Place,
  retained: Retained,
  clusterWide: Promise<KubeObject[]> | undefined,
): Promise<Item[]> {
  const found = await owned(ctx, place, clusterWide);
  const item = (o: KubeObject): Item => {
    const isRelease = o['type'] === 'helm.sh/release.v1';
    return {
      step: place.step,
      where: whereIs(place),
      kind: isRelease ? 'Helm release' : o.kind,
      name: isRelease ? (o.metadata.labels?.['name'] ?? '') : o.metadata.name,
      kept: keptBecause(o, place.part, retained),
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

async function inGoogle({ google, settings }: Context, retained: Retained): Promise<Item[]> {
  const { host, dnsZone, staticIpName } = settings;
  const email = dns01Email(settings);
  const challenge = `_acme-challenge.${host}`;
  const [address, record, text, account, bindings] = await Promise.all([
    google.address(staticIpName),
    google.record(dnsZone, `${host}.`, 'A'),
    google.record(dnsZone, `${challenge}.`, 'TXT'),
    google.serviceAccount(email),
    google.bindings(),
  ]);
  const item = (step: StepId, kind: string, name: string, kept?: string): Item => ({
    step,
    where: `Google Cloud, project ${settings.project}`,
    kind,
    name,
    kept,
  });
  const ours = account?.description === deploymentName(settings);
  const costs =
    address && retained.has('address') && address.status !== 'IN_USE' ? ' (it costs money while nothing uses it)' : '';
  const addressKept = retained.get('address');
  return [
    ...(record
      ? [item(STEP.staticIpAndDns, 'A record', `${host} → ${record.rrdatas.join(', ')}`, retained.get('record'))]
      : []),
    ...(text ? [item(STEP.staticIpAndDns, 'TXT record', challenge)] : []),
    ...(address
      ? [
          item(
            STEP.staticIpAndDns,
            'Address',
            `${staticIpName} (${address.address})`,
            addressKept && addressKept + costs,
          ),
        ]
      : []),
    ...(account
      ? [
          item(
            STEP.dns01ServiceAccount,
            'Service account',
            email,
            ours ? retained.get('issuers') : 'another deployment made it (its description says so)',
          ),
        ]
      : []),
    ...dns01Members(settings, bindings, ours).map((m) =>
      item(STEP.dns01ServiceAccount, 'IAM binding', m, retained.get('issuers')),
    ),
  ];
}

function here({ settings }: Context): Item[] {
  const item = (step: StepId, name: string, kept?: string): Item => ({
    step,
    where: 'this machine',
    kind: 'File',
    name,
    kept,
  });
  const files = clusterIds({ settings }).flatMap((id) =>
    fitFiles(settings, id)
      .filter((f) => existsSync(f))
      .map((f) => item(id === settings.gkeClusterId ? STEP.values : STEP.remoteValues, relative(process.cwd(), f))),
  );
  return [
    ...files,
    ...(existsSync(settings.tokensFile)
      ? [
          item(
            STEP.tokens,
            settings.tokensFile,
            'the tokens are yours: the next deploy uses them again, or remove the file',
          ),
        ]
      : []),
    {
      step: STEP.images,
      where: settings.images.registry.split('/')[0] ?? '',
      kind: 'Image',
      name: IMAGES.map((i) => `${settings.images.registry}/${i}`).join(', '),
      kept: 'what was pushed there stays: other deployments may run it',
    },
  ];
}

function whereIs({ part, target }: Place): string {
  return `${part === 'remote' ? `cluster ${target.context}` : 'GKE cluster'}, ${target.namespace}`;
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
