/** make rotate: every subject, and every one of them killed at every call and run again. */
import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, expect, test, vi } from 'vitest';
import type { Command } from '../../../lib/base/command.ts';
import type { Context } from '../../../lib/context.ts';
import { BadInput } from '../../../lib/base/failure.ts';
import type { HttpAnswer, HttpRequest } from '../../../lib/base/http.ts';
import type { ReleaseSpec } from '../../../lib/chart/release-spec.ts';
import { fitAndKeep } from '../../../lib/deployment/release/fitted.ts';
import { gkeRelease, remoteRelease } from '../../../lib/deployment/release/release.ts';
import { applyGkeSecrets, applyRemoteSecret, restartReaders } from '../../../lib/operations/rotation/restart.ts';
import { beginAll, rotate, subjectsOf } from '../../../lib/operations/rotation/rotation.ts';
import { readIngressIp, readTokens } from '../../../lib/settings/tokens-file.ts';
import { step as tokensStep } from '../../../scripts/2.1-tokens.ts';
import { step as secretsStep } from '../../../scripts/2.3-secrets.ts';
import { EMAIL, FakeGoogle, IP } from '../fake-google.ts';
import { contextOf, fakeOutside, json, settings, type FakeOutside, type World } from '../outside.ts';
import { checkedOut, checkoutRows, VALUES } from '../released.ts';
import { AROUND, FakeDeployment, FIRST } from './fake-deployment.ts';

vi.mock('../../../lib/chart/fit.ts', () => ({
  fitRelease: (spec: ReleaseSpec) => Promise.resolve({ values: VALUES, extras: AROUND[spec.side], findings: [] }),
}));

const PEM = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
const OURS = (host: string): string => `kubently-runbook ${host}`;
const keyFile = (id: string): string =>
  JSON.stringify({ private_key_id: id, private_key: PEM, client_email: EMAIL, type: 'service_account' });

let world: FakeDeployment;
let google: FakeGoogle;
let outside: FakeOutside;
let ctx: Context;

/** What Google does about keys: another one each time, and those that live are let in. */
class Keys implements World {
  made = 0;

  command = ({ args }: Command): undefined => {
    if (!args.includes('create') || !args.includes('keys')) return undefined;
    const id = `key-${++this.made}-made`;
    google.newKey = { id, text: keyFile(id) };
    return undefined;
  };

  request = ({ url, headers }: HttpRequest): HttpAnswer | undefined => {
    if (!url.endsWith('/rrsets?maxResults=1')) return undefined;
    const [head = ''] = (headers?.['authorization'] ?? '').replace('Bearer ', '').split('.');
    const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string };
    return json({}, google.keys.includes(kid) ? 200 : 401);
  };
}

beforeEach(async () => {
  const given = checkedOut();
  world = new FakeDeployment(given);
  google = new FakeGoogle().reserved().withAccount(OURS(given.host), ['key-first']);
  const data = { 'key.json': Buffer.from(keyFile('key-first')).toString('base64') };
  world.gke.objects.push({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'clouddns-dns01-solver-sa', namespace: 'cert-manager' },
    data,
  });
  await world.writeFile();
  outside = fakeOutside({ worlds: [world, new Keys(), google], rows: checkoutRows(given) });
  ctx = contextOf(outside, given);
  await fitAndKeep(ctx, await gkeRelease(ctx));
  for (const remote of given.remotes) await fitAndKeep(ctx, await remoteRelease(ctx, remote));
  await deploy(ctx);
  world.tokens.set('kind-remote', FIRST.KIND_REMOTE_EXECUTOR_TOKEN);
  outside.changes.length = 0;
  world.restarts = [];
});

/** What `make deploy` does about Secrets and restarts. */
async function deploy(by: Context): Promise<void> {
  await applyGkeSecrets(by);
  await restartReaders(by, await gkeRelease(by));
  for (const remote of by.settings.remotes) {
    await applyRemoteSecret(by, remote);
    await restartReaders(by, await remoteRelease(by, remote));
  }
}

async function run(what: string, by = ctx): Promise<string[]> {
  const evidence: string[] = [];
  for (const subject of await beginAll(by, subjectsOf(what, by.settings))) evidence.push(await rotate(by, subject));
  return evidence;
}

const file = (): Record<string, string> =>
  Object.fromEntries(Object.entries(readTokens(world.settings.tokensFile)).map(([k, v]) => [k, v.reveal()]));

