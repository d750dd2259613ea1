/** Plan step 1.0: the static IP is reserved and the A record points to it. */
import { absent, conflict, done, type ChangeStep } from '../lib/step.ts';
import { delegation, delegationText } from '../lib/delegation.ts';
import { Failure } from '../lib/failure.ts';
import { deploymentName } from '../lib/infrastructure.ts';
import { patience, waitFor } from '../lib/wait.ts';
import type { Context } from '../lib/context.ts';

const TTL_S = 300;

export const step: ChangeStep = {
  id: '1.0',
  kind: 'change',
  title: 'Static IP reserved, A record points to it',
  needs: [],

  async check({ google, settings: { host, dnsZone, staticIpName } }) {
    const [address, record] = await Promise.all([
      google.address(staticIpName),
      google.record(dnsZone, `${host}.`, 'A'),
    ]);
    if (!address) {
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

  async apply({ google, settings }) {
    const { host, dnsZone, staticIpName, region } = settings;
    if (!(await google.address(staticIpName)))
      await google.create([
        'compute',
        'addresses',
        'create',
        staticIpName,
        `--region=${region}`,
        // Removal releases only what this deployment reserved.
        `--description=${deploymentName(settings)}`,
      ]);
    const address = await google.address(staticIpName);
    if (!address)
      throw new Failure({ what: `the address ${staticIpName} was created and cannot be read`, next: './runbook 1.0' });
    if (await google.record(dnsZone, `${host}.`, 'A')) return;
    await google.create([
      'dns',
      'record-sets',
      'create',
      `${host}.`,
      `--zone=${dnsZone}`,
      '--type=A',
      `--ttl=${TTL_S}`,
      `--rrdatas=${address.address}`,
    ]);
  },

  verify: async (ctx) => `${await servedByTheZone(ctx)}; ${await delegated(ctx)}`,

  async undo(ctx, spared) {
    const { google, settings } = ctx;
    const { host, dnsZone, staticIpName, region } = settings;
    const drop = async (name: string, type: string): Promise<void> => {
      if (await google.record(dnsZone, name, type))
        await google.remove(['dns', 'record-sets', 'delete', name, `--zone=${dnsZone}`, `--type=${type}`]);
    };
    if (!spared.has('record')) await drop(`${host}.`, 'A');
    // What a challenge left that was cut off.
    await drop(`_acme-challenge.${host}.`, 'TXT');
    if (spared.has('address') || !(await google.address(staticIpName))) return;
    await unused(ctx);
    await google.remove(['compute', 'addresses', 'delete', staticIpName, `--region=${region}`]);
  },
};

/** Waits until no load balancer holds the address: Google refuses to release it before. */
async function unused(ctx: Context): Promise<void> {
  const { google, settings } = ctx;
  await waitFor(
    {
      what: `address ${settings.staticIpName}`,
      timeoutMs: 180_000,
      everyMs: 2000,
      probe: async () =>
        (await google.address(settings.staticIpName))?.status === 'IN_USE'
          ? { state: 'pending', reason: 'a load balancer still holds it' }
          : { state: 'ready', value: undefined },
      next: `gcloud compute forwarding-rules list --project=${google.project}`,
    },
    ctx,
  );
}

/** Asks every name server of the zone until all give the reserved address. */
async function servedByTheZone(ctx: Context): Promise<string> {
  const { google, dns, settings } = ctx;
  const { host, dnsZone, staticIpName } = settings;
  const [zone, address] = await Promise.all([google.zone(dnsZone), google.address(staticIpName)]);
  if (!zone || !address)
    throw new Failure({ what: `zone ${dnsZone} or address ${staticIpName} is gone`, next: './runbook 1.0' });
  return waitFor(
    {
      what: `A record of ${host} at the zone's name servers`,
      timeoutMs: 180_000,
      probe: async () => {
        const answers = await dns.addressesAt(zone.nameServers, host);
        const late = answers.filter((a) => a.addresses.join() !== address.address);
        if (late.length === 0)
          return {
            state: 'ready',
            value: `${answers.length} name servers of ${zone.dnsName} answer ${address.address}`,
          };
        return {
          state: 'pending',
          reason: late.map((a) => `${a.server} answers ${a.addresses.join(', ') || 'nothing'}`).join('; '),
        };
      },
      next: `dig ${host} @${zone.nameServers[0] ?? ''}`,
    },
    ctx,
  );
}

/** The zone's own name servers may answer well while the world is sent to others. */
async function delegated(ctx: Context): Promise<string> {
  const judge = patience(ctx.clock);
  return waitFor(
    {
      what: 'delegation of the zone',
      timeoutMs: 60_000,
      everyMs: 2000,
      probe: async () => {
        const found = await delegation(ctx.google, ctx.dns, ctx.settings.dnsZone);
        if (found.state === 'whole') return { state: 'ready', value: 'which the world is sent to' };
        const { reason, next } = delegationText(found);
        // No resolver mends it while one waits; a second look is for one that failed to answer.
        const wrong = { key: 'delegation', reason, next, graceMs: 4000 };
        return judge(found.state === 'wrong' ? [wrong] : [], reason);
      },
      next: `dig NS ${ctx.settings.host.split('.').slice(1).join('.')}`,
    },
    ctx,
  );
}

if (import.meta.main) void import('../lib/program.ts').then(({ main }) => main([step.id, ...process.argv.slice(2)]));
