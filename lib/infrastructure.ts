/** Names and versions of phase 1 that more than one step needs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { Binding } from './google.ts';
import { OURS, type Kubectl, type KubeObject } from './kubectl.ts';
import type { Issuer, Settings } from './settings.ts';

/** Newest supported line (field-notes F9). */
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
  return `${settings.dns01Account}@${settings.project}.iam.gserviceaccount.com`;
}

/** What the account's description says, so that only this deployment's keys count as its own. */
export function deploymentName(settings: Pick<Settings, 'host'>): string {
  return `kubently-runbook ${settings.host}`;
}

/** The objects of a file in values/, with ${NAME} filled in. @throws Error on a name that is not given */
export function valuesFile(file: string, fill: Readonly<Record<string, string>>): unknown[] {
  const text = readFileSync(join(import.meta.dirname, '..', 'values', file), 'utf8').replace(
    /\$\{(\w+)\}/g,
    (_, name: string) => {
      const value = fill[name];
      if (value === undefined) throw new Error(`values/${file} names \${${name}}, which nothing gives`);
      return value;
    },
  );
  return parseAllDocuments(text, { uniqueKeys: true }).map((d) => d.toJS() as unknown);
}

/** The ingress controller's objects (values/traefik.yaml) with the reserved address. */
export function ingressObjects(settings: Pick<Settings, 'staticIpName'>, address: string): KubeObject[] {
  return valuesFile('traefik.yaml', { ADDRESS: address, ADDRESS_NAME: settings.staticIpName }) as KubeObject[];
}

/** The namespace to make, marked as the runbook's; none where it is there: what the runbook did not make, it does not remove. */
export async function newNamespace(kube: Kubectl): Promise<KubeObject[]> {
  const name = kube.target.namespace;
  if (await kube.get('Namespace', name)) return [];
  return [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: OURS } }];
}

/** Who holds the DNS-01 role in this deployment's name: its account, and accounts of that name that are gone. */
export function dns01Members(
  settings: Pick<Settings, 'dns01Account' | 'project'>,
  bindings: readonly Binding[],
  accountIsOurs: boolean,
): string[] {
  const member = `serviceAccount:${dns01Email(settings)}`;
  return bindings
    .filter((b) => b.role === DNS01_ROLE && !b.condition)
    .flatMap((b) => b.members)
    .filter((m) => (accountIsOurs && m === member) || m.startsWith(`deleted:${member}?`));
}
