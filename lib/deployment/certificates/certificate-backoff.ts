/** cert-manager's back-off: after a failed issuance it is quiet for 1 h, after the next for 2 h, up to 32 h. */
import { condition } from '../../clients/conditions.ts';
import type { Context } from '../../context.ts';
import { Failure } from '../../base/failure.ts';
import type { Kubectl } from '../../clients/kubectl.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

const RATE_LIMITED = /rateLimited|too many (certificates|failed|new orders|registrations|currently pending)/i;
/** Let's Encrypt's shortest window: five failed validations an hour. */
const SHORTEST_LIMIT_MS = 3_600_000;

export interface FailedIssuance {
  /** cert-manager's time of it: tells one failure from the next. */
  at: string;
  attempts: number;
  message: string;
}

/** The last issuance, where it failed and the Certificate has not been changed since. */
export function failedIssuance(certificate: KubeObject | undefined): FailedIssuance | undefined {
  const issuing = condition(certificate, 'Issuing');
  const status = certificate?.['status'] as { lastFailureTime?: string; failedIssuanceAttempts?: number } | undefined;
  if (issuing?.status !== 'False' || !status?.lastFailureTime) return undefined;
  return { at: status.lastFailureTime, attempts: status.failedIssuanceAttempts ?? 1, message: issuing.message ?? '' };
}

/** When a rate limit that the failure names is over, in milliseconds; undefined where it names none. */
function rateLimitEnd({ at, message }: FailedIssuance): number | undefined {
  if (!RATE_LIMITED.test(message)) return undefined;
  const named = /retry after (\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)/i.exec(message);
  return named ? Date.parse(`${named[1] ?? ''}T${named[2] ?? ''}Z`) : Date.parse(at) + SHORTEST_LIMIT_MS;
}

/** What the operator can do about a failed issuance. */
export function afterFailure(failed: FailedIssuance): string {
  const end = rateLimitEnd(failed);
  if (end === undefined)
    return 'mend what is named there; the same command then asks at once, without cert-manager’s back-off';
  return `wait until ${new Date(end).toISOString()} (a rate limit: asking sooner only lengthens it); TLS_ISSUER=staging works meanwhile`;
}

/**
 * Sets the back-off of a failed issuance aside, so that cert-manager asks again now: whoever runs the step again has
 * mended the cause. Not while the ACME server's rate limit lasts. Deleting the CertificateRequest would not do it.
 * @throws Failure naming the time when the rate limit ends
 */
export async function endBackoff(ctx: Context, kube: Kubectl, certificate: KubeObject | undefined): Promise<void> {
  const failed = failedIssuance(certificate);
  if (!certificate || !failed) return;
  if ((rateLimitEnd(failed) ?? 0) > ctx.clock.now())
    throw new Failure({
      what: `Certificate ${certificate.metadata.name}: the ACME server limits the rate, and was not asked again`,
      found: failed.message,
      next: afterFailure(failed),
    });
  ctx.note(`sets cert-manager's back-off after ${failed.attempts} failed issuances aside`);
  const patch = { status: { lastFailureTime: null, failedIssuanceAttempts: null } };
  await kube.change`patch Certificate.cert-manager.io/${certificate.metadata.name} --subresource=status --type=merge --patch ${JSON.stringify(patch)}`;
}
