/** Plan step 1.1: cert-manager runs, in a supported version, and its webhook answers. */
import { conflict, absent, differs, done, type ChangeStep } from '../lib/step.ts';
import {
  CERT_MANAGER_NAMESPACE,
  CERT_MANAGER_RELEASE,
  CERT_MANAGER_VERSION,
  valuesFile,
} from '../lib/infrastructure.ts';
import { CommandFailed } from '../lib/command.ts';
import { rolloutGap, waitForRollout } from '../lib/rollout.ts';
import { waitFor } from '../lib/wait.ts';
import type { Context } from '../lib/context.ts';
import type { KubeObject } from '../lib/kubectl.ts';

const DEPLOYMENTS = ['cert-manager', 'cert-manager-webhook', 'cert-manager-cainjector'] as const;

export const step: ChangeStep = {
  id: '1.1',
  kind: 'change',
  title: `cert-manager ${CERT_MANAGER_VERSION} runs`,
  needs: [],

  async check(ctx) {
    const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
    const [release, ...deployments] = await Promise.all([
      ctx.helm(kube.target).release(CERT_MANAGER_RELEASE),
      ...DEPLOYMENTS.map((d) => kube.get('Deployment.apps', d)),
    ]);
    const wanted = `cert-manager-${CERT_MANAGER_VERSION}`;
    if (!release) {
      if (deployments[0])
        return conflict(
          'cert-manager is there, and not by Helm',
          'remove it, or adopt it into a Helm release "cert-manager" (cert-manager.io/docs/installation/helm)',
        );
      return absent('no release cert-manager');
    }
    if (release.status !== 'deployed') return differs(`release cert-manager is ${release.status}`);
    if (release.chart !== wanted) return differs(`chart is ${release.chart}, wanted ${wanted}`);
    const gap = deployments.map(rolloutGap).find((g) => g !== undefined);
    return gap === undefined ? done(`${wanted} is deployed and complete`) : differs(`a Deployment ${gap}`);
  },

  async apply(ctx) {
    const target = { context: ctx.settings.gke.context, namespace: CERT_MANAGER_NAMESPACE };
    await ctx.helm(target).upgrade(
      {
        release: CERT_MANAGER_RELEASE,
        chart: ctx.settings.certManagerChart,
        version: CERT_MANAGER_VERSION,
        values: valuesFile('cert-manager.yaml', {})[0],
      },
      ctx,
    );
    await Promise.all(
      DEPLOYMENTS.map((d) => waitForRollout(ctx, ctx.inGke(CERT_MANAGER_NAMESPACE), `Deployment.apps/${d}`)),
    );
  },

  verify: webhookAnswers,

  async undo(ctx) {
    const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
    await ctx.helm(kube.target).uninstall(CERT_MANAGER_RELEASE);
    await kube.delete('Namespace', CERT_MANAGER_NAMESPACE);
  },
};

/** A dry-run create goes through CRD, webhook and its certificate: pods that are ready do not prove that. */
async function webhookAnswers(ctx: Context): Promise<string> {
  const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
  const certificate: KubeObject = {
    apiVersion: 'cert-manager.io/v1',
    kind: 'Certificate',
    metadata: { name: 'runbook-dry-run', namespace: CERT_MANAGER_NAMESPACE },
    spec: { secretName: 'runbook-dry-run', dnsNames: ['dry-run.invalid'], issuerRef: { name: 'dry-run' } },
  };
  return waitFor(
    {
      what: "cert-manager's webhook",
      timeoutMs: 120_000,
      probe: async () => {
        try {
          await kube.createDryRun(certificate);
          return { state: 'ready', value: 'the webhook took a dry-run Certificate' };
        } catch (error) {
          if (!(error instanceof CommandFailed)) throw error;
          return { state: 'pending', reason: error.stderr.trim().split('\n').at(-1) ?? error.message };
        }
      },
      next: `kubectl --context ${kube.target.context} --namespace ${CERT_MANAGER_NAMESPACE} logs deployment/cert-manager-webhook`,
    },
    ctx,
  );
}

if (import.meta.main) void import('../lib/program.ts').then(({ main }) => main([step.id, ...process.argv.slice(2)]));
