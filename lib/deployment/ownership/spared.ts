/** What a removal leaves alone, and why: KEEP=…, what others use, and what the runbook did not make. */
import type { Context } from '../../context.ts';
import {
  CERT_MANAGER_NAMESPACE,
  deploymentName,
  DNS01_SECRET,
  INGRESS_CLASS,
  INGRESS_NAMESPACE,
  ISSUER_NAMES,
} from '../cluster/infrastructure.ts';
import type { Keep, Part, Spared } from '../../step.ts';
import { id, isOurNamespace, type Place } from './ownership.ts';
import type { KubeObject } from '../../base/kubernetes.ts';
import { TLS_SECRET } from '../../chart/secret-names.ts';

const OUR_ISSUERS: readonly string[] = Object.values(ISSUER_NAMES);

/** What this removal leaves alone, by KEEP and by live truth. @throws Failure, CommandFailed when Google or the cluster does not answer */
export async function sparedBy(ctx: Context, keep: ReadonlySet<Keep>): Promise<Spared> {
  const spared = new Map<Part, string>();
  const spare = (part: Part, reason: string | undefined): void => {
    if (reason !== undefined && !spared.has(part)) spared.set(part, reason);
  };
  if (keep.has('dns')) {
    spare('record', 'KEEP=dns');
    spare('address', 'KEEP=dns: a record whose address is free for others invites a takeover');
  }
  if (keep.has('ip')) spare('address', 'KEEP=ip');
  if (keep.has('certs')) spare('certificates', 'KEEP=certs');
  if (keep.has('data')) spare('data', 'KEEP=data');
  await Promise.all([spareIssuing(ctx, spare), spareIngress(ctx, spare)]);
  await spareAddress(ctx, spared, spare);
  return spared;
}

type Spare = (part: Part, reason: string | undefined) => void;

/** cert-manager that others use or made, and the issuers that other Certificates name. */
async function spareIssuing(ctx: Context, spare: Spare): Promise<void> {
  const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
  const [namespace, certificates, issuers, clusterIssuers] = await Promise.all([
    kube.get('Namespace', CERT_MANAGER_NAMESPACE),
    kube.listAll('Certificate.cert-manager.io'),
    kube.listAll('Issuer.cert-manager.io'),
    kube.list('ClusterIssuer.cert-manager.io'),
  ]);
  const { namespace: ours } = ctx.settings.gke;
  const others = certificates.filter((c) => c.metadata.name !== TLS_SECRET || c.metadata.namespace !== ours);
  const user = others.find((c) => {
    const { issuerRef } = c['spec'] as { issuerRef: { kind?: string; name: string } };
    return issuerRef.kind === 'ClusterIssuer' && OUR_ISSUERS.includes(issuerRef.name);
  });
  spare('issuers', user && `${where(user)} is issued by them`);
  if (namespace && !isOurNamespace(namespace)) spare('cert-manager', 'it was there before the runbook');
  const [other] = [...others, ...issuers, ...clusterIssuers.filter((i) => !OUR_ISSUERS.includes(i.metadata.name))];
  spare('cert-manager', other && `${where(other)} needs it`);
}

/** The ingress controller that was there before, or that serves somebody else's Ingress. */
async function spareIngress(ctx: Context, spare: Spare): Promise<void> {
  const { ingressController, gke, release } = ctx.settings;
  if (ingressController === 'existing') {
    spare('ingress', 'INGRESS_CONTROLLER=existing: it was there before the runbook');
    return;
  }
  const ingresses = await ctx.inGke(INGRESS_NAMESPACE).listAll('Ingress.networking.k8s.io');
  const other = ingresses.find((i) => {
    const { annotations = {}, namespace } = i.metadata;
    const { ingressClassName } = i['spec'] as { ingressClassName?: string };
    const served = (ingressClassName ?? annotations['kubernetes.io/ingress.class']) === INGRESS_CLASS;
    return served && !(namespace === gke.namespace && annotations['meta.helm.sh/release-name'] === release);
  });
  spare('ingress', other && `${where(other)} is served by it`);
}

/** An address that was not reserved by this deployment or stays in use, and a record that points elsewhere. */
async function spareAddress({ google, settings }: Context, spared: Spared, spare: Spare): Promise<void> {
  const [address, record] = await Promise.all([
    google.address(settings.staticIpName),
    google.record(settings.dnsZone, `${settings.host}.`, 'A'),
  ]);
  if (record && address && record.rrdatas.join() !== address.address)
    spare('record', `it points to ${record.rrdatas.join(', ')}, which is not the address of this deployment`);
  if (record && !address)
    spare('record', `it points to ${record.rrdatas.join(', ')}, and no address ${settings.staticIpName} is reserved`);
  if (address && address.description !== deploymentName(settings))
    spare('address', 'the runbook did not reserve it (its description is another)');
  const controller = spared.get('ingress');
  if (address?.status === 'IN_USE' && controller) spare('address', `the ingress controller stays at it: ${controller}`);
}

/** Why this object of the deployment is kept; undefined: it goes. */
export function keptBecause(o: KubeObject, part: Place['part'], spared: Spared): string | undefined {
  if (o.kind === 'PersistentVolumeClaim' || o.kind === 'PersistentVolume')
    return spared.get('data') ?? (isRetained(o) ? "its storage class's reclaim policy is Retain" : undefined);
  switch (part) {
    case 'remote':
      return undefined;
    case 'release':
      return id(o) === `Secret/${TLS_SECRET}` ? spared.get('certificates') : undefined;
    case 'ingress':
      return spared.get('ingress');
    case 'cert-manager':
      if (o.kind === 'ClusterIssuer' || id(o) === `Secret/${DNS01_SECRET.name}`) return spared.get('issuers');
      if (o.kind === 'Secret' && OUR_ISSUERS.includes(o.metadata.name))
        return spared.get('issuers') ?? spared.get('certificates');
      return spared.get('cert-manager');
  }
}

function isRetained(o: KubeObject): boolean {
  return (o['spec'] as { persistentVolumeReclaimPolicy?: string }).persistentVolumeReclaimPolicy === 'Retain';
}

function where({ kind, metadata: { name, namespace } }: KubeObject): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}