/** Everything that a finished rotation of these names has made true. */
function expectRotated(names: readonly (keyof typeof FIRST)[]): void {
  const now = file();
  expect(Object.keys(now).sort()).toEqual(Object.keys(FIRST).sort());
  expect(readIngressIp(world.settings.tokensFile)).toBe(IP);
  for (const name of Object.keys(FIRST) as (keyof typeof FIRST)[]) {
    if (names.includes(name)) expect(now[name]).toMatch(/^[0-9a-f]{64}$/);
    else expect(now[name]).toBe(FIRST[name]);
  }
  expect(world.apiKeys).toEqual([now['API_KEY']]);
  expect(world.redisPasswords).toEqual([now['REDIS_PASSWORD']]);
  expect(world.apiPassword).toBe(now['REDIS_PASSWORD']);
  expect(world.tokens.get('gke')).toBe(now['GKE_EXECUTOR_TOKEN']);
  expect(world.tokens.get('kind-remote')).toBe(now['KIND_REMOTE_EXECUTOR_TOKEN']);
  expect(world.whole).toBe(true);
}

test('api-key: both in the Secret until the new one is proven; the old one is refused at the end', async () => {
  const [evidence] = await run('api-key');
  expect(evidence).toContain('refuses the old one (401)');
  expect(outside.changes.filter((c) => c.includes('Secret/kubently-api-keys'))).toHaveLength(2);
  expect(world.restarts).toEqual(['kubently-api', 'kubently-api']);
  expectRotated(['API_KEY']);
});

test('redis: the API moves first, the data is saved, Redis restarts last', async () => {
  await run('redis');
  expect(world.restarts).toEqual(['kubently-api', 'kubently-redis-master']);
  expect(world.saved).toBe(1);
  expectRotated(['REDIS_PASSWORD']);
});

test.each([
  ['gke', 'GKE_EXECUTOR_TOKEN', ['kubently-api', 'kubently-executor']],
  ['kind-remote', 'KIND_REMOTE_EXECUTOR_TOKEN', ['kubently-remote-executor']],
] as const)('executor:%s', async (id, name, restarts) => {
  const [evidence] = await run(`executor:${id}`);
  expect(evidence).toContain('the old one is refused (401)');
  expect(world.restarts).toEqual(restarts);
  expectRotated([name]);
});

test('dns-key: a new key, the old one deleted and refused, and no key on a command line', async () => {
  const [evidence] = await run('dns-key');
  expect(evidence).toContain('deleted and refused (401)');
  expect(google.keys).toEqual(['key-1-made']);
  expect(Object.keys(world.gke.get('Secret', 'clouddns-dns01-solver-sa')?.['data'] as object)).toContain('key.json');
  for (const { args } of outside.commands) expect(args.join(' ')).not.toContain('PRIVATE KEY');
  expectRotated([]);
});

test.each(['api-key', 'redis', 'executor:gke'])(
  '%s restarts the API: it ends when every executor is back',
  async (what) => {
    const away = new Map([
      ['gke', 2],
      ['kind-remote', 3],
    ]);
    const reconnecting: World = {
      request: (r) => {
        const id = r.url.endsWith('/debug/execute') ? (r.body as { cluster_id: string }).cluster_id : undefined;
        const left = id === undefined ? 0 : (away.get(id) ?? 0);
        if (id === undefined || left === 0) return world.request(r);
        away.set(id, left - 1);
        return json({ status: 'timeout', output: null, error: null });
      },
    };
    const other = fakeOutside({
      worlds: [reconnecting, world, new Keys(), google],
      rows: checkoutRows(world.settings),
    });
    await run(what, contextOf(other, world.settings));
    expect([...away.values()]).toEqual([0, 0]);
  },
);

test('an old key that is still taken is told, and the rotation stays open', async () => {
  const stubborn: World = {
    request: (r) => (r.headers?.['x-api-key'] === FIRST.API_KEY ? json({ clusters: [] }) : world.request(r)),
  };
  const other = fakeOutside({ worlds: [stubborn, world, new Keys(), google], rows: checkoutRows(world.settings) });
  await expect(run('api-key', contextOf(other, world.settings))).rejects.toThrow('old API key refused');
  expect(file()).toHaveProperty('API_KEY_PREVIOUS', FIRST.API_KEY);
});

