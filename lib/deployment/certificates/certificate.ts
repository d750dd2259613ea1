/** The certificate of the API: one Certificate of the runbook's, whose issuerRef says which issuer is wanted (docs/architecture.md rule 10). */
import { STEP } from '../../base/plan-steps.ts';
import { afterFailure, endBackoff, failedIssuance } from './certificate-backoff.ts';
import { chainReason, chainSuspects, describeChain, readChain } from './certificate-chain.ts';
import { isReady } from '../../clients/conditions.ts';
import type { Context } from '../../context.ts';
import { Failure } from '../../base/failure.ts';
import { ISSUER_NAMES } from '../cluster/infrastructure.ts';
import { OURS, type Kubectl } from '../../clients/kubectl.ts';
import type { Issuer, Settings } from '../../settings/settings.ts';
import type { Served } from '../../clients/tls.ts';
import { patience, waitFor } from '../../base/wait.ts';
import type { KubeObject } from '../../base/kubernetes.ts';
import { TLS_SECRET } from '../../chart/secret-names.ts';

const KIND = 'Certificate.cert-manager.io';
/** DNS-01 waits out the TXT record's TTL (60 s) after it has seen it. */
const ISSUE_TIMEOUT_MS = 600_000;

/** The Certificate. No renewBefore: lifetimes shrink, cert-manager's two thirds follow them. */
export function certificateObject({ host, gke }: Settings, issuer: Issuer): KubeObject {
  return {
    apiVersion: 'cert-manager.io/v1',
    kind: 'Certificate',
    metadata: { name: TLS_SECRET, namespace: gke.namespace, labels: OURS },
    spec: {
      secretName: TLS_SECRET,
      dnsNames: [host],
      issuerRef: { kind: 'ClusterIssuer', group: 'cert-manager.io', name: ISSUER_NAMES[issuer] },
    },
  };
}

export interface LiveCertificate {
  object: KubeObject | undefined;
  issuer: Issuer | undefined;
  ready: boolean;
}

/** The Certificate in the cluster. */
export async function liveCertificate(ctx: Context): Promise<LiveCertificate> {
  const object = await ctx.kube(ctx.settings.gke).get(KIND, TLS_SECRET);
  // A Secret that a removal kept (KEEP=certs) says who issued it.
  const name = object
    ? (object['spec'] as { issuerRef?: { name: string } } | undefined)?.issuerRef?.name
    : issuerOf(await ctx.kube(ctx.settings.gke).get('Secret', TLS_SECRET));
  const issuer = (['staging', 'production'] as const).find((i) => ISSUER_NAMES[i] === name);
  return { object, issuer, ready: isReady(object) };
}

/** TLS_ISSUER where it is set, else what the live object says, else staging: never reverted by a later run. */
export function wantedIssuer({ tls }: Settings, live: LiveCertificate): Issuer {
  return tls.issuer ?? live.issuer ?? 'staging';
}

/** Requests the certificate from an issuer and waits until it is issued. @throws Failure when the ACME server refuses it */
export async function issue(ctx: Context, issuer: Issuer): Promise<void> {
  await requestCertificate(ctx, ctx.kube(ctx.settings.gke), certificateObject(ctx.settings, issuer));
}

/** Applies a Certificate and waits until it is issued as it says now. @throws Failure when the ACME server refuses it */
async function requestCertificate(ctx: Context, kube: Kubectl, wanted: KubeObject): Promise<void> {
  const { name } = wanted.metadata;
  const { issuerRef, secretName } = wanted['spec'] as { issuerRef: { name: string }; secretName: string };
  const before = failedIssuance(await kube.get(KIND, name));
  await kube.apply([wanted]);
  const live = await kube.get(KIND, name);
  // A failure that came since is this request's own.
  if (before && failedIssuance(live)?.at === before.at) await endBackoff(ctx, kube, live);
  const judge = patience(ctx.clock);
  await waitFor(
    {
      what: `Certificate ${name} by ${issuerRef.name}`,
      timeoutMs: ISSUE_TIMEOUT_MS,
      probe: async () => {
        const chain = await readChain(kube, name);
        const by = issuerOf(await kube.get('Secret', secretName));
        if (isReady(chain.certificate) && by === issuerRef.name) return { state: 'ready', value: undefined };
        const failed = failedIssuance(chain.certificate);
        // By cert-manager's own time: the failure before this request is not this one's.
        if (failed && failed.at !== before?.at)
          return { state: 'failed', reason: failed.message, next: afterFailure(failed) };
        return judge(await chainSuspects(ctx, chain), chainReason(chain));
      },
      diagnose: () => describeChain(kube, name),
      next: `kubectl --context ${kube.target.context} --namespace ${kube.target.namespace} describe certificaterequest,order,challenge`,
    },
    ctx,
  );
}

/** Name of the issuer that an issued Secret came from. */
function issuerOf(secret: KubeObject | undefined): string | undefined {
  return secret?.metadata.annotations?.['cert-manager.io/issuer-name'];
}

/** Waits until the host serves, trusted, a certificate with the serial number in the cluster. @returns the evidence */
export async function servedAsIssued(ctx: Context): Promise<string> {
  const { host } = ctx.settings;
  const served = await waitFor<Served>(
    {
      what: `https://${host}`,
      timeoutMs: 120_000,
      probe: async () => {
        const seen = await ctx.served(host).catch((error: unknown) => String(error));
        if (typeof seen === 'string') return { state: 'pending', reason: seen };
        const issuer = issuerOf(await ctx.kube(ctx.settings.gke).get('Secret', TLS_SECRET));
        if (!seen.subjectAltNames.includes(host))
          return { state: 'pending', reason: `the certificate served is for ${seen.subjectAltNames.join(', ')}` };
        const untrustedStaging = !seen.trusted && issuer === ISSUER_NAMES.staging && !ctx.settings.tls.caFile;
        if (!seen.trusted && !untrustedStaging)
          return { state: 'pending', reason: `the chain is not trusted: ${seen.refusal ?? ''}` };
        return (await isIssued(ctx, seen))
          ? { state: 'ready', value: seen }
          : { state: 'pending', reason: 'still the previous certificate is served' };
      },
      next: `openssl s_client -connect ${host}:443 -servername ${host}`,
    },
    ctx,
  );
  const trust = served.trusted ? 'trusted' : 'not publicly trusted, as staging is';
  return `${host} serves the certificate of ${served.issuer} until ${served.notAfter.toISOString().slice(0, 10)} (${served.protocol}, ${trust})`;
}

async function isIssued(ctx: Context, seen: Served): Promise<boolean> {
  const secret = await ctx.kube(ctx.settings.gke).get('Secret', TLS_SECRET);
  const pem = Buffer.from(
    (secret?.['data'] as Record<string, string> | undefined)?.['tls.crt'] ?? '',
    'base64',
  ).toString();
  if (!pem)
    throw new Failure({ what: `Secret ${TLS_SECRET} holds no certificate`, next: `./runbook ${STEP.tlsCertificate}` });
  const { X509Certificate } = await import('node:crypto');
  return new X509Certificate(pem).serialNumber === seen.serialNumber;
}
