/** Certificates for the TLS cases, good ones and every kind of bad one, by @peculiar/x509. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const { subtle } = webcrypto;
const DAY = 86_400_000;
export const LATER = (days: number): Date => new Date(Date.now() + days * DAY);

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
export const rsa = (modulusLength: number, hash: 'SHA-1' | 'SHA-256') => ({
  name: 'RSASSA-PKCS1-v1_5',
  hash,
  modulusLength,
  publicExponent: new Uint8Array([1, 0, 1]),
});
type Algorithm = typeof EC | ReturnType<typeof rsa>;

/** A certificate (PEM) with its key (PEM), able to sign others. */
export interface Identity {
  name: string;
  cert: string;
  key: string;
  keys: webcrypto.CryptoKeyPair;
  algorithm: Algorithm;
  /** As KUBENTLY_CA_PIN names its key. */
  pin: string;
}

export interface Wanted {
  /** Common name; empty: the subject is, too. */
  name: string;
  /** Absent: signed by itself. */
  issuer?: Identity;
  /** Subject alternative names; IP addresses by their digits. */
  names?: string[];
  ca?: boolean;
  from?: Date;
  until?: Date;
  algorithm?: Algorithm;
  usage?: 'server' | 'client';
}

/** Makes a certificate as wanted. */
export async function certificate(wanted: Wanted): Promise<Identity> {
  const { name, issuer, names = [], ca = false, usage = 'server', algorithm = EC } = wanted;
  const keys = await subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const signer = issuer ?? { name, keys, algorithm };
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(8)))
      .toString('hex')
      .replace(/^./, '1'),
    subject: name && `CN=${name}`,
    issuer: `CN=${signer.name}`,
    notBefore: wanted.from ?? LATER(-1),
    notAfter: wanted.until ?? LATER(30),
    publicKey: keys.publicKey,
    signingKey: signer.keys.privateKey,
    signingAlgorithm: signer.algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(ca, undefined, true),
      ...(ca ? [] : [new x509.ExtendedKeyUsageExtension([usage === 'server' ? serverAuth : clientAuth])]),
      ...(names.length === 0
        ? []
        : [
            new x509.SubjectAlternativeNameExtension(
              names.map((value) => ({ type: /^[\d.]+$/.test(value) ? 'ip' : 'dns', value })),
            ),
          ]),
    ],
  });
  const spki = Buffer.from(await subtle.digest('SHA-256', await subtle.exportKey('spki', keys.publicKey)));
  return {
    name,
    cert: made.toString('pem'),
    key: x509.PemConverter.encode(await subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY'),
    keys,
    algorithm,
    pin: `sha256/${spki.toString('base64')}`,
  };
}
