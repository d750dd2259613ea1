/** The objects by which the runbook does what a chart's values cannot (lib/chart/around.ts says which). */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Context } from './context.ts';
import { OURS, type KubeObject } from './kubectl.ts';
import type { Fitted, Placed } from './release.ts';

/** On a pod template: changes when a Secret that the pod reads does, and so restarts it. */
const SECRETS_ANNOTATION = 'kubently-runbook/secrets';

/** Everything to apply beside the release, one object for each workload: a second one of the same name would drop the first's fields. */
export async function aroundObjects(ctx: Context, { target }: Placed, { around }: Fitted): Promise<KubeObject[]> {
  const { namespace } = target;
  const objects: KubeObject[] = [];
  const patches = new Map<string, KubeObject>();
  const patch = (more: KubeObject): void => {
    const key = `${more.kind}/${more.metadata.name}`;
    patches.set(key, merge(patches.get(key) ?? {}, more) as KubeObject);
  };
  for (const a of around) {
    switch (a.kind) {
      case 'executor-ca':
        objects.push({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: a.configMap, namespace, labels: OURS },
          data: { 'ca.crt': trustFile(ctx) },
        });
        patch(a.patch as KubeObject);
        break;
      case 'pod-disruption-budget':
        objects.push({
          apiVersion: 'policy/v1',
          kind: 'PodDisruptionBudget',
          metadata: { name: a.name, namespace, labels: OURS },
          spec: { minAvailable: a.minAvailable, selector: { matchLabels: a.selector } },
        });
        break;
      case 'restart-on-secret-change': {
        const [kind = '', name = ''] = a.workload.split('/');
        const annotations = { [SECRETS_ANNOTATION]: await hashOfSecrets(ctx, namespace, target.context, a.secrets) };
        patch({
          apiVersion: 'apps/v1',
          kind,
          metadata: { name, namespace },
          spec: { template: { metadata: { annotations } } },
        });
        break;
      }
      case 'hpa-adopt':
        objects.push({
          apiVersion: 'autoscaling/v2',
          kind: 'HorizontalPodAutoscaler',
          metadata: { name: a.name, namespace },
          spec: { minReplicas: a.minReplicas, maxReplicas: a.maxReplicas },
        });
        break;
      // Made by steps of their own: 2.6, 2.8, 3.2; and removed, not applied.
      case 'certificate':
      case 'network-policy':
      case 'register-token':
      case 'hpa-remove':
        break;
    }
  }
  return [...objects, ...patches.values()];
}

function trustFile({ settings }: Context): string {
  return settings.tls.caFile ? readFileSync(settings.tls.caFile, 'utf8') : '';
}

/** A hash of the Secrets' data as it is in the cluster; of random tokens it gives nothing away. */
async function hashOfSecrets(
  ctx: Context,
  namespace: string,
  context: string,
  names: readonly string[],
): Promise<string> {
  const kube = ctx.kube({ context, namespace });
  const secrets = await Promise.all([...names].sort().map((name) => kube.get('Secret', name)));
  return createHash('sha256')
    .update(JSON.stringify(secrets.map((s) => s?.['data'] ?? null)))
    .digest('hex')
    .slice(0, 16);
}

function merge(a: unknown, b: unknown): unknown {
  if (!isMap(a) || !isMap(b)) return b;
  return Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((key) => [
      key,
      key in b ? (key in a ? merge(a[key], b[key]) : b[key]) : a[key],
    ]),
  );
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