test('an executor token that is still taken is told; one request without an answer is not', async () => {
  const first = `Bearer ${FIRST.GKE_EXECUTOR_TOKEN}`;
  let lost = 1;
  const opens = (always: boolean): World => ({
    request: (r) => {
      if (r.headers?.['authorization'] !== first || !(always || lost-- > 0)) return world.request(r);
      throw new Error('no answer within 5 s');
    },
  });
  const by = (w: World): Context =>
    contextOf(
      fakeOutside({ worlds: [w, world, new Keys(), google], rows: checkoutRows(world.settings) }),
      world.settings,
    );
  await expect(run('executor:gke', by(opens(true)))).rejects.toThrow('former executor token of gke refused');
  expect(file()).toHaveProperty('GKE_EXECUTOR_TOKEN_PREVIOUS', FIRST.GKE_EXECUTOR_TOKEN);
  await run('executor:gke', by(opens(false)));
  expectRotated(['GKE_EXECUTOR_TOKEN']);
});

test('WHAT that is nothing, or not given, is bad input; without a key there is no dns-key', () => {
  for (const what of [undefined, 'everything', 'executor:nowhere'])
    expect(() => subjectsOf(what, world.settings)).toThrow(BadInput);
  expect(subjectsOf('all', world.settings)).toHaveLength(5);
  expect(() => subjectsOf('dns-key', settings({ dns01Auth: 'workload-identity' }))).toThrow(BadInput);
});

class Killed extends Error {}

/** A context whose n-th call, and every later one, does not happen (`before`) or is not heard of (`after`). */
function killedAt(n: number, when: 'before' | 'after'): { by: Context; reached: () => boolean } {
  let calls = 0;
  const through =
    <A, B>(work: (a: A) => Promise<B>) =>
    async (a: A): Promise<B> => {
      calls++;
      if (calls > n || (calls === n && when === 'before')) throw new Killed();
      const answer = await work(a);
      if (calls >= n) throw new Killed();
      return answer;
    };
  const by = contextOf({ ...outside, run: through(outside.run), http: through(outside.http) }, world.settings);
  return { by, reached: () => calls >= n };
}

const NAMES: Record<string, (keyof typeof FIRST)[]> = {
  'api-key': ['API_KEY'],
  redis: ['REDIS_PASSWORD'],
  'executor:gke': ['GKE_EXECUTOR_TOKEN'],
  'executor:kind-remote': ['KIND_REMOTE_EXECUTOR_TOKEN'],
  'dns-key': [],
  all: Object.keys(FIRST) as (keyof typeof FIRST)[],
};

/** State of the fakes and the file, to start again from. */
function snapshot(): () => Promise<void> {
  const { gke, remote, apiKeys, apiPassword, redisPasswords, tokens, executors } = world;
  const kept = structuredClone({
    gke: gke.objects,
    remote: remote.objects,
    apiKeys,
    redisPasswords,
    tokens,
    executors,
  });
  const keys = [...google.keys];
  return async () => {
    const back = structuredClone(kept);
    gke.objects = back.gke;
    remote.objects = back.remote;
    Object.assign(world, { ...back, gke, remote, apiPassword });
    google.keys = [...keys];
    await world.writeFile();
  };
}

test.each(Object.keys(NAMES))(
  '%s, killed at every call and run again, ends as if it had not been',
  { timeout: 120_000 },
  async (what) => {
    const again = snapshot();
    // Of all, whose parts are killed by themselves too, a few calls.
    const stride = what === 'all' ? 11 : 1;
    let ended = false;
    for (let n = 1; !ended; n += stride) {
      await again();
      const { by, reached } = killedAt(n, n % 2 === 0 ? 'before' : 'after');
      // Proofs wait while calls fail, so a killed run may end as one that timed out.
      await run(what, by).catch((error: unknown) => {
        if (!reached()) throw error;
      });
      ended = !reached();
      // What `make deploy` finds in between is never a conflict, and putting it right breaks nothing.
      const found = await tokensStep.check(ctx);
      expect(found.state === 'conflict').toBe(false);
      if (n % 4 > 1) {
        await secretsStep.apply(ctx);
        await deploy(ctx);
        expect(world.apiKeys).toContain(file()['API_KEY']);
        expect(world.redisPasswords).toContain(world.apiPassword);
      }
      if (!ended) await run(what);
      expectRotated(NAMES[what] ?? []);
      if (what === 'dns-key' || what === 'all') {
        expect(google.keys).toHaveLength(1);
        expect(google.keys).not.toContain('key-first');
      }
    }
  },
);
