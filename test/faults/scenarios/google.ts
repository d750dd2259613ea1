/** Google is slow, asks to slow down, is ill, loses an answer; what was written is seen late. */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GOOGLE } from '../../../sandbox/world.ts';
import { untilDone, type Fault, type Seen } from '../fault.ts';
import { ENV_FILE, settingsCopy, start } from '../run.ts';
import { google, googleSettings, setting, underGoogle, type GoogleFault } from '../world.ts';

const HOST = `faults.${GOOGLE.domain}`;
const ADDRESS = 'kubently-faults-ip';
const ACCOUNT = 'kubently-faults-dns01';
const SLOW_MS = 3000;
/** Address, record, account, binding and key are made anew: every call to Google that a deployment makes. */
const FRESH = ['deploy', '--only', '1.0,1.2'];

/** A deployment of its own in Google, of which nothing is there yet. */
async function fresh(): Promise<string> {
  await clean();
  // The world's own file belongs to the world's host.
  const tokens = join(tmpdir(), `kubently-faults-${process.pid}-google.tokens.env`);
  process.once('exit', () => rmSync(tokens, { force: true }));
  return settingsCopy('google', {
    API_HOST: HOST,
    STATIC_IP_NAME: ADDRESS,
    DNS01_ACCOUNT: ACCOUNT,
    TOKENS_FILE: tokens,
  });
}

async function clean(): Promise<void> {
  const project = setting('GCP_PROJECT');
  await google('DELETE', `/dns/v1/projects/${project}/managedZones/${setting('DNS_ZONE')}/rrsets/${HOST}./A`);
  await google('DELETE', `/compute/v1/projects/${project}/regions/${setting('GCP_REGION')}/addresses/${ADDRESS}`);
  await google('DELETE', `/v1/projects/${project}/serviceAccounts/${ACCOUNT}@${project}.iam.gserviceaccount.com`);
}

/** The world's own deployment gets a key of its own account again. */
async function giveBack(): Promise<void> {
  await clean();
  const { status } = await start(['1.2'], ENV_FILE, 'google-back').ended;
  if (status !== 0) throw new Error('the deployment did not get its key back: ./runbook 1.2');
}

interface Request {
  method: string;
  path: string;
  mutating: boolean;
  client: string;
}

/** Names that differ from run to run. */
function pattern(path: string): string {
  const escaped = path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return `^${escaped.replace(/(operations|changes|keys)\/[^/]+/g, '$1/[^/]+').replace(/addresses\/\d+/g, 'addresses/\\d+')}$`;
}

let known: Promise<Map<string, Request>> | undefined;

/** Every call that a run without faults makes, once. */
function calls(): Promise<Map<string, Request>> {
  known ??= (async () => {
    const file = await fresh();
    const since = new Date().toISOString();
    const { status } = await start(FRESH, file, 'google-plain').ended;
    if (status !== 0) throw new Error('the run without a fault did not complete');
    const { requests } = (await google('GET', `/_sandbox/requests?since=${since}`)) as { requests: Request[] };
    const ours = requests.filter((r) => /^(gcloud|kubently-runbook)/.test(r.client));
    return new Map(ours.map((r) => [`${r.method} ${pattern(r.path)}`, r]));
  })();
  return known;
}

async function everyCallOnce(id: string, suffering: Partial<GoogleFault>, cause: RegExp): Promise<Seen> {
  try {
    const all = [...(await calls())].filter(([, { mutating }]) => mutating || !suffering.late);
    const faults = all.map(([, { method, path }]) => ({ method, path: pattern(path), count: 1, ...suffering }));
    const file = await fresh();
    return await underGoogle({ faults }, async () => {
      const runs = await untilDone(FRESH, file, id);
      const hit = (await googleSettings()).faults.filter((f) => f.count === 0).length;
      return {
        command: runs[0]?.command ?? '',
        runs,
        cause,
        note: `${hit} of ${faults.length} different calls hit, each once`,
        ...(hit < faults.length * 0.8 ? { unproven: `only ${hit} of ${faults.length} calls came` } : {}),
      };
    });
  } finally {
    await giveBack();
  }
}

async function seenLate(
  id: string,
  delays: Parameters<typeof underGoogle>[0]['delays'],
  step: string,
  seconds: number,
): Promise<Seen> {
  try {
    const file = await fresh();
    return await underGoogle({ ...(delays ? { delays } : {}) }, async () => {
      const runs = await untilDone(['deploy', '--only', step], file, id);
      const took = ((runs[0]?.endedAt ?? 0) - (runs[0]?.startedAt ?? 0)) / 1000;
      return {
        command: runs[0]?.command ?? '',
        runs,
        cause: /not visible yet|grants take|answers nothing/,
        note: `the run waited it out, ${took.toFixed(0)} s in all`,
        ...(took < seconds ? { unproven: `it was through after ${took.toFixed(0)} s` } : {}),
      };
    });
  } finally {
    await giveBack();
  }
}

export const googleFaults: Fault[] = [
  {
    id: 'google-429',
    fault: 'Google answers 429 (slow down)',
    done: 'once on every call of 1.0 and 1.2 from nothing',
    strike: () => everyCallOnce('google-429', { status: 429 }, /429/),
  },
  {
    id: 'google-503',
    fault: 'Google answers 503 (ill)',
    done: 'once on every call of 1.0 and 1.2 from nothing',
    strike: () => everyCallOnce('google-503', { status: 503 }, /503/),
  },
  {
    id: 'google-slow',
    fault: 'Google is slow',
    done: `${SLOW_MS / 1000} s later, once on every call of 1.0 and 1.2 from nothing`,
    strike: () => everyCallOnce('google-slow', { latencyMs: SLOW_MS }, /within/),
  },
  {
    id: 'google-late',
    fault: 'Google does what it is told and the answer is lost (503)',
    done: 'once on every changing call of 1.0 and 1.2 from nothing',
    strike: () =>
      everyCallOnce('google-late', { status: 503, late: true }, /503|already exists|alreadyExists|ALREADY/i),
  },
  {
    id: 'iam-late',
    fault: 'IAM is visible only after 20 s',
    done: 'account and binding of 1.2 are seen 20 s after they were made',
    strike: () => seenLate('iam-late', { serviceAccount: 20, iam: 20 }, '1.2', 20),
  },
  {
    id: 'dns-late',
    fault: 'DNS serves a record only after 30 s',
    done: 'the A record of 1.0',
    strike: () => seenLate('dns-late', { dns: 30 }, '1.0', 30),
  },
];
