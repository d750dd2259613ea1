/** Whether the world gets the A record of the API: from the zone's own name servers, to which it is sent. */
import { STEP } from '../../base/plan-steps.ts';
import { NoNameServer } from '../../clients/dns.ts';
import type { Context } from '../../context.ts';
import type { ManagedZone } from '../../clients/google-shapes.ts';
import { delegation, delegationText, plainServer } from './delegation.ts';
import { Failure } from '../../base/failure.ts';
import { patience, waitFor, type Suspect } from '../../base/wait.ts';

/** Longer than a name server that is restarted. */
const BLOCKED_MS = 30_000;
const PORT_53 = 'allow port 53 (UDP and TCP) to these name servers, or name a resolver that may ask them by DNS_SERVER';

/** Waits for both (plan step 1.0). @returns the evidence @throws Failure where the zone is delegated to others */
export async function recordServed(ctx: Context): Promise<string> {
  return `${await servedByTheZone(ctx)}; ${await delegated(ctx)}`;
}

/** Asks every name server of the zone until all give the reserved address. */
async function servedByTheZone(ctx: Context): Promise<string> {
  const { google, dns, settings } = ctx;
  const { host, dnsZone, staticIpName } = settings;
  const [zone, address] = await Promise.all([google.zone(dnsZone), google.address(staticIpName)]);
  if (!zone || !address)
    throw new Failure({
      what: `zone ${dnsZone} or address ${staticIpName} is gone`,
      next: `./runbook ${STEP.staticIpAndDns}`,
    });
  const judge = patience(ctx.clock);
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
        const reason = late
          .map(
            (a) =>
              `${a.server} ${a.unreached ? `is not reached (${a.unreached})` : `answers ${a.addresses.join(', ') || 'nothing'}`}`,
          )
          .join('; ');
        if (!answers.every((a) => a.unreached)) return { state: 'pending', reason };
        // Where port 53 leads to a resolver alone, its word is the best there is.
        const seen = await dns.addresses(host);
        if (seen.join() === address.address)
          return { state: 'ready', value: `the resolver answers ${address.address}, and ${reason}` };
        return judge([{ key: 'port 53', reason, next: PORT_53, graceMs: BLOCKED_MS }], reason);
      },
      next: `dig ${host} @${zone.nameServers[0] ?? ''}`,
    },
    ctx,
  );
}

/** The zone's own name servers may answer well while public DNS points to others. */
async function delegated(ctx: Context): Promise<string> {
  const judge = patience(ctx.clock);
  return waitFor(
    {
      what: 'delegation of the zone',
      timeoutMs: 60_000,
      everyMs: 2000,
      probe: async () => {
        const found = await delegation(ctx.google, ctx.dns, ctx.settings.dnsZone).catch(unreached);
        if (found instanceof NoNameServer)
          return judge([{ key: 'resolver', reason: found.message, next: found.parts.next, graceMs: BLOCKED_MS }], '');
        if (found.state === 'whole') return { state: 'ready', value: 'public DNS points there' };
        const { reason, next } = delegationText(found);
        // Resolvers that check DNSSEC fail on a zone whose signatures do not fit the registrar's DS record.
        if (found.state === 'none' && (await ctx.dns.fails(plainServer(found.zone.dnsName))))
          return judge([dnssecSuspect(found.zone)], `resolvers fail on ${found.zone.dnsName} (SERVFAIL)`);
        // No resolver mends it while one waits; a second look is for one that failed to answer.
        const wrong = { key: 'delegation', reason, next, graceMs: 4000 };
        return judge(found.state === 'wrong' ? [wrong] : [], reason);
      },
      next: `dig NS ${ctx.settings.host.split('.').slice(1).join('.')}`,
    },
    ctx,
  );
}

/** Its own name servers have answered by then. */
function dnssecSuspect({ name, dnsName, dnssecConfig }: ManagedZone): Suspect {
  const signed = dnssecConfig?.state === 'on';
  return {
    key: 'dnssec',
    reason: `resolvers fail on ${dnsName} (SERVFAIL), while its name servers answer; DNSSEC of zone ${name} is ${dnssecConfig?.state ?? 'off'}`,
    next: signed
      ? `its DS record must stand at the registrar as: gcloud dns dns-keys list --zone=${name}`
      : `where the registrar of ${dnsName} holds a DS record, remove it there, or switch DNSSEC on: gcloud dns managed-zones update ${name} --dnssec-state=on`,
    graceMs: BLOCKED_MS,
  };
}

/** The failure itself where no resolver is reached; others are thrown on. */
function unreached(error: unknown): NoNameServer {
  if (error instanceof NoNameServer) return error;
  throw error;
}
