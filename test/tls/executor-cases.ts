/** The executor's TLS cases: what each sets up, and how it must end. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerOptions } from 'node:https';
import type { Identity } from './certificates.ts';
import { certificate, LATER, rsa } from './certificates.ts';
import { api, proxy, type Served } from './api-server.ts';

/** What the executor is started with. */
export interface Setup {
  url: string;
  env?: Record<string, string>;
  /** Its requests are counted: a refused certificate must see none. */
  server?: Served;
  also?: Served[];
}

export interface Case {
  name: string;
  expected: string;
  /** A further line that must be in its log. */
  says?: RegExp;
  setup: (world: TlsWorld) => Promise<Setup>;
}

const HERE = '127.0.0.1';
/** Lets a server offer what is forbidden today. */
const OLD: ServerOptions = { ciphers: 'ALL:@SECLEVEL=0' };

/** The CAs of all cases, and files of them. */
export class TlsWorld {
  readonly folder: string;
  readonly ca: Identity;
  readonly other: Identity;
  readonly intermediate: Identity;

  private constructor(folder: string, ca: Identity, other: Identity, intermediate: Identity) {
    this.folder = folder;
    this.ca = ca;
    this.other = other;
    this.intermediate = intermediate;
  }

  static async make(folder: string): Promise<TlsWorld> {
    const [ca, other] = await Promise.all(
      ['Company CA', 'Other CA'].map((name) => certificate({ name, ca: true })) as [
        Promise<Identity>,
        Promise<Identity>,
      ],
    );
    return new TlsWorld(folder, ca, other, await certificate({ name: 'Company intermediate', issuer: ca, ca: true }));
  }

  /** A new file of PEM texts; its path. */
  file(name: string, ...texts: string[]): string {
    const path = join(this.folder, name);
    writeFileSync(path, texts.join('\n'));
    return path;
  }

  trust(...trusted: Identity[]): Record<string, string> {
    const name = `${trusted.map((t) => t.pin.slice(7, 15).replaceAll(/\W/g, '_')).join('-')}.pem`;
    return { KUBENTLY_CA_CERT: this.file(name, ...trusted.map((t) => t.cert)) };
  }
}

/** A server that shows `leaf` (and `more`) at 127.0.0.1, met by an executor that trusts the company's CA. */
async function shown(
  world: TlsWorld,
  leaf: Identity,
  { more = [], tls = {}, env = {} }: { more?: Identity[]; tls?: ServerOptions; env?: Record<string, string> } = {},
): Promise<Setup> {
  const server = await api({ key: leaf.key, cert: [leaf, ...more].map((c) => c.cert).join('\n'), ...tls });
  return { url: `https://${HERE}:${server.port}`, env: { ...world.trust(world.ca), ...env }, server };
}

/** The same under a name, by a proxy that leads to the server. */
async function named(world: TlsWorld, host: string, leaf: Identity, env: Record<string, string> = {}): Promise<Setup> {
  const setup = await shown(world, leaf, { env });
  const way = await proxy(setup.server?.port ?? 0);
  return {
    ...setup,
    url: `https://${host}`,
    env: { ...setup.env, HTTPS_PROXY: `http://${HERE}:${way.port}` },
    also: [way],
  };
}

const good = (issuer: Identity, names = [HERE]): Promise<Identity> => certificate({ name: 'api', issuer, names });
const plainUrl = async (env: Record<string, string>): Promise<Setup> => {
  const server = await api();
  return { url: `http://${HERE}:${server.port}`, env, server };
};

