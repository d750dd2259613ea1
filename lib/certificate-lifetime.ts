/** How long the certificate in the cluster still lives; late is a share of its lifetime, since lifetimes shrink (field-notes F15). */
import { X509Certificate } from 'node:crypto';
import type { Context } from './context.ts';
import { TLS_SECRET } from './deployment.ts';
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

/** A warning once a third or less of the lifetime is left: by then it should have been renewed. */
export async function expiryWarning(ctx: Context): Promise<string | undefined> {
  const { gke, tls } = ctx.settings;
  const lifetime = lifetimeOf(await ctx.kube(gke).get('Secret', TLS_SECRET), ctx.clock.now());
  if (!lifetime || lifetime.shareLeft > 1 / 3) return undefined;
  const days = Math.round((lifetime.notAfter.getTime() - lifetime.notBefore.getTime()) / DAY_MS);
  const next = tls.own
    ? 'bring its renewal by TLS_CERT_FILE and TLS_KEY_FILE, then ./runbook 2.6'
    : `cert-manager should have renewed it: kubectl --context ${gke.context} --namespace ${gke.namespace} describe certificate ${TLS_SECRET}`;
  return `warning: the certificate ends ${lifetime.notAfter.toISOString().slice(0, 10)} (${lifetime.daysLeft} of its ${days} days are left); ${next}`;
}
