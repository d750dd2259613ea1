/** How far a certificate has come: Certificate → CertificateRequest → Order → Challenge, and what keeps it (cert-manager 1.21). */
import { STEP } from '../../base/plan-steps.ts';
import { condition, saying } from '../../clients/conditions.ts';
import type { Context } from '../../context.ts';
import { delegation, delegationText } from '../dns/delegation.ts';
import { eventsOf, warningLines } from '../../clients/events.ts';
import { CERT_MANAGER_NAMESPACE } from '../cluster/infrastructure.ts';
import type { Kubectl } from '../../clients/kubectl.ts';
import type { Suspect } from '../../base/wait.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

export interface Chain {
  certificate: KubeObject | undefined;
  request: KubeObject | undefined;
  order: KubeObject | undefined;
  challenges: KubeObject[];
}

interface AcmeStatus {
  state?: string;
  reason?: string;
  presented?: boolean;
}

/** cert-manager tries again after 5, 10, 20 s: what passes by itself has passed by then. IAM was proven by step 1.2. */
const PRESENT_MS = 45_000;
const ISSUER_MS = 45_000;
/** Long enough for the TXT record to reach all name servers of a zone that is delegated well. */
const DELEGATION_MS = 15_000;
/** Google asks to slow down, a connection breaks: these pass. */
const PASSES = /Error (429|5\d\d)|timeout|timed out|deadline|connection re|EOF|rateLimitExceeded/i;

/** The newest chain of a Certificate, by owner references. */
export async function readChain(kube: Kubectl, name: string): Promise<Chain> {
  const [certificate, requests, orders, challenges] = await Promise.all([
    kube.get('Certificate.cert-manager.io', name),
    kube.list('CertificateRequest.cert-manager.io'),
    kube.list('Order.acme.cert-manager.io'),
    kube.list('Challenge.acme.cert-manager.io'),
  ]);
  const [request] = ownedBy(certificate, requests);
  const [order] = ownedBy(request, orders);
  return { certificate, request, order, challenges: ownedBy(order, challenges) };
}

/** Newest first. */
function ownedBy(owner: KubeObject | undefined, objects: readonly KubeObject[]): KubeObject[] {
  const isOwner = (o: KubeObject): boolean =>
    ((o.metadata['ownerReferences'] ?? []) as { uid: string }[]).some((r) => r.uid === owner?.metadata.uid);
  const made = (o: KubeObject): number => Date.parse(o.metadata.creationTimestamp ?? '') || 0;
  return owner ? objects.filter(isOwner).sort((a, b) => made(b) - made(a)) : [];
}

function acme(o: KubeObject | undefined): AcmeStatus {
  return o?.['status'] ?? {};
}

/** The deepest object that has something to say, in words. */
export function chainReason({ certificate, request, order, challenges }: Chain): string {
  const challenge = challenges.find((c) => acme(c).reason) ?? challenges[0];
  if (challenge) return line(challenge);
  if (order && acme(order).state !== 'valid') return line(order);
  const ready = condition(request, 'Ready');
  if (request && ready?.status !== 'True') return `CertificateRequest ${request.metadata.name}: ${saying(ready)}`;
  return saying(condition(certificate, 'Ready'));
}

function line(o: KubeObject): string {
  const { state, reason } = acme(o);
  return `${o.kind} ${o.metadata.name} is ${state ?? 'not taken up yet'}${reason ? `: ${reason}` : ''}`;
}

