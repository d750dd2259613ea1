/** Addresses and records that cannot serve the API, whoever made them (plan step 1.0). */
import { isIPv4 } from 'node:net';
import type { Address, RecordSet } from '../../clients/google-shapes.ts';

/** Why a balancer of the cluster cannot serve the world at this address; undefined where it can. */
export function unfitAddress({
  name,
  address,
  addressType = 'EXTERNAL',
  networkTier = 'PREMIUM',
}: Address): string | undefined {
  if (addressType !== 'EXTERNAL')
    return `${name} (${address}) is an ${addressType} address, which nobody reaches from outside its network`;
  if (!isIPv4(address)) return `${name} is ${address}, and an A record takes an IPv4 address`;
  if (networkTier !== 'PREMIUM')
    return `${name} (${address}) is of network tier ${networkTier}, and the balancer takes one of tier PREMIUM`;
  return undefined;
}

interface Obstacle {
  /** With its closing dot. */
  name: string;
  type: string;
  reason: string;
}

/** The record at the host that keeps its A record from being the whole truth, and why; undefined where there is none. */
export function obstacle(records: readonly RecordSet[]): Obstacle | undefined {
  for (const record of records) {
    const reason = obstacleOf(record);
    if (reason !== undefined) return { name: record.name, type: record.type, reason };
  }
  return undefined;
}

function obstacleOf({ name, type, rrdatas }: RecordSet): string | undefined {
  const to = rrdatas.join(', ');
  switch (type) {
    case 'CNAME':
      return `${name} is an alias of ${to} (CNAME), beside which no other record can be`;
    case 'NS':
      return `${name} is delegated to ${to}, so that this zone's records of it are not asked`;
    case 'AAAA':
      return `${name} has an AAAA record ${to}, where this deployment does not answer`;
    case 'HTTPS':
      return rrdatas.some(leadsElsewhere)
        ? `${name} has an HTTPS record (${to}), which sends browsers elsewhere`
        : undefined;
    case 'A':
      return rrdatas.length === 0
        ? `the A record of ${name} answers by a routing policy, not with one address`
        : undefined;
    default:
      return undefined;
  }
}

/** "1 . alpn=h2" says only how to speak; another target or an address hint says where. */
function leadsElsewhere(record: string): boolean {
  const [, target, ...parameters] = record.split(' ');
  return target !== '.' || parameters.some((p) => /^ipv[46]hint=/.test(p));
}

/** Names between the host and its zone, whose records decide whether the zone is asked for the host. Closing dots on all. */
export function namesAbove(host: string, zone: string): string[] {
  const labels = host.split('.').slice(1);
  return labels.map((_, i) => `${labels.slice(i).join('.')}.`).filter((name) => name.endsWith(`.${zone}`));
}
