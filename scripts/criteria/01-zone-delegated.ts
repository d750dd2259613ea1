/** The public DNS delegates the domain to the Cloud DNS zone's own name servers. */
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { delegation, delegationText } from '../../lib/deployment/dns/delegation.ts';
import { Failure } from '../../lib/base/failure.ts';
import { runAlone } from '../entry.ts';

export const criterion: Criterion = {
  number: 1,
  title: 'Cloud DNS zone delegated',
  async prove({ google, dns, settings }) {
    const found = await delegation(google, dns, settings.dnsZone);
    const { zone, state, seen } = found;
    if (state !== 'whole')
      throw new Failure({
        what: `${zone.dnsName} is not delegated to its zone`,
        wanted: zone.nameServers.join(', '),
        found: seen.join(', ') || 'no NS records',
        next: delegationText(found).next,
      });
    return proven(`${zone.dnsName} is delegated to ${zone.nameServers.length} name servers of zone ${zone.name}`);
  },
};

void runAlone(import.meta);
