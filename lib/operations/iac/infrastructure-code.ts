/** What the runbook made in Google Cloud, as OpenTofu or Terraform code that takes it over as it stands: each resource with its import block. */
import { STEP } from '../../base/plan-steps.ts';
import { Failure } from '../../base/failure.ts';
import type { Address, Bucket, RecordSet, ServiceAccount } from '../../clients/google-shapes.ts';
import type { Context } from '../../context.ts';
import { deploymentName, DNS01_ROLE, dns01Email } from '../../deployment/cluster/infrastructure.ts';
import { hasRole } from '../../deployment/dns/dns01-account.ts';
import { IDENTITY_ROLE, identityMember } from '../../deployment/dns/dns01-identity.ts';
import type { Settings } from '../../settings/settings.ts';
import { noBucket } from '../backup/bucket.ts';
import { block, quoted } from './hcl.ts';
import { readme } from './readme.ts';

/** A resource of the code, and the id by which it is imported. */
interface Resource {
  type: string;
  name: string;
  id: string;
  /** Why it is there, a comment above it. */
  says: string;
  attributes: Readonly<Record<string, string | undefined>>;
  /** Blocks in it. */
  nested?: readonly string[];
}

export interface InfrastructureCode {
  /** Text by file name. */
  files: Readonly<Record<string, string>>;
  /** What is not this deployment's to hand over, with the reason. */
  leftOut: readonly string[];
}

/** Deleting it would lose what nobody can bring back. */
const KEPT = block('lifecycle', { prevent_destroy: 'true' });

/**
 * Reads what there is; nothing is changed.
 * @throws Failure where something of it is not there yet; BadInput where BACKUP_BUCKET is not there
 */
export async function infrastructureCode({ google, settings }: Context): Promise<InfrastructureCode> {
  const email = dns01Email(settings);
  const name = settings.backup.bucket;
  const [address, record, account, bindings, bucket] = await Promise.all([
    google.address(settings.staticIpName),
    google.record(settings.dnsZone, `${settings.host}.`, 'A'),
    google.serviceAccount(email),
    google.bindings(),
    name === undefined ? undefined : google.bucket(name),
  ]);
  if (name !== undefined && !bucket) throw noBucket(settings, name);
  const bound = hasRole(bindings, email);
  if (!address || !record || !account || !bound)
    throw new Failure({
      what: 'not all is there that the code would take over',
      found: [
        ...(address ? [] : [`no address ${settings.staticIpName} in ${settings.region}`]),
        ...(record ? [] : [`no A record of ${settings.host} in zone ${settings.dnsZone}`]),
        ...(account ? [] : [`no service account ${email}`]),
        ...(bound ? [] : [`${email} is not bound to ${DNS01_ROLE}`]),
      ].join('\n'),
      next: 'make phase1, then make iac again',
    });
  const ours = deploymentName(settings);
  const addressOurs = address.description === ours;
  const accountOurs = account.description === ours;
  const resources = [
    ...(addressOurs ? [addressOf(settings, address)] : []),
    recordOf(settings, record, addressOurs && record.rrdatas.join() === address.address),
    ...(accountOurs ? accountOf(settings, email, account) : []),
    ...(bucket ? [bucketOf(settings, bucket)] : []),
  ];
  const leftOut = [
    ...(addressOurs ? [] : [`address ${address.name}: the runbook did not reserve it (its description is another)`]),
    ...(accountOurs
      ? []
      : [`service account ${email} and its bindings: this deployment did not make it (its description is another)`]),
  ];
  return {
    files: {
      'versions.tf': versions(settings),
      'main.tf': resources.map(resourceText).join('\n'),
      'imports.tf': resources.map(importText).join('\n'),
      'README.md': readme(settings, resources.map(addressIn), leftOut),
    },
    leftOut,
  };
}

function addressOf({ project, region }: Settings, { name, description, networkTier }: Address): Resource {
  return {
    type: 'google_compute_address',
    name: 'ingress',
    id: `projects/${project}/regions/${region}/addresses/${name}`,
    says: `The API’s address (plan step ${STEP.staticIpAndDns}). Once released, it is not to be had again.`,
    attributes: {
      project: quoted(project),
      region: quoted(region),
      name: quoted(name),
      description: optional(description),
      network_tier: optional(networkTier),
    },
    nested: [KEPT],
  };
}

