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
  const seen = (await dns.nameServers(plainServer(zone.dnsName))).map(plainServer);
  return { zone, seen, state: delegationTo(zone, seen) };
}

/** How far those name servers are the zone's. @param seen by plainServer() */
export function delegationTo({ nameServers }: ManagedZone, seen: readonly string[]): Delegation['state'] {
  if (seen.length === 0) return 'none';
  const held = nameServers.filter((server) => seen.includes(plainServer(server))).length;
  return held === nameServers.length ? 'whole' : held > 0 ? 'partly' : 'wrong';
}

/** As it is compared: without the closing dot, in lower case. */
export function plainServer(server: string): string {
  return server.replace(/\.$/, '').toLowerCase();
}

/** "kubently.io. is delegated to a, b, and its zone is served by c, d", and what to do about it. */
export function delegationText({ zone, seen }: Delegation): { reason: string; next: string } {
  return {
    reason: `${zone.dnsName} is delegated to ${seen.join(', ') || 'nobody'}, and its zone ${zone.name} is served by ${zone.nameServers.join(', ')}`,
    next: `set these name servers at the registrar of ${zone.dnsName} (${zone.nameServers.join(', ')}); resolvers keep the old ones for up to two days`,
  };
}
