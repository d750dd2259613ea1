/** The record is managed by the Cloud DNS zone: what the world resolves is what the zone says. */
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { obstacle } from '../../lib/deployment/dns/host-shape.ts';
import { Failure } from '../../lib/base/failure.ts';
import { runAlone } from '../entry.ts';

export const criterion: Criterion = {
  number: 13,
  title: 'DNS fully automated',
  async prove({ google, dns, settings }) {
    const [records, resolved] = await Promise.all([
      google.records(settings.dnsZone, `${settings.host}.`),
      dns.addresses(settings.host),
    ]);
    const inTheWay = obstacle(records);
    if (inTheWay) throw new Failure({ what: inTheWay.reason, next: './runbook 1.0 --plan' });
    const record = records.find((r) => r.type === 'A');
    if (!record)
      throw new Failure({
        what: `zone ${settings.dnsZone} has no A record of ${settings.host}`,
        next: './runbook 1.0',
      });
    if (resolved.join() !== [...record.rrdatas].sort().join())
      throw new Failure({
        what: `${settings.host} resolves to something else than the zone says`,
        wanted: record.rrdatas.join(', '),
        found: resolved.join(', ') || 'nothing',
        next: `dig ${settings.host}`,
      });
    return proven(
      `${settings.host} resolves to ${resolved.join(', ')}, the record of zone ${settings.dnsZone} (TTL ${record.ttl} s)`,
    );
  },
};

void runAlone(import.meta);
