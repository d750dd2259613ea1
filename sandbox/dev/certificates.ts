/**
 * Certificates for local development, for localhost, nginx and 127.0.0.1: node sandbox/dev/certificates.ts
 * The CA's key is thrown away once it has signed: nobody can sign more in the name of a CA that a browser trusts here.
 */
import 'reflect-metadata';
import { webcrypto, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { DEVELOPMENT_CA } from '../../lib/settings/trust-file.ts';
import { say } from '../progress.ts';
import { FOLDER } from './folder.ts';

const DAY = 86_400_000;
const VALID_DAYS = 365;
const RENEW_DAYS = 30;
const NAMES = [
  { type: 'dns', value: 'localhost' },
  { type: 'dns', value: 'nginx' },
  { type: 'ip', value: '127.0.0.1' },
] as const;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Whether the certificates in `folder` belong together and are good for another month. @param now milliseconds since 1970 */
export function areGood(folder: string, now: number): boolean {
  const [ca, server] = ['ca.crt', 'server.crt'].map((name) => join(folder, name)) as [string, string];
  if (![ca, server, join(folder, 'server.key')].every((path) => existsSync(path))) return false;
  const [root, leaf] = [new X509Certificate(readFileSync(ca)), new X509Certificate(readFileSync(server))];
  return leaf.verify(root.publicKey) && leaf.validToDate.getTime() - now > RENEW_DAYS * DAY;
}

/** Makes a CA and a server certificate of it in `folder`: ca.crt, server.crt, server.key (0600). @param now milliseconds since 1970 */
export async function makeCertificates(folder: string, now: number): Promise<void> {
  const generate = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const [caKeys, keys] = await Promise.all([generate(), generate()]);
  const life = { notBefore: new Date(now - 60_000), notAfter: new Date(now + VALID_DAYS * DAY) };
  const subject = `O=Kubently development, CN=${DEVELOPMENT_CA}`;
  const { digitalSignature, keyCertSign } = x509.KeyUsageFlags;
  const signed = { ...life, signingKey: caKeys.privateKey, signingAlgorithm: ALGORITHM, issuer: subject };
  const ca = await x509.X509CertificateGenerator.create({
    ...signed,
    subject,
    publicKey: caKeys.publicKey,
    serialNumber: serial(),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  const server = await x509.X509CertificateGenerator.create({
    ...signed,
    subject: 'O=Kubently development, CN=localhost',
    publicKey: keys.publicKey,
    serialNumber: serial(),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([...NAMES]),
      await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // The certificates are public, and the executor's user reads one of them.
  write(join(folder, 'ca.crt'), ca.toString('pem'), 0o644);
  write(join(folder, 'server.crt'), server.toString('pem'), 0o644);
  write(join(folder, 'server.key'), key, 0o600);
}

/** A new file, so that the mode counts. */
function write(path: string, text: string, mode: number): void {
  rmSync(path, { force: true });
  writeFileSync(path, `${text}\n`, { mode });
}

/** 8 random bytes in hex, the first positive and not 0. */
function serial(): string {
  return `4${Buffer.from(webcrypto.getRandomValues(new Uint8Array(8)))
    .toString('hex')
    .slice(1)}`;
}

/** Certificates in FOLDER that are good for a month at least. @returns what was done */
export async function ensureCertificates(): Promise<string> {
  if (areGood(FOLDER, Date.now())) return 'there';
  await makeCertificates(FOLDER, Date.now());
  return `made, for ${VALID_DAYS} days`;
}

if (import.meta.main) {
  say(`development certificates: ${await ensureCertificates()}`);
  say(`for this machine only: ${join(FOLDER, 'ca.crt')} (a deployment refuses it as TLS_CA_FILE)`);
}
