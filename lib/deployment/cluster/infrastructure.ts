/** Names and versions of phase 1 that more than one step needs. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { Failure } from '../../base/failure.ts';
import { condition, isTerminating, saying } from '../../clients/conditions.ts';
import { OURS, type Kubectl } from '../../clients/kubectl.ts';
import type { Issuer, Settings } from '../../settings/settings.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

/** Newest supported line. */
export const CERT_MANAGER_VERSION = 'v1.21.2';
export const CERT_MANAGER_NAMESPACE = 'cert-manager';
export const CERT_MANAGER_RELEASE = 'cert-manager';

/** Plan step 1.2. */
export const DNS01_ROLE = 'roles/dns.admin';
export const DNS01_SECRET = { name: 'clouddns-dns01-solver-sa', key: 'key.json' } as const;

export const INGRESS_NAMESPACE = 'traefik';
export const INGRESS_CLASS = 'nginx';

/** Plan step 1.4. */
export const ISSUER_NAMES: Record<Issuer, string> = { staging: 'letsencrypt-staging', production: 'letsencrypt-prod' };

/** The DNS-01 service account's address. */
export function dns01Email(settings: Pick<Settings, 'dns01Account' | 'project'>): string {
  // A project of a domain, example.com:my-project, stands the other way round there.
  return `${settings.dns01Account}@${settings.project.split(':').reverse().join('.')}.iam.gserviceaccount.com`;
}

/** What the account's description says, so that only this deployment's keys count as its own. */
export function deploymentName(settings: Pick<Settings, 'host'>): string {
  return `kubently-runbook ${settings.host}`;
}

/** Where an inventory says that something is. */
export function inGoogleCloud({ project }: Pick<Settings, 'project'>): string {
  return `Google Cloud, project ${project}`;
}

/** The text of a file in values/, with ${NAME} filled in. @throws Error on a name that is not given */
function valuesText(file: string, fill: Readonly<Record<string, string>>): string {
  return readFileSync(join(import.meta.dirname, '..', '..', '..', 'values', file), 'utf8').replace(
    /^(?![ \t]*#).*\$\{\w+\}.*$/gm,
    (line) =>
      line.replace(/\$\{(\w+)\}/g, (_, name: string) => {
        const value = fill[name];
        if (value === undefined) throw new Error(`values/${file} names \${${name}}, which nothing gives`);
        return value;
      }),
  );
}

/** The objects of a file in values/, with ${NAME} filled in. @throws Error on a name that is not given */
export function valuesFile(file: string, fill: Readonly<Record<string, string>>): unknown[] {
  return parseAllDocuments(valuesText(file, fill), { uniqueKeys: true }).map((d) => d.toJS() as unknown);
}

/** The ingress controller's objects (values/traefik.yaml) with its configuration and the reserved address. */
export function ingressObjects(
  settings: Pick<Settings, 'staticIpName' | 'hstsIncludeSubdomains' | 'ingressReplicas'>,
  address: string,
): KubeObject[] {
  const dynamic = valuesText('traefik-dynamic.yaml', {
    HSTS_INCLUDE_SUBDOMAINS: String(settings.hstsIncludeSubdomains),
  });
  const objects = valuesFile('traefik.yaml', {
    ADDRESS: address,
    ADDRESS_NAME: settings.staticIpName,
    REPLICAS: String(settings.ingressReplicas),
    DYNAMIC_HASH: createHash('sha256').update(dynamic).digest('hex').slice(0, 16),
  }) as KubeObject[];
  const configMap: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'traefik-dynamic', namespace: INGRESS_NAMESPACE, labels: OURS },
    data: { 'dynamic.yaml': dynamic },
  };
  // Before the Deployment that mounts it, after the namespace that holds it.
  return [...objects.slice(0, 1), configMap, ...objects.slice(1)];
}

/** Prometheus's objects (values/monitoring/), for clusters whose Prometheus operator knows them. */
export function monitoringObjects(settings: Settings): KubeObject[] {
  return ['prometheus-rules.yaml', 'pod-monitors.yaml'].flatMap(
    (file) =>
      valuesFile(join('monitoring', file), {
        NAMESPACE: settings.gke.namespace,
        RELEASE: settings.release,
        EXECUTORS: String(1 + settings.remotes.length),
      }) as KubeObject[],
  );
}

/**
 * The namespace to make, marked as the runbook's; none where it is there: what the runbook did not make, it does not remove.
 * @throws Failure where it is being deleted: it takes nothing any more
 */
export async function newNamespace(kube: Kubectl): Promise<KubeObject[]> {
  const { namespace: name, context } = kube.target;
  const found = await kube.get('Namespace', name);
  if (found && isTerminating(found))
    throw new Failure({
      what: `namespace ${name} of ${context} is being deleted`,
      found: saying(condition(found, 'NamespaceContentRemaining') ?? condition(found, 'NamespaceFinalizersRemaining')),
      next: `kubectl --context ${context} wait --for=delete namespace/${name} --timeout=5m, then rerun the same command`,
    });
  if (found) return [];
  return [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: OURS } }];
}

/** Makes that namespace where it is not there; nothing is applied where it is. */
export async function ensureNamespace(kube: Kubectl): Promise<void> {
  const fresh = await newNamespace(kube);
  if (fresh.length > 0) await kube.apply(fresh);
}
