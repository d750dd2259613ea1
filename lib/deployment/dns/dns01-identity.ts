/** cert-manager's ServiceAccount as the DNS-01 service account: GKE's Workload Identity, without any key. */
import { yaml } from '../../base/yaml-tag.ts';
import type { Context } from '../../context.ts';
import type { Settings } from '../../settings/settings.ts';
import { CERT_MANAGER_NAMESPACE } from '../cluster/infrastructure.ts';
import { onceSeen } from './dns01-account.ts';

/** By it GKE lets a ServiceAccount sign in as an account of Google's. */
export const IDENTITY_ANNOTATION = 'iam.gke.io/gcp-service-account';

/** What it takes to sign in as an account. */
export const IDENTITY_ROLE = 'roles/iam.workloadIdentityUser';

/** cert-manager's ServiceAccount as Google's policies name it. */
export function identityMember({ project }: Pick<Settings, 'project'>): string {
  return `serviceAccount:${project}.svc.id.goog[${CERT_MANAGER_NAMESPACE}/cert-manager]`;
}

/** The account that cert-manager signs in as, or undefined. */
export async function identityOf(ctx: Context): Promise<string | undefined> {
  return (await ctx.inGke(CERT_MANAGER_NAMESPACE).get('ServiceAccount', 'cert-manager'))?.metadata.annotations?.[
    IDENTITY_ANNOTATION
  ];
}

/** Lets cert-manager's ServiceAccount sign in as the account, and restarts cert-manager for it. */
export async function ensureIdentity(ctx: Context, email: string): Promise<void> {
  const { gcloud, settings } = ctx;
  const member = identityMember(settings);
  await onceSeen(
    ctx,
    `workload identity of ${email}`,
    () =>
      gcloud.change`iam service-accounts add-iam-policy-binding ${email} --role=${IDENTITY_ROLE} --member=${member}`,
  );
  const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
  await kube.apply([
    yaml`
      apiVersion: v1
      kind: ServiceAccount
      metadata:
        name: cert-manager
        namespace: ${CERT_MANAGER_NAMESPACE}
        annotations:
          ${IDENTITY_ANNOTATION}: ${email}`,
  ]);
  await kube.change`rollout restart deployment/cert-manager`;
}
