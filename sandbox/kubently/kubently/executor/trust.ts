/** Whom the executor trusts on https (kubently-contract 4): a CA file alone, everybody, or the usual roots; and pins. */
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { log } from '../log.ts';
import type { Settings } from './settings.ts';

/** Says once at start how the API will be trusted. */
export function announceTrust({ apiUrl, verify, caFile, pins }: Settings): void {
  if (apiUrl.startsWith('http://')) {
    log.warning(`Using insecure HTTP connection to ${apiUrl}: the token and every output cross the network in clear`);
    return;
  }
  if (caFile !== undefined) log.info(`HTTPS: trusting only the CA file ${caFile}`);
  else if (verify) log.info('HTTPS: certificates are verified');
  else log.warning('HTTPS: certificate verification is off (KUBENTLY_SSL_VERIFY): anybody can pose as the API');
  if (pins.length > 0) log.info(`HTTPS: ${pins.length} pinned keys (KUBENTLY_CA_PIN)`);
}

/** The CA file's text, read anew each time, since a mounted ConfigMap changes; undefined: the usual roots. @throws when it cannot be read or holds no certificate */
export function readRoots({ caFile }: Settings): string | undefined {
  if (caFile === undefined) return undefined;
  const text = readFileSync(caFile, 'utf8');
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new Error(`KUBENTLY_CA_CERT: ${caFile} holds no certificate`);
  return text;
}

/** An API certificate that was not accepted: which one, and why. */
export class CertificateRefused extends Error {
  override name = 'CertificateRefused';
  /** OpenSSL's or Node's code, or PIN_MISMATCH. */
  readonly code: string;

  constructor(code: string, certificate: X509Certificate | undefined) {
    super(`Certificate refused: ${code}; ${certificate === undefined ? 'none was shown' : described(certificate)}`);
    this.code = code;
  }
}

/** One line: whose certificate it is, who signed it, until when. */
function described(c: X509Certificate): string {
  // Node has undefined for an empty name, which is how Let's Encrypt leaves the subject; its types do not know.
  const line = (name: string | undefined) => name?.trim().replaceAll('\n', ', ') || '(empty)';
  const day = (date: Date) => date.toISOString();
  return [
    `subject ${line(c.subject)}`,
    `names ${c.subjectAltName ?? '(none)'}`,
    `issuer ${line(c.issuer)}`,
    `valid ${day(c.validFromDate)} to ${day(c.validToDate)}`,
    `sha256 ${c.fingerprint256}`,
  ].join('; ');
}

/** `sha256/BASE64` of a certificate's public key. */
export function pinOf(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return `sha256/${createHash('sha256').update(spki).digest('base64')}`;
}

/** The served chain up to its root. Signatures are checked on the way: a server may send certificates that signed nothing. */
function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let peer = socket.getPeerCertificate(true); ; peer = peer.issuerCertificate) {
    // Node gives an object without fields where there is no certificate, and a root is its own issuer.
    if (!(peer as { raw?: Buffer } | undefined)?.raw) return chain;
    const certificate = new X509Certificate(peer.raw);
    const below = chain.at(-1);
    if (below?.fingerprint256 === certificate.fingerprint256 || below?.verify(certificate.publicKey) === false)
      return chain;
    chain.push(certificate);
  }
}

/** Node has no word of its own for these. */
function weakness({ publicKey, signatureAlgorithm }: X509Certificate): string {
  if ((publicKey.asymmetricKeyDetails?.modulusLength ?? 2048) < 2048) return 'KEY_TOO_SMALL';
  return /sha1|md5/i.test(signatureAlgorithm ?? '') ? 'SIGNATURE_TOO_WEAK' : 'UNSPECIFIED';
}

/** Why the certificate of a finished handshake is not accepted: chain, name, pin; undefined when it is. */
export function refusedCertificate(
  socket: TLSSocket,
  host: string,
  pins: readonly string[],
): CertificateRefused | undefined {
  const chain = chainOf(socket);
  const [leaf] = chain;
  if (leaf === undefined) return new CertificateRefused('NO_CERTIFICATE', undefined);
  if (!socket.authorized) {
    const code = String(socket.authorizationError);
    return new CertificateRefused(code === 'UNSPECIFIED' ? weakness(leaf) : code, leaf);
  }
  // Node would take the common name of a certificate whose alternative names are addresses only.
  const named = isIP(host) === 0 ? leaf.checkHost(host, { subject: 'never' }) : leaf.checkIP(host);
  if (named === undefined) return new CertificateRefused('ERR_TLS_CERT_ALTNAME_INVALID', leaf);
  const pinned = pins.length === 0 || chain.some((certificate) => pins.includes(pinOf(certificate)));
  return pinned ? undefined : new CertificateRefused('PIN_MISMATCH', leaf);
}
