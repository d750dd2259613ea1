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

/** The record at the host that keeps its A record from being the whole truth, and why; undefined where there is none. */
export function obstacle(records: readonly RecordSet[]): { type: string; reason: string } | undefined {
  for (const { name, type, rrdatas } of records) {
    const to = rrdatas.join(', ');
    if (type === 'CNAME')
      return { type, reason: `${name} is an alias of ${to} (CNAME), beside which no A record can be` };
    if (type === 'NS')
      return { type, reason: `${name} is delegated to ${to}, so that this zone's records of it are not asked` };
    if (type === 'AAAA')
      return { type, reason: `${name} has an AAAA record ${to}, where this deployment does not answer` };
    if (type === 'A' && rrdatas.length === 0)
      return { type, reason: `the A record of ${name} answers by a routing policy, not with one address` };
  }
  return undefined;
}