function recordOf({ project, dnsZone }: Settings, { name, ttl, rrdatas }: RecordSet, leadsToOurs: boolean): Resource {
  return {
    type: 'google_dns_record_set',
    name: 'api',
    id: `projects/${project}/managedZones/${dnsZone}/rrsets/${name}/A`,
    says: `The API’s name (plan step ${STEP.staticIpAndDns}). Its zone stays where it is.`,
    attributes: {
      project: quoted(project),
      managed_zone: quoted(dnsZone),
      name: quoted(name),
      type: quoted('A'),
      ttl: String(ttl),
      rrdatas: `[${leadsToOurs ? 'google_compute_address.ingress.address' : rrdatas.map(quoted).join(', ')}]`,
    },
  };
}

function accountOf(settings: Settings, email: string, { description, displayName }: ServiceAccount): Resource[] {
  const { project, dns01Account, dns01Auth } = settings;
  const account: Resource = {
    type: 'google_service_account',
    name: 'dns01',
    id: `projects/${project}/serviceAccounts/${email}`,
    says: `By it cert-manager answers DNS-01 challenges (plan step ${STEP.dns01ServiceAccount}); its keys are not in this code.`,
    attributes: {
      project: quoted(project),
      account_id: quoted(dns01Account),
      display_name: optional(displayName),
      description: optional(description),
    },
  };
  const role: Resource = {
    type: 'google_project_iam_member',
    name: 'dns01',
    id: `${project} ${DNS01_ROLE} serviceAccount:${email}`,
    says: 'What it may do.',
    attributes: {
      project: quoted(project),
      role: quoted(DNS01_ROLE),
      member: 'google_service_account.dns01.member',
    },
  };
  if (dns01Auth === 'key') return [account, role];
  const member = identityMember(settings);
  const identity: Resource = {
    type: 'google_service_account_iam_member',
    name: 'cert_manager',
    id: `${account.id} ${IDENTITY_ROLE} ${member}`,
    says: `Who may sign in as it: cert-manager, without a key (plan step ${STEP.clusterIssuers}).`,
    attributes: {
      service_account_id: 'google_service_account.dns01.name',
      role: quoted(IDENTITY_ROLE),
      member: quoted(member),
    },
  };
  return [account, role, identity];
}

function bucketOf({ project }: Settings, { name, location, storageClass, iamConfiguration }: Bucket): Resource {
  return {
    type: 'google_storage_bucket',
    name: 'backups',
    id: `${project}/${name}`,
    says: 'The backups (BACKUP_BUCKET). Who made it chose the rest of it: take out ignore_changes to govern that here.',
    attributes: {
      project: quoted(project),
      name: quoted(name),
      location: quoted(location),
      storage_class: optional(storageClass),
      uniform_bucket_level_access: String(iamConfiguration?.uniformBucketLevelAccess?.enabled ?? false),
      public_access_prevention: optional(iamConfiguration?.publicAccessPrevention),
    },
    nested: [block('lifecycle', { prevent_destroy: 'true', ignore_changes: 'all' })],
  };
}

function optional(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : quoted(text);
}

function addressIn({ type, name }: Resource): string {
  return `${type}.${name}`;
}

function resourceText({ type, name, says, attributes, nested = [] }: Resource): string {
  return `# ${says}\n${block(`resource ${quoted(type)} ${quoted(name)}`, attributes, ...nested)}\n`;
}

function importText(resource: Resource): string {
  return `${block('import', { to: addressIn(resource), id: quoted(resource.id) })}\n`;
}

function versions({ project, region }: Settings): string {
  const google = `google = ${block('', { source: quoted('hashicorp/google'), version: quoted('>= 6.0') }).trimStart()}`;
  return [
    '# OpenTofu 1.6 or Terraform 1.5 are the first that know import blocks. State: add a backend of yours.',
    block(
      'terraform',
      { required_version: quoted('>= 1.5') },
      `required_providers {\n  ${google.replaceAll('\n', '\n  ')}\n}`,
    ),
    '',
    block('provider "google"', { project: quoted(project), region: quoted(region) }),
    '',
  ].join('\n');
}
