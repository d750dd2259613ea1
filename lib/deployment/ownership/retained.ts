/** What a removal leaves alone, and why: KEEP=…, what others use, and what the runbook did not make. */
import { isOfRelease } from '../../clients/helm.ts';
import type { Context } from '../../context.ts';
import {
  CERT_MANAGER_NAMESPACE,
  deploymentName,
  DNS01_SECRET,
  INGRESS_CLASS,
  INGRESS_NAMESPACE,
  ISSUER_NAMES,
} from '../cluster/infrastructure.ts';
import { OURS } from '../../clients/kubectl.ts';
import type { Keep, Part, Retained } from '../../step.ts';
import { isMarked, isOurNamespace, type Place } from './ownership.ts';
import { nameOf, type KubeObject } from '../../base/kubernetes.ts';
import { TLS_SECRET } from '../../chart/secret-names.ts';

const OUR_ISSUERS: readonly string[] = Object.values(ISSUER_NAMES);

/** What this removal leaves alone, by KEEP and by live truth. @throws Failure, CommandFailed when Google or the cluster does not answer */
export async function retainedBy(ctx: Context, keep: ReadonlySet<Keep>): Promise<Retained> {
  const retained = new Map<Part, string>();
  const retain = (part: Part, reason: string | undefined): void => {
    if (reason !== undefined && !retained.has(part)) retained.set(part, reason);
  };
  if (keep.has('dns')) {
    retain('record', 'KEEP=dns');
    retain('address', 'KEEP=dns: a record whose address is free for others invites a takeover');
  }
  if (keep.has('ip')) retain('address', 'KEEP=ip');
  if (keep.has('certs')) retain('certificates', 'KEEP=certs');
  if (keep.has('data')) retain('data', 'KEEP=data');
  await Promise.all([retainIssuing(ctx, retain), retainIngress(ctx, retain)]);
  await retainAddress(ctx, retained, retain);
  return retained;
}

type Retain = (part: Part, reason: string | undefined) => void;

/** cert-manager that others use or made, and the issuers that other Certificates name. */
async function retainIssuing(ctx: Context, retain: Retain): Promise<void> {
  const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
  const [namespace, key, certificates, issuers, clusterIssuers] = await Promise.all([
    kube.get('Namespace', CERT_MANAGER_NAMESPACE),
    kube.get('Secret', DNS01_SECRET.name),
    kube.listAll('Certificate.cert-manager.io'),
    kube.listAll('Issuer.cert-manager.io'),
    kube.list('ClusterIssuer.cert-manager.io'),
  ]);
  const { namespace: ours } = ctx.settings.gke;
  const isOther = ({ metadata: { name, labels, ...at } }: KubeObject): boolean =>
    at.namespace !== ours ||
    (name !== TLS_SECRET && !Object.entries(OURS).every(([key, value]) => labels?.[key] === value));
  const others = certificates.filter(isOther);
  const user = others.find((c) => {
    const { issuerRef } = c['spec'] as { issuerRef: { kind?: string; name: string } };
    return issuerRef.kind === 'ClusterIssuer' && OUR_ISSUERS.includes(issuerRef.name);
  });
  retain('issuers', user && `${where(user)} is issued by them`);
  const used = [...clusterIssuers.filter((i) => OUR_ISSUERS.includes(i.metadata.name)), ...(key ? [key] : [])];
  const theirs = used.find((o) => !isMarked(o.metadata.labels));
  retain('issuers', theirs && `${nameOf(theirs)} is not the runbook's: it was used as it was`);
  if (namespace && !isOurNamespace(namespace)) retain('cert-manager', 'it was there before the runbook');
  const [other] = [
    ...others,
    ...issuers.filter(isOther),
    ...clusterIssuers.filter((i) => !OUR_ISSUERS.includes(i.metadata.name)),
  ];
  retain('cert-manager', other && `${where(other)} needs it`);
}

/** The ingress controller that was there before, or that serves somebody else's Ingress. */
async function retainIngress(ctx: Context, retain: Retain): Promise<void> {
  const { ingressController, gke, release } = ctx.settings;
  if (ingressController === 'existing') {
    retain('ingress', 'INGRESS_CONTROLLER=existing: it was there before the runbook');
    return;
  }
  const kube = ctx.inGke(INGRESS_NAMESPACE);
  const [service, ingresses] = await Promise.all([
    kube.get('Service', 'traefik'),
    kube.listAll('Ingress.networking.k8s.io'),
  ]);
  retain('ingress', service && !isMarked(service.metadata.labels) ? "Service traefik is not the runbook's" : undefined);
  const other = ingresses.find((i) => {
    const { annotations = {} } = i.metadata;
    const { ingressClassName } = i['spec'] as { ingressClassName?: string };
    const served = (ingressClassName ?? annotations['kubernetes.io/ingress.class']) === INGRESS_CLASS;
    return served && !isOfRelease(i, release, gke.namespace);
  });
  retain('ingress', other && `${where(other)} is served by it`);
}

/** An address that was not reserved by this deployment or stays in use, and a record that points elsewhere. */
async function retainAddress(
  { google, settings }: Context,
  retained: Map<Part, string>,
  retain: Retain,
): Promise<void> {
  const [address, record] = await Promise.all([
    google.address(settings.staticIpName),
    google.record(settings.dnsZone, `${settings.host}.`, 'A'),
  ]);
  if (record && address && record.rrdatas.join() !== address.address)
    retain('record', `it points to ${record.rrdatas.join(', ')}, which is not the address of this deployment`);
  if (record && !address)
    retain('record', `it points to ${record.rrdatas.join(', ')}, and no address ${settings.staticIpName} is reserved`);
  if (address && address.description !== deploymentName(settings))
    retain('address', 'the runbook did not reserve it (its description is another)');
  const controller = retained.get('ingress');
  if (address?.status === 'IN_USE' && controller)
    retain('address', `the ingress controller stays at it: ${controller}`);
  const why = retained.get('address');
  if (why !== undefined && address && address.status !== 'IN_USE')
    retained.set('address', `${why} (it costs money while nothing uses it)`);
}

/** Why this object of the deployment is kept; undefined: it goes. */
export function keptBecause(o: KubeObject, { named, part }: Place, retained: Retained): string | undefined {
  if (o.kind === 'PersistentVolumeClaim' || o.kind === 'PersistentVolume')
    return retained.get('data') ?? (isRetained(o) ? "its storage class's reclaim policy is Retain" : undefined);
  const parts = named.get(nameOf(o))?.parts ?? (part ? [part] : []);
  return parts.map((p) => retained.get(p)).find((reason) => reason !== undefined);
}

function isRetained(o: KubeObject): boolean {
  return (o['spec'] as { persistentVolumeReclaimPolicy?: string }).persistentVolumeReclaimPolicy === 'Retain';
}

function where({ kind, metadata: { name, namespace } }: KubeObject): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}
