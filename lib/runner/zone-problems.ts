/** Whether the world asks this zone for the host, and lets the issuer issue for it. Reads only. */
import type { Problem } from '../base/failure.ts';
import type { ManagedZone } from '../clients/google-shapes.ts';
import type { Context } from '../context.ts';
import { delegationTo, plainServer } from '../deployment/dns/delegation.ts';
import { namesAbove } from '../deployment/dns/host-shape.ts';

/** By what name CAA records know an ACME server (each CA's own documentation). */
const ISSUERS: readonly [server: string, identity: string][] = [
  ['letsencrypt.org', 'letsencrypt.org'],
  ['pki.goog', 'pki.goog'],
  ['zerossl.com', 'sectigo.com'],
  ['ssl.com', 'ssl.com'],
];

/** All that is wrong with the zone for this host. */
export async function zoneProblems(ctx: Context, zone: ManagedZone): Promise<Problem[]> {
  const { host, project } = ctx.settings;
  if (!`${host}.`.endsWith(`.${zone.dnsName}`))
    return [
      {
        about: 'API_HOST',
        message: `"${host}" does not lie in zone ${zone.name} (${zone.dnsName})`,
        remedy: 'name a host of that zone, or its zone by DNS_ZONE',
      },
    ];
  if (zone.visibility === 'private')
    return [
      {
        about: 'DNS_ZONE',
        message: `zone ${zone.name} (${zone.dnsName}) is private: the world does not ask it`,
        remedy: `name the public one: gcloud dns managed-zones list --filter=visibility=public --project=${project}`,
      },
    ];
  // What cannot be looked up from here is not held against the zone: 1.0 and the ACME server tell it.
  const found = await Promise.all([childZone(ctx, zone), twin(ctx, zone), caa(ctx)].map((p) => p.catch(() => [])));
  return found.flat();
}

/** A name between zone and host that is another zone's. */
async function childZone({ google, settings }: Context, zone: ManagedZone): Promise<Problem[]> {
  const names = namesAbove(settings.host, zone.dnsName);
  const records = await Promise.all(names.map((name) => google.record(zone.name, name, 'NS')));
  return records.flatMap((record) =>
    record
      ? [
          {
            about: 'DNS_ZONE',
            message: `${record.name} is delegated to ${record.rrdatas.join(', ')}: records of ${settings.host} in zone ${zone.name} are never asked for`,
            remedy: `name the zone of ${record.name} by DNS_ZONE`,
          },
        ]
      : [],
  );
}

/** Another public zone of the same name, to which the world is sent. */
async function twin({ google, dns }: Context, zone: ManagedZone): Promise<Problem[]> {
  const others = (await google.zonesOf(zone.dnsName)).filter(
    (z) => z.name !== zone.name && z.visibility !== 'private' && z.nameServers.length > 0,
  );
  if (others.length === 0) return [];
  const seen = (await dns.nameServers(plainServer(zone.dnsName))).map(plainServer);
  if (delegationTo(zone, seen) !== 'wrong') return [];
  const asked = others.find((z) => delegationTo(z, seen) !== 'wrong');
  if (!asked) return [];
  return [
    {
      about: 'DNS_ZONE',
      message: `there are ${others.length + 1} public zones of ${zone.dnsName}, and public DNS points to ${asked.name}, not to ${zone.name}`,
      remedy: `set DNS_ZONE=${asked.name}`,
    },
  ];
}

/** CAA records that leave the issuer out: the nearest name that has any decides (RFC 8659). */
async function caa({ dns, settings: { host, dnsZone, project, acme, tls } }: Context): Promise<Problem[]> {
  if (tls.own) return [];
  const wanted = new Set([acme.staging, acme.production].flatMap(identityOf));
  const labels = host.split('.');
  for (const name of labels.slice(0, -1).map((_, i) => labels.slice(i).join('.'))) {
    const allowed = await dns.mayIssue(name);
    if (!allowed) continue;
    // Without an issue property they restrict nobody.
    if (allowed.length === 0) return [];
    const shut = [...wanted].filter((identity) => !allowed.some((record) => letsIn(record, identity)));
    return shut.map((identity) => ({
      about: 'API_HOST',
      message: `CAA records of ${name} let ${allowed.join(', ')} issue certificates, and not ${identity} by DNS-01`,
      remedy: `add one: 0 issue "${identity}" (gcloud dns record-sets describe ${name}. --type=CAA --zone=${dnsZone} --project=${project}), or bring your own certificate by TLS_CERT_FILE`,
    }));
  }
  return [];
}

/** None where the server is not known: a private one reads no CAA of the world. */
function identityOf(server: string): string[] {
  const host = URL.parse(server)?.hostname ?? '';
  return ISSUERS.filter(([suffix]) => host === suffix || host.endsWith(`.${suffix}`)).map(([, identity]) => identity);
}

/** "letsencrypt.org; validationmethods=dns-01" */
function letsIn(record: string, identity: string): boolean {
  const [domain, ...parameters] = record.split(';').map((part) => part.trim());
  const methods = parameters.find((p) => p.startsWith('validationmethods='))?.split('=')[1];
  return domain === identity && (methods === undefined || methods.split(',').includes('dns-01'));
}
