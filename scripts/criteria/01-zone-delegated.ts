/** The public DNS delegates the domain to the Cloud DNS zone's own name servers. */
import { proven, type Criterion } from '../../lib/criterion.ts';
import { Failure } from '../../lib/failure.ts';

export const criterion: Criterion = {
  number: 1,
  title: 'Cloud DNS zone delegated',
  async prove({ google, dns, settings }) {
    const zone = await google.zone(settings.dnsZone);
    if (!zone)
      throw new Failure({ what: `there is no zone ${settings.dnsZone}`, next: 'gcloud dns managed-zones list' });
    const seen = await dns.nameServers(zone.dnsName.replace(/\.$/, ''));
    const strip = (name: string): string => name.replace(/\.$/, '').toLowerCase();
    const missing = zone.nameServers.filter((ns) => !seen.map(strip).includes(strip(ns)));
    if (seen.length === 0 || missing.length > 0)
      throw new Failure({
        what: `${zone.dnsName} is not delegated to its zone`,
        wanted: zone.nameServers.join(', '),
        found: seen.join(', ') || 'no NS records',
        next: 'set these name servers at the registrar',
      });
    return proven(`${zone.dnsName} is delegated to ${zone.nameServers.length} name servers of zone ${zone.name}`);
  },
};