/** What may keep the certificate from being issued; what has failed already is the Certificate's own to say. @throws Failure when the zone is gone */
export async function chainSuspects(ctx: Context, chain: Chain): Promise<Suspect[]> {
  const { request, order, challenges } = chain;
  const found: Suspect[] = [];
  const add = (o: KubeObject, reason: string, graceMs: number, next?: string): void =>
    void found.push({ key: `${o.kind}/${o.metadata.name}/${graceMs}`, reason, next, graceMs });
  for (const c of challenges) {
    const { reason = '', presented } = acme(c);
    if (reason && !presented)
      add(
        c,
        line(c),
        PASSES.test(reason) ? Infinity : PRESENT_MS,
        `the DNS-01 solver: ./runbook ${STEP.dns01ServiceAccount}, then ./runbook ${STEP.clusterIssuers}`,
      );
    else if (presented && reason) {
      // A TXT record that never shows is most often one that nobody is sent to.
      const now = await delegation(ctx.google, ctx.dns, ctx.settings.dnsZone);
      const { reason: why, next } = delegationText(now);
      if (now.state === 'wrong') add(c, why, DELEGATION_MS, next);
    }
  }
  if (order && !acme(order).state) {
    const said = await controllerSays(ctx, order);
    if (said) add(order, `Order ${order.metadata.name}: ${said}`, Infinity);
  }
  const ready = condition(request, 'Ready');
  if (request && ready?.status === 'False' && /issuer.{0,300}(not found|not have a Ready)/is.test(ready.message ?? ''))
    add(
      request,
      `CertificateRequest ${request.metadata.name}: ${saying(ready)}`,
      ISSUER_MS,
      `./runbook ${STEP.clusterIssuers}`,
    );
  return found;
}

/** What cert-manager last logged about an Order that it cannot take up: an ACME server that does not answer is told nowhere else. */
async function controllerSays(ctx: Context, order: KubeObject): Promise<string | undefined> {
  const log = await ctx.inGke(CERT_MANAGER_NAMESPACE).logs(['deployment/cert-manager'], 40);
  const last = log.split('\n').findLast((l) => l.includes(order.metadata.name) && l.includes('err='));
  return /err="((?:[^"\\]|\\.)*)"/.exec(last ?? '')?.[1]?.replaceAll('\\"', '"');
}

/** The chain object by object, and its warnings. */
export async function describeChain(kube: Kubectl, name: string): Promise<string> {
  const { certificate, request, order, challenges } = await readChain(kube, name);
  const objects = [certificate, request, order, ...challenges].filter((o) => o !== undefined);
  const lines = [
    certificate &&
      `Certificate ${name}: ${saying(condition(certificate, 'Issuing') ?? condition(certificate, 'Ready'))}`,
    request && `CertificateRequest ${request.metadata.name}: ${saying(condition(request, 'Ready'))}`,
    ...[order, ...challenges].map((o) => o && line(o)),
  ];
  const told = lines.join('\n');
  // The same words go up the chain: an event is told only where it says more.
  const events = warningLines(
    eventsOf(await kube.list('Event')),
    (e) => objects.some((o) => o.kind === e.kind && o.metadata.name === e.name) && !told.includes(e.message),
  );
  return [...lines, ...events].filter(Boolean).join('\n');
}

/** What keeps an issuer from being ready: an ACME server's refusal is not tried again by cert-manager, all else is. */
export function issuerSuspect(issuer: KubeObject): Suspect {
  const ready = condition(issuer, 'Ready');
  const reason = `${issuer.metadata.name}: ${saying(ready)}`;
  const key = `${issuer.metadata.name}/${ready?.reason ?? ''}`;
  const message = ready?.message ?? '';
  if (ready?.status !== 'False' || message === '') return { key, reason, graceMs: Infinity };
  if (
    /\b4\d\d urn:|HTTP 4\d\d/.test(message) ||
    ['InvalidConfig', 'InvalidURL', 'InvalidSolver'].includes(ready.reason ?? '')
  )
    return {
      key,
      reason,
      next: `mend the setting that is named (ACME_EMAIL, ACME_…_SERVER), then ./runbook ${STEP.clusterIssuers}`,
      graceMs: 5_000,
    };
  if (/x509|certificate/.test(message))
    return {
      key,
      reason,
      next: 'ACME_CA_FILE must hold the CA of the ACME directory’s own certificate',
      graceMs: 20_000,
    };
  return { key, reason, next: 'look at ACME_…_SERVER, and whether the cluster reaches it', graceMs: ISSUER_MS };
}
