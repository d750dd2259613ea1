/** DNS as the zone's own name servers say it (docs/architecture.md rule 5). */
import type { LookupAddress, LookupOptions } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { codeOf, Failure } from '../base/failure.ts';

/** What one name server answers for a name. */
export interface AnswerOf {
  server: string;
  addresses: string[];
  /** Why it is not reached (ETIMEOUT); undefined where it answered. */
  unreached?: string;
}

/** No answer at all comes from a name server: its port is blocked, or nobody listens there. */
export class NoNameServer extends Failure {
  override name = 'NoNameServer';
  readonly code: string;

  constructor(code: string, server: string | undefined) {
    super({
      what: `${server === undefined ? "this machine's resolver" : `the resolver ${server}`} does not answer (${code})`,
      next: 'name a resolver that answers by DNS_SERVER, or allow port 53 (UDP and TCP) to it',
    });
    this.code = code;
  }
}

/** Its answers throw NoNameServer where the resolver is not reached. */
export interface Dns {
  /** Name servers to which the zone is delegated, as the public DNS says. */
  nameServers(zone: string): Promise<string[]>;
  /** What each of the name servers answers for the name's A record. */
  addressesAt(servers: readonly string[], name: string): Promise<AnswerOf[]>;
  /** The name's A record by the ordinary resolver. */
  addresses(name: string): Promise<string[]>;
  /** Whom the name's own CAA records let issue, each as written; undefined where it has no such record. */
  mayIssue(name: string): Promise<string[] | undefined>;
  /** Whether the ordinary resolver fails on the zone (SERVFAIL), as one does that checks DNSSEC and finds it broken. */
  fails(zone: string): Promise<boolean>;
}

/** The real Dns. @param server DNS_SERVER, else the system's resolver */
export function realDns(server: string | undefined): Dns {
  const ordinary = resolver(server ? [server] : undefined);
  return {
    nameServers: (zone) => listed(ordinary.resolveNs(zone), server),
    addresses: (name) => listed(ordinary.resolve4(name), server),
    mayIssue: async (name) => {
      const records = await answered(ordinary.resolveCaa(name), server);
      return records?.flatMap(({ issue }) => (issue === undefined ? [] : [issue]));
    },
    fails: (zone) =>
      ordinary.resolveNs(zone).then(
        () => false,
        (error: unknown) => codeOf(error) === 'ESERVFAIL',
      ),
    addressesAt: (servers, name) =>
      Promise.all(
        servers.map(async (ns): Promise<AnswerOf> => {
          try {
            const at = await listed(ordinary.resolve4(ns.replace(/\.$/, '')), server);
            const addresses = at.length === 0 ? [] : await listed(resolver(at).resolve4(name), ns);
            return { server: ns, addresses };
          } catch (error) {
            if (!(error instanceof NoNameServer)) throw error;
            return { server: ns, addresses: [], unreached: error.code };
          }
        }),
      ),
  };
}

function resolver(servers: string[] | undefined): Resolver {
  const made = new Resolver({ timeout: 2000, tries: 2 });
  if (servers) made.setServers(servers);
  return made;
}

/** The name is not there, or who should know does not say. */
const NO_ANSWER: readonly string[] = ['ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'EREFUSED'];
/** Nothing came back, or nothing that speaks DNS: networks that keep port 53 to themselves do all three. */
const NOT_REACHED: readonly string[] = ['ETIMEOUT', 'ECONNREFUSED', 'ENOTIMP'];

/** The answer in order; empty where there is none. @throws NoNameServer */
async function listed(answer: Promise<string[]>, server: string | undefined): Promise<string[]> {
  return ((await answered(answer, server)) ?? []).sort();
}

/** The answer; undefined where there is none. @throws NoNameServer */
async function answered<T>(answer: Promise<T[]>, server: string | undefined): Promise<T[] | undefined> {
  try {
    return await answer;
  } catch (error) {
    const code = codeOf(error);
    if (NOT_REACHED.includes(code)) throw new NoNameServer(code, server);
    if (NO_ANSWER.includes(code)) return undefined;
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
