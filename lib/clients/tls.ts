/** The certificate that a host really serves. */
import { X509Certificate } from 'node:crypto';
import type { LookupFunction } from 'node:net';
import { proxyFor, tunnel } from '../base/proxy.ts';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

export interface Served {
  /** True when the chain leads to a trusted root and the name matches. */
  trusted: boolean;
  /** Why it is not, in OpenSSL's words. */
  refusal: string | undefined;
  subjectAltNames: string[];
  issuer: string;
  notBefore: Date;
  notAfter: Date;
  serialNumber: string;
  protocol: string;
}

/** Connects to host:443 and reads what is served; rejects where nothing answers. */
export type ServedCertificate = (host: string) => Promise<Served>;

/** The real one; trust is the process's default CAs, with TLS_CA_FILE added (lib/context.ts). */
export function realServedCertificate(
  lookup: LookupFunction | undefined,
  environment: Readonly<Record<string, string>> = {},
): ServedCertificate {
  return async (host) => {
    const way = await wayTo(host, environment);
    return new Promise((resolve, reject) => {
      const socket = reading(host, lookup, way, () => {
        const raw = socket.getPeerCertificate().raw as Buffer | undefined;
        const { authorized, authorizationError } = socket;
        const protocol = socket.getProtocol() ?? 'unknown';
        socket.destroy();
        if (!raw) {
          reject(new Error(`${host}:443 serves no certificate`));
          return;
        }
        resolve({
          trusted: authorized,
          refusal: authorized ? undefined : String(authorizationError),
          ...read(raw),
          protocol,
        });
      });
      socket.on('error', reject);
    });
  };
}

/** The proxy's tunnel to the host where the environment names one. @throws ProxyFailed */
async function wayTo(host: string, environment: Readonly<Record<string, string>>): Promise<ConnectionOptions> {
  const proxy = proxyFor(new URL(`https://${host}`), environment);
  return proxy ? { socket: await tunnel(proxy, `${host}:443`) } : {};
}

/** A handshake that only reads: nothing is sent, and `authorized` still says whether the chain is trusted. */
function reading(
  host: string,
  lookup: LookupFunction | undefined,
  more: ConnectionOptions,
  connected: () => void,
): TLSSocket {
  const own = { host, port: 443, servername: host, rejectUnauthorized: false, timeout: 10_000 };
  const socket = connect({ ...own, ...(lookup ? { lookup } : {}), ...more }, connected);
  socket.on('timeout', () => socket.destroy(new Error(`${host}:443 did not finish the handshake within 10 s`)));
  return socket;
}

function read(raw: Buffer): Omit<Served, 'trusted' | 'refusal' | 'protocol'> {
  const certificate = new X509Certificate(raw);
  return {
    subjectAltNames: (certificate.subjectAltName ?? '').split(', ').map((n) => n.replace(/^DNS:/, '')),
    issuer: certificate.issuer.replaceAll('\n', ', '),
    notBefore: new Date(certificate.validFrom),
    notAfter: new Date(certificate.validTo),
    serialNumber: certificate.serialNumber,
  };
}

/** What a client that knows nothing newer than TLS 1.1 is given: the protocol's name, or undefined where it is refused. */
export type LegacyTls = (host: string) => Promise<string | undefined>;

/** The real one; rejects where nothing answers, so that silence is not taken for a refusal. */
export function realLegacyTls(
  lookup: LookupFunction | undefined,
  environment: Readonly<Record<string, string>> = {},
): LegacyTls {
  return async (host) => {
    const way = await wayTo(host, environment);
    return new Promise((resolve, reject) => {
      const old: ConnectionOptions = {
        ...way,
        minVersion: 'TLSv1',
        maxVersion: 'TLSv1.1',
        // Without this, OpenSSL does not even offer them.
        ciphers: 'DEFAULT@SECLEVEL=0',
      };
      const socket = reading(host, lookup, old, () => {
        resolve(socket.getProtocol() ?? 'an unknown protocol');
        socket.destroy();
      });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        if (/ALERT/.test(error.code ?? '')) resolve(undefined);
        else reject(error);
      });
    });
  };
}
