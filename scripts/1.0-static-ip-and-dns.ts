/** Plan step 1.0: the static IP is reserved and the A record points to it. */
import { absent, conflict, done, type ChangeStep } from '../lib/step.ts';
import { waitFor } from '../lib/base/wait.ts';
import { deploymentName, inGoogleCloud } from '../lib/deployment/cluster/infrastructure.ts';
import { balancerGone } from '../lib/deployment/cluster/load-balancer.ts';
import { obstacle, unfitAddress } from '../lib/deployment/dns/host-shape.ts';
import { recordServed } from '../lib/deployment/dns/record-served.ts';
import { runAlone } from './entry.ts';

const TTL_S = 300;
const ANOTHER_ADDRESS = 'name another address by STATIC_IP_NAME: where there is none of that name, 1.0 reserves it';

export const step: ChangeStep = {
  id: '1.0',
  kind: 'change',
  title: 'Static IP reserved, A record points to it',
  needs: [],

  async check({ google, settings: { host, dnsZone, staticIpName } }) {
    const [address, records, challenge] = await Promise.all([
      google.address(staticIpName),
      google.records(dnsZone, `${host}.`),
      google.records(dnsZone, `_acme-challenge.${host}.`),
    ]);
    const unfit = address && unfitAddress(address);
    if (unfit !== undefined) return conflict(unfit, ANOTHER_ADDRESS);
    const inTheWay = obstacle(records) ?? obstacle(challenge);
    if (inTheWay)
      return conflict(
        inTheWay.reason,
        `name another API_HOST; or, where nobody needs the record: gcloud dns record-sets delete ${inTheWay.name} --zone=${dnsZone} --type=${inTheWay.type} --project=${google.project}`,
      );
    const record = records.find((r) => r.type === 'A');
    if (!address) {
      // Who may not ask for it is not held up by it.
      const global = await google.globalAddress(staticIpName).catch(() => undefined);
      if (global)
        return conflict(
          `${staticIpName} (${global.address}) is reserved outside all regions, and the balancer takes one of ${google.region}`,
          ANOTHER_ADDRESS,
        );
      if (record)
        return conflict(
          `${host} already points to ${record.rrdatas.join(', ')}, and no address ${staticIpName} is reserved`,
          `look whose address that is; then: gcloud dns record-sets delete ${host}. --zone=${dnsZone} --type=A --project=${google.project}`,
        );
      return absent(`no address ${staticIpName} is reserved in ${google.region}`);
    }
    if (!record) return absent(`${address.address} is reserved, ${host} has no A record`);
    const found = record.rrdatas.join(', ');
    if (found !== address.address)
      return conflict(
        `A record is ${found}, reserved is ${address.address}`,
        `gcloud dns record-sets update ${host}. --zone=${dnsZone} --type=A --ttl=${TTL_S} --rrdatas=${address.address} --project=${google.project}`,
      );
    return done(`A record is ${found}, as reserved`);
  },

  async apply(ctx) {
    const { google, gcloud, settings } = ctx;
    const { host, dnsZone, staticIpName, region } = settings;
    if (!(await google.address(staticIpName)))
      // By the description removal knows what this deployment reserved.
      // The tier, because a project's own default may be STANDARD, which the balancer does not take.
      await gcloud.create`compute addresses create ${staticIpName} --region=${region} --network-tier=PREMIUM --description=${deploymentName(settings)}`;
    // What was just made is not always read at once.
    const address = await waitFor(
      {
        what: `address ${staticIpName}`,
        timeoutMs: 60_000,
        probe: async () => {
          const value = await google.address(staticIpName);
          return value ? { state: 'ready', value } : { state: 'pending', reason: 'was created and cannot be read yet' };
        },
        next: './runbook 1.0',
      },
      ctx,
    );
    if (await google.record(dnsZone, `${host}.`, 'A')) return;
    await gcloud.create`dns record-sets create ${host}. --zone=${dnsZone} --type=A --ttl=${TTL_S} --rrdatas=${address.address}`;
  },

  verify: recordServed,

  owns: ({ google, settings }) => ({
    elsewhere: async () => {
      const { host, dnsZone, staticIpName } = settings;
      const challenge = `_acme-challenge.${host}`;
      const [address, record, text] = await Promise.all([
        google.address(staticIpName),
        google.record(dnsZone, `${host}.`, 'A'),
        google.record(dnsZone, `${challenge}.`, 'TXT'),
      ]);
      const where = inGoogleCloud(settings);
      const a = `${host} → ${record?.rrdatas.join(', ') ?? ''}`;
      return [
        ...(record ? [{ where, kind: 'A record', name: a, part: 'record' as const }] : []),
        ...(text ? [{ where, kind: 'TXT record', name: challenge }] : []),
        ...(address
          ? [{ where, kind: 'Address', name: `${staticIpName} (${address.address})`, part: 'address' as const }]
          : []),
      ];
    },
  }),

  async undo(ctx, { retained }) {
    const { google, gcloud, settings } = ctx;
    const { host, dnsZone, staticIpName, region } = settings;
    const drop = async (name: string, type: string): Promise<void> => {
      if (await google.record(dnsZone, name, type))
        await gcloud.delete`dns record-sets delete ${name} --zone=${dnsZone} --type=${type}`;
    };
    if (!retained.has('record')) await drop(`${host}.`, 'A');
    // What a challenge left that was cut off.
    await drop(`_acme-challenge.${host}.`, 'TXT');
    if (retained.has('address') || !(await google.address(staticIpName))) return;
    await balancerGone(ctx);
    await gcloud.delete`compute addresses delete ${staticIpName} --region=${region}`;
  },
};

void runAlone(import.meta);
