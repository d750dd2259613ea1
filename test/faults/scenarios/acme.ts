/** The ACME server refuses an order, once: the TXT record is gone when it looks, though cert-manager has just seen it. */
import { setTimeout as delay } from 'node:timers/promises';
import { ACME, NETWORK } from '../../../sandbox/world.ts';
import { untilDone, type Fault, type Seen } from '../fault.ts';
import { settingsCopy, start } from '../run.ts';
import { GKE, google, kubectl, output, setting, until, whileStopped } from '../world.ts';

const CERTIFICATE = 'kubently-api-tls';
const ARGS = ['deploy', '--only', '2.6'];

/** Once the record is presented Pebble stands still; when cert-manager has asked it to look, the record goes. */
async function refuseOnce(): Promise<void> {
  const record = `/dns/v1/projects/${setting('GCP_PROJECT')}/managedZones/${setting('DNS_ZONE')}/rrsets/_acme-challenge.${setting('API_HOST')}./TXT`;
  await until('the TXT record', 120, () => google('GET', record), 100);
  const port = new URL(ACME.production.url).port;
  await whileStopped('pebble-production', async () => {
    const asked = async (): Promise<true | undefined> => {
      const sockets = await output('ss', '-Htn', 'state', 'established', `src ${NETWORK.acmeProduction}:${port}`);
      return sockets.split('\n').some((l) => Number(l.trim().split(/\s+/)[0]) > 0) || undefined;
    };
    // It waits out the record's TTL of 60 s first.
    await until('cert-manager asks the ACME server', 150, asked, 200);
    await google('DELETE', record);
    // Until the name server has forgotten it, too.
    await delay(2500);
  });
}

async function strike(): Promise<Seen> {
  const namespace = setting('NAMESPACE');
  const file = settingsCopy('acme', { TLS_ISSUER: 'production' });
  await kubectl(GKE, '-n', namespace, 'delete', `certificates.cert-manager.io/${CERTIFICATE}`, '--wait');
  await kubectl(GKE, '-n', namespace, 'delete', `secret/${CERTIFICATE}`, '--ignore-not-found');
  const first = start(ARGS, file, 'acme-rejected');
  await refuseOnce();
  const orderFailed = async (): Promise<number | undefined> => {
    const states = await kubectl(
      GKE,
      '-n',
      namespace,
      'get',
      'orders.acme.cert-manager.io',
      '-o',
      'jsonpath={.items[*].status.state}',
    );
    return /invalid|errored/.test(states) ? Date.now() : undefined;
  };
  const knowableAt = await until('the Order fails', 60, orderFailed, 250).catch(() => undefined);
  const runs = await untilDone(ARGS, file, 'acme-rejected', first);
  return {
    command: first.command,
    runs,
    cause: /invalid|errored|TXT|unauthorized/i,
    ...(knowableAt === undefined ? { unproven: 'no Order failed' } : { knowableAt }),
  };
}

export const acmeFaults: Fault[] = [
  {
    id: 'acme-rejected',
    fault: 'the ACME server rejects an order once',
    done: 'the TXT record is taken away between cert-manager’s own check and the ACME server’s',
    strike,
  },
];
