/** What the public edge must show whoever connects: TLS 1.2 and newer alone, and the headers of tls-advice.md point 3. */
import type { Context } from '../../context.ts';
import type { HttpAnswer } from '../../base/http.ts';

/** One year: what browsers' lists and scanners ask for. */
export const HSTS_SECONDS = 31_536_000;

/** What is missing, a line each; none means that the edge matches the configuration. @param answer any answer over https */
export async function edgeGaps({ legacyTls, settings }: Context, answer: HttpAnswer): Promise<string[]> {
  const accepted = await legacyTls(settings.host);
  return [
    ...(accepted ? [`a client that only knows old TLS is accepted with ${accepted}`] : []),
    ...headerGaps(answer),
  ];
}

/** Security headers that an answer over https lacks, and banners that it should not carry. */
export function headerGaps({ headers }: HttpAnswer): string[] {
  const text = (name: string): string => String(headers[name] ?? '');
  const seconds = Number(/max-age=(\d+)/.exec(text('strict-transport-security'))?.[1] ?? 0);
  return [
    ...(seconds < HSTS_SECONDS ? [`Strict-Transport-Security is ${shown(text('strict-transport-security'))}`] : []),
    ...(text('x-content-type-options') === 'nosniff' ? [] : ['X-Content-Type-Options is not nosniff']),
    ...(/^(DENY|SAMEORIGIN)$/i.test(text('x-frame-options')) ? [] : ['X-Frame-Options is not DENY']),
    ...(text('server') === '' ? [] : [`the banner "Server: ${text('server')}" is sent`]),
  ];
}

/** True for an answer over http that sends the client to https. */
export function redirectsToHttps({ status, headers }: HttpAnswer): boolean {
  return [301, 302, 303, 307, 308].includes(status) && String(headers['location']).startsWith('https://');
}

/** How an operator of another controller than the runbook's mends the gaps; snippet annotations are no way (CVE-2021-25742). */
export const EXISTING_CONTROLLER_REMEDY =
  "set in the controller's own ConfigMap (ingress-nginx's names): ssl-protocols 'TLSv1.2 TLSv1.3', hsts 'true', hsts-max-age '31536000', server-tokens 'false', and by add-headers X-Content-Type-Options nosniff and X-Frame-Options DENY";

function shown(value: string): string {
  return value === '' ? 'missing' : `"${value}", wanted max-age=${HSTS_SECONDS}`;
}
