/** What runs now, read once for status (deployed.ts) and report (lib/operations/report/facts.ts): the served certificate, and the images by which versions are told. */
import { liveCertificate } from '../certificates/certificate.ts';
import type { Served } from '../../clients/tls.ts';
import type { Context } from '../../context.ts';
import { CERT_MANAGER_NAMESPACE, INGRESS_NAMESPACE, ISSUER_NAMES } from '../cluster/infrastructure.ts';
import type { Target } from '../../base/target.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

export interface RunningCertificate extends Served {
  /** Whose it is meant to be; undefined: nobody's yet, neither a Certificate nor an own one. */
  comesFrom: string | undefined;
  leftMs: number;
  lifetimeMs: number;
}

/** The certificate that the public name serves. @throws where nothing answers */
export async function runningCertificate(ctx: Context): Promise<RunningCertificate> {
  const { host, tls } = ctx.settings;
  const [live, served] = await Promise.all([liveCertificate(ctx), ctx.served(host)]);
  const byIssuer = live.issuer ? ISSUER_NAMES[live.issuer] : 'another issuer';
  return {
    ...served,
    comesFrom: tls.own ? 'your own certificate' : live.object ? byIssuer : undefined,
    leftMs: served.notAfter.getTime() - ctx.clock.now(),
    lifetimeMs: served.notAfter.getTime() - served.notBefore.getTime(),
  };
}

/** The image of a Deployment's first container; undefined where it is not there. */
export async function runningImage(ctx: Context, target: Target, name: string): Promise<string | undefined> {
  return imageOf(await ctx.kube(target).get('Deployment.apps', name));
}

/** The image of cert-manager's controller. */
export function certManagerImage(ctx: Context): Promise<string | undefined> {
  return runningImage(ctx, { context: ctx.settings.gke.context, namespace: CERT_MANAGER_NAMESPACE }, 'cert-manager');
}

/** The image of the runbook's own ingress controller. */
export function traefikImage(ctx: Context): Promise<string | undefined> {
  return runningImage(ctx, { context: ctx.settings.gke.context, namespace: INGRESS_NAMESPACE }, 'traefik');
}

/** The image that a Deployment names first. */
export function imageOf(deployment: KubeObject | undefined): string | undefined {
  const spec = deployment?.['spec'] as { template?: { spec?: { containers?: { image?: string }[] } } } | undefined;
  return spec?.template?.spec?.containers?.[0]?.image;
}
