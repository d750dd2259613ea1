/** Plan step 1.1: cert-manager runs, in a supported version, and its webhook answers. */
import { absent, differs, done, type ChangeStep } from '../lib/step.ts';
import {
  CERT_MANAGER_NAMESPACE,
  CERT_MANAGER_RELEASE,
  CERT_MANAGER_VERSION,
  ensureNamespace,
  valuesFile,
} from '../lib/deployment/cluster/infrastructure.ts';
import { removeObjects } from '../lib/deployment/ownership/remove-objects.ts';
import { placeAt } from '../lib/deployment/ownership/ownership.ts';
import { othersCertManager } from '../lib/deployment/certificates/cert-manager.ts';
import { OURS } from '../lib/clients/kubectl.ts';
import { webhookAnswers } from '../lib/deployment/certificates/cert-manager-webhook.ts';
import { rolloutGap, waitForRollout } from '../lib/deployment/cluster/rollout.ts';
import { runAlone } from './entry.ts';

const DEPLOYMENTS = ['cert-manager', 'cert-manager-webhook', 'cert-manager-cainjector'] as const;
const MADE_BY_CERT_MANAGER = [
  'Secret/cert-manager-webhook-ca',
  'Lease/cert-manager-controller',
  'Lease/cert-manager-cainjector-leader-election',
];

export const step: ChangeStep = {
  id: '1.1',
  kind: 'change',
  title: 'cert-manager runs',
  needs: [],

  async check(ctx) {
    const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
    const [release, ...deployments] = await Promise.all([
      ctx.helm(kube.target).release(CERT_MANAGER_RELEASE),
      ...DEPLOYMENTS.map((d) => kube.get('Deployment.apps', d)),
    ]);
    const theirs = await othersCertManager(ctx, release, deployments);
    if (theirs) return theirs;
    const wanted = `cert-manager-${CERT_MANAGER_VERSION}`;
    if (!release) return absent('no release cert-manager');
    if (release.status !== 'deployed') return differs(`release cert-manager is ${release.status}`);
    if (release.chart !== wanted) return differs(`chart is ${release.chart}, wanted ${wanted}`);
    const gap = deployments.map(rolloutGap).find((g) => g !== undefined);
    return gap === undefined ? done(`${wanted} is deployed and complete`) : differs(`a Deployment ${gap}`);
  },

  async apply(ctx) {
    const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
    await ensureNamespace(kube);
    const { certManagerChart: chart } = ctx.settings;
    const version = chart.startsWith('oci:') ? ['--version', CERT_MANAGER_VERSION] : [];
    const values = valuesFile('cert-manager.yaml', {})[0];
    // By the label a later run knows the release as its own, in a namespace that was there before, too.
    const labels = Object.entries(OURS).map(([name, value]) => `${name}=${value}`);
    await ctx.helm(kube.target).upgrade({ values }, ctx)`
      upgrade --install ${CERT_MANAGER_RELEASE} ${chart} ${version} --labels ${labels.join()} --create-namespace --force-conflicts`;
    await Promise.all(DEPLOYMENTS.map((d) => waitForRollout(ctx, kube, `Deployment.apps/${d}`)));
  },

  verify: webhookAnswers,

  owns: ({ settings }) => ({
    objects: [
      {
        target: { context: settings.gke.context, namespace: CERT_MANAGER_NAMESPACE },
        releases: [CERT_MANAGER_RELEASE],
        part: 'cert-manager',
        named: Object.fromEntries(MADE_BY_CERT_MANAGER.map((name) => [name, ['cert-manager']])),
        alsoIn: 'kube-system',
      },
    ],
  }),

  async undo(ctx, removal) {
    if (removal.retained.has('cert-manager')) return;
    const place = placeAt(removal, ctx.inGke(CERT_MANAGER_NAMESPACE).target);
    await ctx.helm(place.target).change`uninstall ${CERT_MANAGER_RELEASE} --ignore-not-found --wait --timeout 5m`;
    // The CRDs stay behind on purpose (values/cert-manager.yaml); nobody else needs them, or it would be retained.
    await removeObjects(ctx, place, removal.retained);
  },
};

void runAlone(import.meta);
