/** Two ACME directories (staging, production), each a Pebble with a root of its own. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { ensureDaemon } from '../processes.ts';
import { run, succeeds } from '../run.ts';
import { ACME, NETWORK, PATHS, STATE } from '../world.ts';

const FOLDER = join(STATE, 'acme');
const MANAGEMENT_PORT = 15000;
/** Pebble refuses requests without one, as Let's Encrypt does. */
const headers = { 'user-agent': 'kubently-sandbox' };

const directories = [
  { name: 'pebble-staging', address: NETWORK.acmeStaging, ...ACME.staging },
  { name: 'pebble-production', address: NETWORK.acmeProduction, ...ACME.production },
];

/** The body of a GET over TLS that the rehearsal CA vouches for; undefined on any failure. */
function fetchText(host: string, port: number, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get({ host, port, path, ca: readFileSync(PATHS.ca), agent: false, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => (text += chunk));
      answer.on('end', () => resolve(answer.statusCode === 200 ? text : undefined));
    });
    request.on('error', () => resolve(undefined));
    request.setTimeout(2000, () => request.destroy());
  });
}

/** A server certificate of the rehearsal CA for a name and an address, made once for each CA. */
async function serverCertificate(name: string, host: string, address: string): Promise<{ crt: string; key: string }> {
  const crt = join(FOLDER, `${name}.crt`);
  const key = join(FOLDER, `${name}.key`);
  if (existsSync(key) && (await succeeds('openssl', ['verify', '-CAfile', PATHS.ca, crt]))) return { crt, key };
  const key_ = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key];
  const issuer = ['-CA', PATHS.ca, '-CAkey', PATHS.caKey];
  const names = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host},IP:${address}`];
  const leaf = ['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'extendedKeyUsage=serverAuth'];
  await run('openssl', ['req', '-x509', '-days', '800', ...issuer, ...key_, ...names, ...leaf, '-out', crt]);
  return { crt, key };
}

/** Pebble's configuration file for one directory. */
async function configure(name: string, host: string, address: string, url: string): Promise<string> {
  const { crt, key } = await serverCertificate(name, host, address);
  const config = {
    pebble: {
      listenAddress: `${address}:${new URL(url).port}`,
      managementListenAddress: `${address}:${MANAGEMENT_PORT}`,
      certificate: crt,
      privateKey: key,
      httpPort: 80,
      tlsPort: 443,
      keyAlgorithm: 'ecdsa',
      retryAfter: { authz: 1, order: 1 },
      profiles: { classic: { description: '90 days', validityPeriod: 90 * 24 * 3600 } },
    },
  };
  const file = join(FOLDER, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`);
  return file;
}

/**
 * Starts what does not run of both directories and writes their roots to PATHS.acmeRoots; answers whether anything
 * was started (then accounts and roots are new: Pebble keeps them in memory only).
 */
export async function ensureAcme(pebble: string): Promise<boolean> {
  mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
  // Each order is validated afresh, so that every rehearsal goes through DNS-01.
  const env = { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0', PEBBLE_AUTHZREUSE: '0' };
  const roots: string[] = [];
  const started: boolean[] = [];
  for (const { name, host, address, url } of directories) {
    const file = await configure(name, host, address, url);
    const args = ['-config', file, '-dnsserver', `${NETWORK.dns}:53`];
    const root = () => fetchText(address, MANAGEMENT_PORT, '/roots/0');
    const ready = async () =>
      (await root()) !== undefined && (await fetchText(address, Number(new URL(url).port), '/dir')) !== undefined;
    started.push(await ensureDaemon({ name, command: pebble, args, env, sources: [file] }, ready));
    roots.push((await root()) ?? '');
  }
  writeFileSync(PATHS.acmeRoots, roots.join(''));
  return started.includes(true);
}
