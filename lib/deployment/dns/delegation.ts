/** Whether the world asks the zone's own name servers: without that no name of it resolves and no certificate is issued. */
import type { Dns } from '../../clients/dns.ts';
import { Failure } from '../../base/failure.ts';
import type { Google } from '../../clients/google.ts';
import type { ManagedZone } from '../../clients/google-shapes.ts';

export interface Delegation {
  zone: ManagedZone;
  /** Name servers by the public DNS; none where it does not answer. */
  seen: string[];
  /** `whole`: all of the zone's. `partly`: some (a change is under way). `none`: no answer. `wrong`: others altogether. */
  state: 'whole' | 'partly' | 'none' | 'wrong';
}

/** The zone's delegation as the public DNS has it now. @throws Failure when there is no such zone */
export async function delegation(google: Google, dns: Dns, name: string): Promise<Delegation> {
  const zone = await google.zone(name);
  if (!zone)
    throw new Failure({
      what: `there is no zone ${name}`,
      next: `gcloud dns managed-zones list --project=${google.project}`,
    });
  const plain = (server: string): string => server.replace(/\.$/, '').toLowerCase();
  const seen = (await dns.nameServers(plain(zone.dnsName))).map(plain);
  const held = zone.nameServers.filter((server) => seen.includes(plain(server))).length;
  const state = seen.length === 0 ? 'none' : held === zone.nameServers.length ? 'whole' : held > 0 ? 'partly' : 'wrong';
  return { zone, seen, state };
}

/** "kubently.io. is delegated to a, b, and its zone is served by c, d", and what to do about it. */
export function delegationText({ zone, seen }: Delegation): { reason: string; next: string } {
  return {
    reason: `${zone.dnsName} is delegated to ${seen.join(', ') || 'nobody'}, and its zone ${zone.name} is served by ${zone.nameServers.join(', ')}`,
    next: `set these name servers at the registrar of ${zone.dnsName} (${zone.nameServers.join(', ')}); resolvers keep the old ones for up to two days`,
  };
}
