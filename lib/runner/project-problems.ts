/** Whether Google lets this operator do what the steps still have to do, all reasons at once. */
import type { Context } from '../context.ts';
import { explain, Failure, type Problem } from '../base/failure.ts';
import { joinedLines } from '../base/say.ts';
import { dns01Email } from '../deployment/cluster/infrastructure.ts';
import { hasRole } from '../deployment/dns/dns01-account.ts';
import { zoneProblems } from './zone-problems.ts';

/** A role that holds the permissions beneath it (cloud.google.com/iam/docs/understanding-roles). */
const ROLES = {
  'compute.addresses': 'roles/compute.networkAdmin',
  'dns.changes': 'roles/dns.admin',
  'dns.managedZones': 'roles/dns.admin',
  'dns.resourceRecordSets': 'roles/dns.admin',
  'iam.serviceAccountKeys': 'roles/iam.serviceAccountKeyAdmin',
  'iam.serviceAccounts': 'roles/iam.serviceAccountAdmin',
  'resourcemanager.projects': 'roles/resourcemanager.projectIamAdmin',
} as const;
type Permission = `${keyof typeof ROLES}.${string}`;

/** What is wrong with zone, host, project, its APIs and the operator's rights there. Reads only. */
export async function projectProblems(ctx: Context): Promise<Problem[]> {
  const { google, settings } = ctx;
  const email = dns01Email(settings);
  const failed: { permission: Permission; error: unknown }[] = [];
  const read = async <T>(permission: Permission, value: Promise<T>): Promise<{ value: T } | undefined> => {
    try {
      return { value: await value };
    } catch (error) {
      failed.push({ permission, error });
      return undefined;
    }
  };
  const withKey = settings.dns01Auth === 'key';
  const [zone, records, address, account, bindings, keys] = await Promise.all([
    read('dns.managedZones.get', google.zone(settings.dnsZone)),
    read('dns.resourceRecordSets.list', google.records(settings.dnsZone, `${settings.host}.`)),
    read('compute.addresses.get', google.address(settings.staticIpName)),
    read('iam.serviceAccounts.get', google.serviceAccount(email)),
    read('resourcemanager.projects.getIamPolicy', google.bindings()),
    withKey ? read('iam.serviceAccountKeys.list', google.keys(email)) : undefined,
  ]);
  if (zone && !zone.value)
    return [
      {
        about: 'DNS_ZONE',
        message: `project ${settings.project} has no managed zone "${settings.dnsZone}"`,
        remedy: `gcloud dns managed-zones list --project=${settings.project}`,
      },
    ];
  const unbound = bindings && !hasRole(bindings.value, email);
  // What is there needs no right to make it: who only deploys again may have fewer.
  const toMake: Permission[] = [
    ...(address && !address.value ? (['compute.addresses.create'] as const) : []),
    ...(records?.value.length === 0 ? (['dns.changes.create', 'dns.resourceRecordSets.create'] as const) : []),
    ...(account && !account.value ? (['iam.serviceAccounts.create'] as const) : []),
    ...(unbound ? (['resourcemanager.projects.setIamPolicy'] as const) : []),
    ...(unbound && !withKey ? (['iam.serviceAccounts.setIamPolicy'] as const) : []),
    ...(keys && !keys.value.some((k) => k.usable) ? (['iam.serviceAccountKeys.create'] as const) : []),
  ];
  const [lacking, ofZone] = await Promise.all([
    missing(ctx, [...failed.map((f) => f.permission), ...toMake]),
    zone?.value ? zoneProblems(ctx, zone.value) : [],
  ]);
  const others = failed.filter(({ permission }) => !lacking.includes(permission)).map(({ error }) => refusal(error));
  return [
    ...ofZone,
    ...new Map(others.map((p) => [p.message, p])).values(),
    ...[...Map.groupBy(lacking, roleOf)].map(([role, permissions]) => ({
      about: 'GCP_PROJECT',
      message: `you lack ${permissions.join(', ')} in project ${settings.project}`,
      remedy: `an owner of it gives it: gcloud projects add-iam-policy-binding ${settings.project} --member=user:YOU --role=${role}`,
    })),
  ];
}

/** Those of the permissions that the operator does not have; none where Google does not say. */
async function missing({ google }: Context, permissions: readonly Permission[]): Promise<Permission[]> {
  if (permissions.length === 0) return [];
  const held = await google.permitted(permissions).catch(() => undefined);
  return held ? permissions.filter((p) => !held.includes(p)) : [];
}

function roleOf(permission: Permission): string {
  return ROLES[permission.split('.').slice(0, 2).join('.') as keyof typeof ROLES];
}

/** Google's reason, or gcloud's own words, with the next step that fits them. */
function refusal(error: unknown): Problem {
  const { found, detail, next } = error instanceof Failure ? error.parts : {};
  const cause = joinedLines(found ?? detail ?? explain(error), 600);
  return {
    about: 'GCP_PROJECT',
    message: `cannot be read: ${cause}`,
    remedy: next ?? 'Google must be reachable from here: where a proxy is the way out, set HTTPS_PROXY',
  };
}
