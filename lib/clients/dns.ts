/** DNS as the zone's own name servers say it (docs/architecture.md rule 5). */
import type { LookupAddress, LookupOptions } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';

export interface Dns {
  /** Name servers to which the zone is delegated, as the public DNS says. */
  nameServers(zone: string): Promise<string[]>;
  /** What each of the name servers answers for the name's A record. */
  addressesAt(servers: readonly string[], name: string): Promise<{ server: string; addresses: string[] }[]>;
  /** The name's A record by the ordinary resolver. */
  addresses(name: string): Promise<string[]>;
}

/** The real Dns. @param server DNS_SERVER, else the system's resolver */
export function realDns(server: string | undefined): Dns {
  const ordinary = resolver(server ? [server] : undefined);
  return {
    nameServers: async (zone) => none(ordinary.resolveNs(zone)),
    addresses: async (name) => none(ordinary.resolve4(name)),
    addressesAt: (servers, name) =>
      Promise.all(
        servers.map(async (ns) => {
          const at = await none(ordinary.resolve4(ns.replace(/\.$/, '')));
          return { server: ns, addresses: at.length === 0 ? [] : await none(resolver(at).resolve4(name)) };
        }),
      ),
  };
}

function resolver(servers: string[] | undefined): Resolver {
  const made = new Resolver({ timeout: 2000, tries: 2 });
  if (servers) made.setServers(servers);
  return made;
}

async function none(answer: Promise<string[]>): Promise<string[]> {
  try {
    return (await answer).sort();
  } catch (error) {
    if (
      error instanceof Error &&
      'code' in error &&
      ['ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'EREFUSED', 'ETIMEOUT'].includes(String(error.code))
    )
      return [];
    throw error;
  }
}

/** A look-up for sockets that asks the given Dns instead of the system. */
export function lookupBy(dns: Dns): LookupFunction {
  return (host: string, options: LookupOptions, done) => {
    const answer = done as (
      error: NodeJS.ErrnoException | null,
      address?: string | LookupAddress[],
      family?: number,
    ) => void;
    dns.addresses(host).then(
      (addresses) => {
        const [first] = addresses;
        if (first === undefined) answer(Object.assign(new Error(`${host} has no address`), { code: 'ENOTFOUND' }));
        else if (options.all)
          answer(
            null,
            addresses.map((address) => ({ address, family: 4 })),
          );
        else answer(null, first, 4);
      },
      (error: unknown) => answer(error as NodeJS.ErrnoException),
    );
  };
}
