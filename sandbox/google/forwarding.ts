/** Which reserved address a Service of type LoadBalancer gets, and the forwarding rule that holds it. */
import type { Address, Cloud } from './state.ts';

/** The part of a Service that decides. */
export interface AddressRequest {
  metadata?: { uid?: string; annotations?: Record<string, string> };
  spec?: { loadBalancerIP?: string };
}

const NAME_ANNOTATION = 'networking.gke.io/load-balancer-ip-addresses';

/** The rule's name, as GKE makes it from the Service's uid. */
export const ruleOf = (service: AddressRequest): string =>
  `a${service.metadata?.uid ?? ''}`.replaceAll('-', '').slice(0, 32);

/** The address that the Service asks for and may have, or GKE's words of refusal. Changes nothing. */
export function addressFor(
  cloud: Cloud,
  region: string,
  service: AddressRequest,
): { address: Address } | { refusal: string } {
  const known = cloud.state.addresses.filter((candidate) => candidate.region === region);
  const name = service.metadata?.annotations?.[NAME_ANNOTATION];
  const ip = service.spec?.loadBalancerIP;
  const address = known.find((candidate) => (name === undefined ? candidate.address === ip : candidate.name === name));
  if (address === undefined && name !== undefined) {
    const path = `projects/${cloud.project}/regions/${region}/addresses/${name}`;
    return { refusal: `googleapi: Error 404: The resource '${path}' was not found, notFound` };
  }
  if (address === undefined && ip !== undefined) {
    return { refusal: `requested ip "${ip}" is neither static nor assigned to the LB` };
  }
  if (address === undefined) {
    return { refusal: `no address is asked for (${NAME_ANNOTATION}); the rehearsal gives reserved ones only` };
  }
  if (address.user !== undefined && address.user !== ruleOf(service)) {
    const why = 'Specified IP address is in-use and would result in a conflict., invalid';
    return {
      refusal: `googleapi: Error 400: Invalid value for field 'resource.IPAddress': '${address.address}'. ${why}`,
    };
  }
  return { address };
}

/** Makes the rule hold this address and no other; without an address: none. Answers those that it let go. */
export function hold(cloud: Cloud, rule: string, address?: Address): Address[] {
  const released = cloud.state.addresses.filter((known) => known.user === rule && known !== address);
  for (const known of released) delete known.user;
  const changed = address !== undefined && address.user !== rule;
  if (address !== undefined) address.user = rule;
  if (changed || released.length > 0) cloud.save();
  return released;
}