export const CASES: Case[] = [
  {
    name: 'certificate of the company CA, trusted by KUBENTLY_CA_CERT',
    expected: 'connected',
    setup: async (w) => shown(w, await good(w.ca)),
  },
  {
    name: 'private CA without KUBENTLY_CA_CERT: the public roots do not know it',
    expected: 'refused: UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    setup: async (w) => shown(w, await good(w.ca), { env: { KUBENTLY_CA_CERT: '' } }),
  },
  {
    name: 'wrong host',
    expected: 'refused: ERR_TLS_CERT_ALTNAME_INVALID',
    says: /names DNS:elsewhere\.test; issuer CN=Company CA/,
    setup: async (w) => shown(w, await good(w.ca, ['elsewhere.test'])),
  },
  {
    name: 'host in the common name only',
    expected: 'refused: ERR_TLS_CERT_ALTNAME_INVALID',
    setup: async (w) =>
      named(
        w,
        'api.kubently.test',
        await certificate({ name: 'api.kubently.test', issuer: w.ca, names: ['10.9.8.7'] }),
      ),
  },
  {
    name: 'expired',
    expected: 'refused: CERT_HAS_EXPIRED',
    says: /subject CN=api; names IP Address:127\.0\.0\.1; issuer CN=Company CA; valid 20\S+Z to 20\S+Z/,
    setup: async (w) =>
      shown(w, await certificate({ name: 'api', issuer: w.ca, names: [HERE], from: LATER(-9), until: LATER(-1) })),
  },
  {
    name: 'not yet valid',
    expected: 'refused: CERT_NOT_YET_VALID',
    setup: async (w) => shown(w, await certificate({ name: 'api', issuer: w.ca, names: [HERE], from: LATER(1) })),
  },
  {
    name: 'self-signed',
    expected: 'refused: DEPTH_ZERO_SELF_SIGNED_CERT',
    setup: async (w) => shown(w, await certificate({ name: 'api', names: [HERE] })),
  },
  {
    name: 'unknown CA',
    expected: 'refused: UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    setup: async (w) => shown(w, await good(w.other)),
  },
  {
    name: "unknown CA, certificate without a subject (as Let's Encrypt issues them)",
    expected: 'refused: UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    says: /subject \(empty\); names IP Address:127\.0\.0\.1; issuer CN=Other CA/,
    setup: async (w) => shown(w, await certificate({ name: '', issuer: w.other, names: [HERE] })),
  },
  {
    name: 'unknown CA that is sent along',
    expected: 'refused: SELF_SIGNED_CERT_IN_CHAIN',
    setup: async (w) => shown(w, await good(w.other), { more: [w.other] }),
  },
  {
    name: "wrong key: a CA of the right name that is not the company's",
    expected: 'refused: CERT_SIGNATURE_FAILURE',
    setup: async (w) => shown(w, await good(await certificate({ name: w.ca.name, ca: true }))),
  },
  {
    name: 'signed by a certificate that is no CA',
    expected: 'refused: INVALID_PURPOSE',
    setup: async (w) => {
      const between = await certificate({ name: 'between', issuer: w.ca, names: ['between.test'] });
      return shown(w, await good(between), { more: [between] });
    },
  },
  {
    name: 'a client certificate as server',
    expected: 'refused: INVALID_PURPOSE',
    setup: async (w) => shown(w, await certificate({ name: 'api', issuer: w.ca, names: [HERE], usage: 'client' })),
  },
  {
    name: 'SHA-1 signature',
    expected: 'refused: SIGNATURE_TOO_WEAK',
    setup: async (w) => {
      const old = await certificate({ name: 'Old CA', ca: true, algorithm: rsa(2048, 'SHA-1') });
      return shown(w, await certificate({ name: 'api', issuer: old, names: [HERE] }), { tls: OLD, env: w.trust(old) });
    },
  },
  {
    name: '1024-bit RSA key',
    expected: 'refused: KEY_TOO_SMALL',
    setup: async (w) =>
      shown(w, await certificate({ name: 'api', issuer: w.ca, names: [HERE], algorithm: rsa(1024, 'SHA-256') }), {
        tls: OLD,
      }),
  },
  {
    name: 'TLS 1.0 only',
    expected: 'handshake failed',
    setup: async (w) => shown(w, await good(w.ca), { tls: { ...OLD, minVersion: 'TLSv1', maxVersion: 'TLSv1' } }),
  },
  {
    name: 'TLS 1.1 only',
    expected: 'handshake failed',
    setup: async (w) => shown(w, await good(w.ca), { tls: { ...OLD, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' } }),
  },
  {
    name: 'TLS 1.2 only',
    expected: 'connected',
    setup: async (w) => shown(w, await good(w.ca), { tls: { maxVersion: 'TLSv1.2' } }),
  },
  {
    name: 'TLS 1.3 only',
    expected: 'connected',
    setup: async (w) => shown(w, await good(w.ca), { tls: { minVersion: 'TLSv1.3' } }),
  },
  {
    name: 'https to an http port',
    expected: 'handshake failed',
    setup: async (w) => {
      const server = await api();
      return { url: `https://${HERE}:${server.port}`, env: w.trust(w.ca), server };
    },
  },
  {
    name: 'plain http (opted in) to the https port',
    expected: 'no answer',
    setup: async (w) => {
      const { server, url } = await shown(w, await good(w.ca));
      return {
        url: url.replace('https:', 'http:'),
        env: { KUBENTLY_ALLOW_HTTP: 'true' },
        ...(server ? { server } : {}),
      };
    },
  },
  {
    name: 'missing intermediate',
    expected: 'refused: UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    setup: async (w) => shown(w, await good(w.intermediate)),
  },
  {
    name: 'intermediate sent along',
    expected: 'connected',
    setup: async (w) => shown(w, await good(w.intermediate), { more: [w.intermediate] }),
  },
  {
    name: 'wildcard for one label',
    expected: 'connected',
    setup: async (w) => named(w, 'api.kubently.test', await good(w.ca, ['*.kubently.test'])),
  },
  {
    name: 'wildcard, one label too deep',
    expected: 'refused: ERR_TLS_CERT_ALTNAME_INVALID',
    setup: async (w) => named(w, 'a.api.kubently.test', await good(w.ca, ['*.kubently.test'])),
  },
  {
    name: 'pinned CA key',
    expected: 'connected',
    setup: async (w) => shown(w, await good(w.ca), { env: { KUBENTLY_CA_PIN: w.ca.pin } }),
  },
  {
    name: 'pinned CA key, intermediate between',
    expected: 'connected',
    setup: async (w) =>
      shown(w, await good(w.intermediate), { more: [w.intermediate], env: { KUBENTLY_CA_PIN: w.ca.pin } }),
  },
  {
    name: 'two pins, the second is the CA in use (rotation)',
    expected: 'connected',
    setup: async (w) => shown(w, await good(w.ca), { env: { KUBENTLY_CA_PIN: `${w.other.pin},${w.ca.pin}` } }),
  },
  {
    name: 'CA changed: trusted, but not the pinned one',
    expected: 'refused: PIN_MISMATCH',
    setup: async (w) =>
      shown(w, await good(w.other), { env: { ...w.trust(w.ca, w.other), KUBENTLY_CA_PIN: w.ca.pin } }),
  },
  {
    name: 'pinned certificate sent along, but it signed nothing',
    expected: 'refused: PIN_MISMATCH',
    setup: async (w) =>
      shown(w, await good(w.other), { more: [w.ca], env: { ...w.trust(w.ca, w.other), KUBENTLY_CA_PIN: w.ca.pin } }),
  },
  {
    name: 'malformed pin',
    expected: 'does not start',
    says: /KUBENTLY_CA_PIN: "abc" is not sha256/,
    setup: async (w) => shown(w, await good(w.ca), { env: { KUBENTLY_CA_PIN: 'abc' } }),
  },
  {
    name: 'CA file without a certificate',
    expected: 'refuses its CA file',
    setup: async (w) => shown(w, await good(w.ca), { env: { KUBENTLY_CA_CERT: w.file('empty.pem', '') } }),
  },
  {
    name: 'CA file missing',
    expected: 'refuses its CA file',
    setup: async (w) => shown(w, await good(w.ca), { env: { KUBENTLY_CA_CERT: join(w.folder, 'none.pem') } }),
  },
  {
    name: 'verification off: warned, connects',
    expected: 'connected',
    says: /WARNING - HTTPS: certificate verification is off/,
    setup: async (w) => shown(w, await good(w.other), { env: { KUBENTLY_CA_CERT: '', KUBENTLY_SSL_VERIFY: 'false' } }),
  },
  {
    name: 'verification off in production',
    expected: 'does not start',
    says: /KUBENTLY_SSL_VERIFY=false is not accepted in production/,
    setup: async (w) =>
      shown(w, await good(w.other), {
        env: { KUBENTLY_CA_CERT: '', KUBENTLY_SSL_VERIFY: 'false', ENVIRONMENT: 'production' },
      }),
  },
  {
    name: 'verification off beside a CA file: the file wins',
    expected: 'refused: UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    setup: async (w) => shown(w, await good(w.other), { env: { KUBENTLY_SSL_VERIFY: 'false' } }),
  },
  {
    name: 'http without opt-in',
    expected: 'does not start',
    says: /KUBENTLY_API_URL must be https/,
    setup: async () => plainUrl({}),
  },
  {
    name: 'http with opt-in: warned, connects',
    expected: 'connected',
    says: /WARNING - Using insecure HTTP connection/,
    setup: async () => plainUrl({ KUBENTLY_ALLOW_HTTP: 'true' }),
  },
  {
    name: 'http with opt-in, in production',
    expected: 'does not start',
    says: /KUBENTLY_ALLOW_HTTP is not accepted in production/,
    setup: async () => plainUrl({ KUBENTLY_ALLOW_HTTP: 'true', ENVIRONMENT: 'production' }),
  },
  {
    name: 'http to a Service of the own cluster: warned, tries',
    expected: 'no answer',
    says: /WARNING - Using insecure HTTP connection to http:\/\/kubently-api:8080/,
    setup: () => Promise.resolve({ url: 'http://kubently-api:8080' }),
  },
  {
    name: 'proxy in between (CONNECT)',
    expected: 'connected',
    setup: async (w) => named(w, 'api.kubently.test', await good(w.ca, ['api.kubently.test'])),
  },
  {
    name: 'proxy in between that opens the connection under a CA of its own',
    expected: 'refused: UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    setup: async (w) => named(w, 'api.kubently.test', await good(w.other, ['api.kubently.test'])),
  },
  {
    name: 'proxy that refuses',
    expected: 'no answer',
    says: /the proxy 127\.0\.0\.1:\d+ refuses api\.kubently\.test:443: 407/,
    setup: async (w) => {
      const way = await proxy(0, 407);
      return {
        url: 'https://api.kubently.test',
        env: { ...w.trust(w.ca), HTTPS_PROXY: `http://${HERE}:${way.port}` },
        also: [way],
      };
    },
  },
  {
    name: 'redirect to plain http: not followed, the token stays',
    expected: 'no answer',
    says: /Failed to connect: 308 \(sent to http:\/\/127\.0\.0\.1:1\/; not followed\)/,
    setup: async (w) => {
      const leaf = await good(w.ca);
      const server = await api({ key: leaf.key, cert: leaf.cert }, `http://${HERE}:1/`);
      return { url: `https://${HERE}:${server.port}`, env: w.trust(w.ca), server };
    },
  },
];
