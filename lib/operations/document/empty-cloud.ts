/** A whole outside in memory, empty at first: Google's APIs, a registry, Kubently's API and the clusters remember what was made. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import type { Command, Run } from '../../base/command.ts';
import type { Outside } from '../../context.ts';
import type { HttpAnswer, HttpRequest } from '../../base/http.ts';
import { dns01Email } from '../../deployment/cluster/infrastructure.ts';
import type { Settings } from '../../settings/settings.ts';
import { readTokens, tokenName } from '../../settings/tokens-file.ts';
import { EmptyCluster } from './empty-cluster.ts';

/** Stands for the address that Google will reserve (RFC 5737). */
export const ADDRESS = '203.0.113.10';
/** Stands for what `gcloud auth print-access-token` prints. */
export const ACCESS_TOKEN = 'an-access-token-of-the-recording';

/** Stands for an image's digest. */
const NO_DIGEST = `sha256:${'0'.repeat(64)}`;

const NAME_SERVERS = ['ns-cloud-a1.googledomains.com.', 'ns-cloud-a2.googledomains.com.'];

export interface EmptyCloud {
  outside: Outside;
  /** Stands for the service account's key. */
  key: string;
}

/** @param real runs what only reads this machine: git and `helm template` */
export function emptyCloud(settings: Settings, real: Run): EmptyCloud {
  const key = serviceAccountKey(settings);
  const google = new EmptyGoogle(settings, key);
  const registered = new Set([settings.gkeClusterId]);
  const clusters = new Map<string, EmptyCluster>();
  const redis = (argv: readonly string[]): string => {
    const tokens = readTokens(settings.tokensFile);
    const ids = argv.flatMap((a) => /^executor:token:(.*)$/.exec(a)?.[1] ?? []);
    return ids
      .map((id) =>
        registered.has(id)
          ? createHash('sha1')
              .update(tokens[tokenName(id)]?.reveal() ?? '')
              .digest('hex')
          : '-',
      )
      .join('\n');
  };
  const cluster = (context: string): EmptyCluster => {
    const known = clusters.get(context) ?? new EmptyCluster(real, ADDRESS, redis);
    clusters.set(context, known);
    return known;
  };
  const flag = (args: readonly string[], name: string): string => args[args.indexOf(name) + 1] ?? '';
  const answer = async (command: Command): Promise<string> => {
    const { binary, args } = command;
    switch (binary) {
      case 'git':
        return command.mutates ? '' : (await real(command)).stdout;
      case 'helm':
        return args[0] === 'template'
          ? (await real(command)).stdout
          : cluster(flag(args, '--kube-context')).helm(command);
      case 'kubectl':
        return cluster(flag(args, '--context')).kubectl(command);
      case 'gcloud':
        return google.command(args);
      case 'node':
      case 'npm':
      case 'docker':
      case 'tar':
        return '';
    }
  };
  const commit = real({ binary: 'git', args: ['-C', settings.repo, 'rev-parse', 'HEAD'], mutates: false });
  let pushed = false;
  const http = async (request: HttpRequest): Promise<HttpAnswer> => {
    const { method = 'GET' } = request;
    const url = new URL(request.url);
    if (url.hostname === settings.host) {
      const registration = /^\/admin\/agents\/([^/]+)\/token$/.exec(url.pathname)?.[1];
      if (registration && method === 'POST') registered.add(registration);
      return json({});
    }
    if (url.pathname.startsWith('/v2/')) return registry(url.pathname, pushed, (await commit).stdout.trim());
    return google.request(url);
  };
  let now = Date.now();
  return {
    key,
    outside: {
      run: async (command) => {
        if (command.binary === 'docker' && command.args[0] === 'push') pushed = true;
        return { stdout: await answer(command), stderr: '' };
      },
      follow: notAsked,
      legacyTls: notAsked,
      served: notAsked,
      dns: { nameServers: notAsked, addresses: notAsked, addressesAt: notAsked, mayIssue: notAsked, fails: notAsked },
      http,
      clock: {
        now: () => now,
        sleep: (ms) => {
          now += ms;
          return Promise.resolve();
        },
      },
    },
  };
}

const notAsked = (): Promise<never> => Promise.reject(new Error('no step asks this before it changes something'));

/** A project in which the plan's gcloud commands do what they say. */
class EmptyGoogle {
  readonly #settings: Settings;
  readonly #key: string;
  readonly #made = new Set<string>();
  #description = '';

  constructor(settings: Settings, key: string) {
    this.#settings = settings;
    this.#key = key;
  }

  command(args: readonly string[]): string {
    const line = args.join(' ');
    if (line.startsWith('auth print-access-token')) return ACCESS_TOKEN;
    const [, thing] =
      /^(compute addresses|dns record-sets|iam service-accounts keys|iam service-accounts) create/.exec(line) ?? [];
    const [, gone] = /^(compute addresses|dns record-sets|iam service-accounts) delete/.exec(line) ?? [];
    if (thing) this.#made.add(thing);
    if (gone) this.#made.delete(gone);
    this.#description =
      args.find((a) => a.startsWith('--description='))?.slice('--description='.length) ?? this.#description;
    return thing === 'iam service-accounts keys' ? this.#key : '';
  }

  request({ pathname }: URL): HttpAnswer {
    const { host, dnsZone, staticIpName } = this.#settings;
    const has = (thing: string, value: object): HttpAnswer => (this.#made.has(thing) ? json(value) : json({}, 404));
    const record = { name: `${host}.`, type: 'A', ttl: 300, rrdatas: [ADDRESS] };
    if (pathname.includes('/global/')) return json({}, 404);
    if (pathname.includes('/addresses/'))
      return has('compute addresses', { name: staticIpName, address: ADDRESS, status: 'RESERVED' });
    if (pathname.endsWith('/rrsets')) return json({ rrsets: this.#made.has('dns record-sets') ? [record] : [] });
    if (pathname.includes('/managedZones/'))
      return json({ name: dnsZone, dnsName: `${host.split('.').slice(1).join('.')}.`, nameServers: NAME_SERVERS });
    if (pathname.endsWith('/keys')) return json({ keys: [] });
    if (pathname.includes('/serviceAccounts/')) return has('iam service-accounts', { description: this.#description });
    return json({ bindings: [] });
  }
}

function registry(pathname: string, pushed: boolean, revision: string): HttpAnswer {
  if (pathname === '/v2/') return json({});
  if (!pushed) return json({}, 404);
  return pathname.includes('/manifests/')
    ? { ...json({ config: { digest: NO_DIGEST } }), headers: { 'docker-content-digest': NO_DIGEST } }
    : json({ config: { Labels: { 'org.opencontainers.image.revision': revision } } });
}

function serviceAccountKey(settings: Settings): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return JSON.stringify({
    type: 'service_account',
    client_email: dns01Email(settings),
    private_key_id: 'a-key-of-the-recording',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  });
}

function json(body: unknown, status = 200): HttpAnswer {
  return { status, headers: {}, body: JSON.stringify(body) };
}
