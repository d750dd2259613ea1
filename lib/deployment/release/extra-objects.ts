/** What the runbook does around a chart (lib/chart/release-extras.ts says what): objects of its own beside the release, patches to what the chart renders. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import type { Context } from '../../context.ts';
import { OURS } from '../../clients/kubectl.ts';
import type { KubeObject } from '../../base/kubernetes.ts';
import type { Fitted } from '../../chart/fit.ts';
import type { TargetedRelease } from './targeted-release.ts';

/** On a pod template: changes when a Secret that the pod reads does, and so restarts it. */
const SECRETS_ANNOTATION = 'kubently-runbook/secrets';
/** The same for the CA file: the kubelet takes a minute to renew it in the pod, and not every executor reads it again. */
const CA_ANNOTATION = 'kubently-runbook/ca';

/** What is applied beside the release, before it: pods of the release mount the ConfigMap. */
export function extraObjects(
  ctx: Context,
  { target: { namespace } }: Pick<TargetedRelease, 'target'>,
  { extras }: Pick<Fitted, 'extras'>,
): KubeObject[] {
  return extras.flatMap((a): KubeObject[] => {
    switch (a.kind) {
      case 'trusted-ca':
        return [
          {
            apiVersion: 'v1',
            kind: 'ConfigMap',
            metadata: { name: a.configMap, namespace, labels: OURS },
            data: { 'ca.crt': trustFile(ctx, a.of) },
          },
        ];
      case 'pod-disruption-budget':
        return [
          {
            apiVersion: 'policy/v1',
            kind: 'PodDisruptionBudget',
            metadata: { name: a.name, namespace, labels: OURS },
            spec: {
              minAvailable: a.minAvailable,
              // One that is not ready holds up no drain.
              unhealthyPodEvictionPolicy: 'AlwaysAllow',
              selector: { matchLabels: a.selector },
            },
          },
        ];
      // Patches, below; and what steps of their own make: 2.6, 2.8, 3.2.
      case 'drained-first':
      case 'ends-soon':
      case 'rolls-at-once':
      case 'spread':
      case 'restart-on-secret-change':
      case 'hpa-adopt':
      case 'hpa-remove':
      case 'certificate':
      case 'network-policy':
      case 'register-token':
        return [];
    }
  });
}

/** The kustomization that helm's post-renderer applies (lib/clients/plugins/extras), as YAML. */
export async function kustomization(ctx: Context, targeted: TargetedRelease, fit: Fitted): Promise<string> {
  const stamps = await secretStamps(ctx, targeted, fit);
  return kustomizationOf([
    ...patchesOf(ctx, fit),
    ...stamps.map(({ kind, name, body }) => patch('apps/v1', kind, name, body)),
  ]);
}

/** The same without what only the cluster knows: its workloads are not stamped with their Secrets. */
export function kustomizationWithoutStamps(ctx: Context, fit: Pick<Fitted, 'extras'>): string {
  return kustomizationOf(patchesOf(ctx, fit));
}

function kustomizationOf(patches: readonly Patch[]): string {
  return stringify({ resources: ['rendered.yaml'], patches });
}

function patchesOf(ctx: Context, fit: Pick<Fitted, 'extras'>): Patch[] {
  const patches: Patch[] = [];
  for (const a of fit.extras) {
    switch (a.kind) {
      case 'trusted-ca':
        patches.push(patch('apps/v1', 'Deployment', a.deployment, { spec: a.patch.spec }));
        patches.push(annotated('Deployment', a.deployment, { [CA_ANNOTATION]: shortHash(trustFile(ctx, a.of)) }));
        break;
      case 'drained-first':
      case 'ends-soon':
      case 'rolls-at-once':
      case 'spread':
        patches.push(patch('apps/v1', 'Deployment', a.deployment, a.patch));
        break;
      case 'hpa-adopt':
        patches.push(
          patch('autoscaling/v2', 'HorizontalPodAutoscaler', a.name, {
            spec: { minReplicas: a.minReplicas, maxReplicas: a.maxReplicas },
          }),
        );
        break;
      case 'hpa-remove':
        patches.push(patch('autoscaling/v2', 'HorizontalPodAutoscaler', a.name, { $patch: 'delete' }));
        break;
      case 'restart-on-secret-change':
      case 'pod-disruption-budget':
      case 'certificate':
      case 'network-policy':
      case 'register-token':
        break;
    }
  }
  return patches;
}

/** What stamps each workload with the Secrets that its pods read: a changed stamp restarts them. */
export async function secretStamps(
  ctx: Context,
  { target }: TargetedRelease,
  { extras }: Fitted,
): Promise<{ kind: string; name: string; body: object }[]> {
  const readers = extras.flatMap((a) => (a.kind === 'restart-on-secret-change' ? [a] : []));
  return Promise.all(
    readers.map(async ({ workload, secrets }) => {
      const [kind = '', name = ''] = workload.split('/');
      const annotations = { [SECRETS_ANNOTATION]: await hashOfSecrets(ctx, target, secrets) };
      const body = { spec: { template: { metadata: { annotations } } } };
      return { kind, name, body };
    }),
  );
}

/** Whom an HPA scales is scaled by nobody else: its replicas are not the manifest's. */
export function isScaled(manifest: readonly KubeObject[], object: KubeObject): boolean {
  return manifest.some((o) => {
    const { scaleTargetRef: of } = (o['spec'] ?? {}) as { scaleTargetRef?: { kind: string; name: string } };
    return o.kind === 'HorizontalPodAutoscaler' && of?.kind === object.kind && of.name === object.metadata.name;
  });
}

interface Patch {
  target: { group: string; kind: string; name: string };
  patch: string;
}

/** A strategic merge patch; kustomize wants kind and name in it too. */
function patch(apiVersion: 'apps/v1' | 'autoscaling/v2', kind: string, name: string, body: object): Patch {
  const whole = { apiVersion, kind, metadata: { name }, ...body };
  return { target: { group: apiVersion.split('/')[0] ?? '', kind, name }, patch: stringify(whole) };
}

/** A patch of a workload's pods. */
function annotated(kind: string, name: string, annotations: Record<string, string>): Patch {
  return patch('apps/v1', kind, name, { spec: { template: { metadata: { annotations } } } });
}

function trustFile({ settings }: Context, of: 'api' | 'llm'): string {
  const file = of === 'api' ? settings.tls.caFile : settings.llm.caFile;
  return file === undefined ? '' : readFileSync(file, 'utf8');
}

/** A hash of the Secrets' data as it is in the cluster; of random tokens it gives nothing away. */
async function hashOfSecrets(
  ctx: Context,
  target: TargetedRelease['target'],
  names: readonly string[],
): Promise<string> {
  const kube = ctx.kube(target);
  const secrets = await Promise.all([...names].sort().map((name) => kube.get('Secret', name)));
  return shortHash(JSON.stringify(secrets.map((s) => s?.['data'] ?? null)));
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
