/** The served certificate is the one of a valid Order whose issuer can solve by DNS-01 only. */
import { liveCertificate, servedAsIssued } from '../../lib/deployment/certificates/certificate.ts';
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { Failure } from '../../lib/base/failure.ts';
import { ISSUER_NAMES } from '../../lib/deployment/cluster/infrastructure.ts';
import { TLS_SECRET } from '../../lib/chart/secret-names.ts';
import { runAlone } from '../entry.ts';

interface Acme {
  solvers?: Record<string, unknown>[];
}

export const criterion: Criterion = {
  number: 3,
  title: "Let's Encrypt certificate issued via DNS-01 solver",
  async prove(ctx) {
    if (ctx.settings.tls.own)
      return { state: 'unproven', reason: `not by Let's Encrypt: your own certificate; ${await servedAsIssued(ctx)}` };
    const kube = ctx.kube(ctx.settings.gke);
    const { issuer, ready } = await liveCertificate(ctx);
    if (!issuer || !ready) throw new Failure({ what: 'the Certificate is not ready', next: './runbook 2.6' });
    const [object, orders] = await Promise.all([
      kube.get('ClusterIssuer.cert-manager.io', ISSUER_NAMES[issuer]),
      kube.list('Order.acme.cert-manager.io'),
    ]);
    const solvers = (object?.['spec'] as { acme?: Acme } | undefined)?.acme?.solvers ?? [];
    if (solvers.length === 0 || solvers.some((s) => !('dns01' in s) || 'http01' in s))
      throw new Failure({ what: `${ISSUER_NAMES[issuer]} has other solvers than DNS-01`, next: './runbook 1.4' });
    const secret = await kube.get('Secret', TLS_SECRET);
    const issued = (secret?.['data'] as Record<string, string> | undefined)?.['tls.crt'] ?? '';
    const firstPem = (base64: string | undefined): string =>
      Buffer.from(base64 ?? '', 'base64')
        .toString()
        .split('-----END')[0] ?? '';
    const valid = orders.find((o) => {
      const status = o['status'] as { state?: string; certificate?: string } | undefined;
      return status?.state === 'valid' && firstPem(status.certificate) === firstPem(issued);
    });
    if (!valid)
      throw new Failure({
        what: 'no valid Order gave the certificate in the cluster',
        next: `kubectl --context ${kube.target.context} --namespace ${kube.target.namespace} get order`,
      });
    return proven(
      `Order ${valid.metadata.name} is valid, its issuer solves by DNS-01 only; ${await servedAsIssued(ctx)}`,
    );
  },
};

void runAlone(import.meta);
