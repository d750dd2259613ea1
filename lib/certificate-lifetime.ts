/** How long the certificate in the cluster still lives. */
import { X509Certificate } from 'node:crypto';
import type { KubeObject } from './kubectl.ts';

const DAY_MS = 86_400_000;

export interface Lifetime {
  notBefore: Date;
  notAfter: Date;
  /** Whole days, negative after the end. */
  daysLeft: number;
  /** Of the lifetime; cert-manager renews at a third. */
  shareLeft: number;
}

/** The lifetime of the first certificate in the API's TLS Secret; undefined where there is none. */
export function lifetimeOf(secret: KubeObject | undefined, now: number): Lifetime | undefined {
  const encoded = (secret?.['data'] as Record<string, string> | undefined)?.['tls.crt'];
  if (!encoded) return undefined;
  const { validFrom, validTo } = new X509Certificate(Buffer.from(encoded, 'base64'));
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  return {
    notBefore: new Date(from),
    notAfter: new Date(to),
    daysLeft: Math.floor((to - now) / DAY_MS),
    shareLeft: (to - now) / (to - from),
  };
}
