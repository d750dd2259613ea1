/** Whether cert-manager really takes Certificates. */
import { CommandFailed } from '../../base/command.ts';
import type { Context } from '../../context.ts';
import { CERT_MANAGER_NAMESPACE } from '../cluster/infrastructure.ts';
import { waitFor } from '../../base/wait.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

/** A dry-run create goes through CRD, webhook and its certificate: pods that are ready do not prove that. */
export async function webhookAnswers(ctx: Context): Promise<string> {
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
          const reason = error.stderr.trim().split('\n').at(-1) ?? error.message;
          if (/is forbidden/.test(reason))
            return { state: 'failed', reason, next: 'give yourself the right that is named' };
          return { state: 'pending', reason };
        }
      },
      next: `kubectl --context ${kube.target.context} --namespace ${CERT_MANAGER_NAMESPACE} logs deployment/cert-manager-webhook`,
    },
    ctx,
  );
}
