/** Whose cert-manager is in the cluster, and whether one that others run can be used as it is. */
import { isOfRelease, type Release } from '../../clients/helm.ts';
import type { Context } from '../../context.ts';
import { conflict, done, type Check } from '../../step.ts';
import { CERT_MANAGER_NAMESPACE, CERT_MANAGER_RELEASE } from '../cluster/infrastructure.ts';
import { rolloutGap } from '../cluster/rollout.ts';
import { adopt, ownerOf } from '../ownership/applicable.ts';
import { isMarked, isOurNamespace } from '../ownership/ownership.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

const CRD = 'certificates.cert-manager.io';

/** The first version whose ACME issuers and Certificates have every field that the runbook writes and reads; all of v1 after it do. */
const OLDEST = { major: 1, minor: 12 };

/** True where the runbook installed it, or was given it. */
export async function isOurCertManager(ctx: Context): Promise<boolean> {
  const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
  const [namespace, release] = await Promise.all([
    kube.get('Namespace', CERT_MANAGER_NAMESPACE),
    ctx.helm(kube.target).release(CERT_MANAGER_RELEASE),
  ]);
  return isOurNamespace(namespace) || isMarked(release?.labels);
}

/** A cert-manager of somebody else: done where it can be used as it is, else a conflict; undefined where there is none. */
export async function othersCertManager(
  ctx: Context,
  release: Release | undefined,
  deployments: readonly (KubeObject | undefined)[],
): Promise<Check | undefined> {
  const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
  const [crd, namespace] = await Promise.all([
    kube.get('CustomResourceDefinition.apiextensions.k8s.io', CRD),
    kube.get('Namespace', CERT_MANAGER_NAMESPACE),
  ]);
  const ours = isOurNamespace(namespace) || isMarked(release?.labels);
  const [controller] = deployments;
  if (crd && !isOfRelease(crd, CERT_MANAGER_RELEASE, CERT_MANAGER_NAMESPACE) && !release && !controller)
    return conflict(
      `CustomResourceDefinition ${CRD} is ${await ownerOf(kube, crd)}, and no cert-manager runs in namespace ${CERT_MANAGER_NAMESPACE}`,
      `a cluster has one cert-manager: have its owner install it in namespace ${CERT_MANAGER_NAMESPACE} (it is then used as it is); where only its definitions are left, delete those: kubectl --context ${kube.target.context} get crd`,
    );
  if (ours || (!release && !controller)) return undefined;
  const whose = release ? `release ${release.name}` : 'no Helm release';
  const version = versionOf(release, controller);
  const what = `cert-manager ${version ?? '(its version is not told)'} of ${whose} is not the runbook's`;
  const upgrade = `have its owner install v${OLDEST.major}.${OLDEST.minor} or a later v1 (it is then used as it is)`;
  const take = release && namespace ? `; or let the runbook upgrade and configure it: ${adopt(kube, namespace)}` : '';
  if (release && release.status !== 'deployed')
    return conflict(
      `${what}, and is ${release.status}`,
      `have its owner repair it (helm --kube-context ${kube.target.context} --namespace ${CERT_MANAGER_NAMESPACE} history ${release.name})${take}`,
    );
  if (!isUsable(version)) return conflict(`${what}, and cannot be used as it is`, `${upgrade}${take}`);
  const gap = deployments.map(rolloutGap).find((g) => g !== undefined);
  if (gap !== undefined)
    return conflict(
      `${what}, and a Deployment ${gap}`,
      `wait for it, or have its owner repair it (kubectl --context ${kube.target.context} --namespace ${CERT_MANAGER_NAMESPACE} get deployments,pods)${take}`,
    );
  return done(`uses cert-manager ${version ?? ''} of ${whose} as it is: the runbook did not install it`);
}

/** As v1.22.0: by the controller's own label, else by the chart's. */
function versionOf(release: Release | undefined, controller: KubeObject | undefined): string | undefined {
  const label = controller?.metadata.labels?.['app.kubernetes.io/version'];
  return label ?? /^cert-manager-(v?\d.*)$/.exec(release?.chart ?? '')?.[1];
}

function isUsable(version: string | undefined): boolean {
  const [, major, minor] = /^v?(\d+)\.(\d+)\./.exec(version ?? '') ?? [];
  return Number(major) === OLDEST.major && Number(minor) >= OLDEST.minor;
}
