/** What an engine in a cluster applies in place of Helm: the release rendered and patched, and what the runbook puts beside it; never a Secret. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../../base/failure.ts';
import { nameOf, type KubeObject } from '../../base/kubernetes.ts';
import { scrub } from '../../base/secret.ts';
import { helmTemplate, objectsOf } from '../../clients/helm.ts';
import type { Context } from '../../context.ts';
import { extraObjects, kustomizationWithoutStamps } from '../../deployment/release/extra-objects.ts';
import type { FittedRelease } from '../../deployment/release/fit-all.ts';
import { withoutReplicas } from '../../deployment/release/helm-upgrade.ts';

export interface ClusterManifests {
  /** Kubently's id of the cluster. */
  id: string;
  release: string;
  namespace: string;
  objects: KubeObject[];
  /** What the engine is not given, with the reason. */
  leftOut: string[];
  /** Secrets that have to be in the cluster: those that the runbook makes. */
  secrets: { name: string; keys: string[] }[];
}

/** The manifests of a release that was fitted without errors. @throws Failure where the patches do not fit it */
export async function clusterManifests(ctx: Context, chart: string, fitted: FittedRelease): Promise<ClusterManifests> {
  const { spec, fit } = fitted;
  const rendered = await patched(ctx, chart, fitted);
  const given = rendered.filter((o) => whyLeftOut(o) === undefined);
  const objects = [...extraObjects(ctx, fitted, fit), ...given];
  return {
    id: spec.clusterId,
    release: spec.release,
    namespace: spec.namespace,
    objects: objects.map((o) => withoutReplicas(objects, o)),
    leftOut: rendered.flatMap((o) => {
      const why = whyLeftOut(o);
      return why === undefined ? [] : [`${nameOf(o)} of ${spec.release}: ${why}`];
    }),
    secrets: fit.secrets.map(({ name, keys }) => ({ name, keys })),
  };
}

/** As Helm's upgrade applies them, but for the stamps of Secrets. */
async function patched(ctx: Context, chart: string, { spec, fit }: FittedRelease): Promise<KubeObject[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kubently-gitops-'));
  try {
    const postRender = join(folder, 'kustomization.yaml');
    await writeFile(postRender, kustomizationWithoutStamps(ctx, fit));
    const { release, namespace } = spec;
    const answer = await helmTemplate(ctx.run, { release, namespace, chart, values: fit.values, postRender });
    if (answer.ok) return objectsOf(answer.text);
    throw new Failure({
      what: `the patches do not fit what the chart renders for ${release}`,
      found: answer.error,
      next: 'make lint-chart',
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function whyLeftOut(object: KubeObject): string | undefined {
  if (hooksOf(object).some(isTest)) return 'a test that only Helm starts';
  // One with content is an error of the chart's by now (secret-in-text).
  return object.kind === 'Secret' ? 'an empty Secret, and Secrets are the runbook’s to make' : undefined;
}

/** @throws Failure where a known secret's value or a hook of Helm's is among what the engine would be given */
export function refuseUnfit(clusters: readonly ClusterManifests[]): void {
  const found = clusters.flatMap(({ id, objects }) =>
    objects.flatMap((o) => unfit(o).map((reason) => `${id}: ${nameOf(o)} ${reason}`)),
  );
  if (found.length === 0) return;
  throw new Failure({
    what: 'the chart renders what no engine may be given; nothing was written',
    found: found.join('\n'),
    next: 'change the chart there (the name of an existing Secret in place of its value, no hooks), or leave the releases to make deploy',
  });
}

function unfit(object: KubeObject): string[] {
  const text = JSON.stringify(object);
  const hooks = hooksOf(object);
  return [
    // A repository keeps what was once in it; the lint knows secrets by their form, this the value.
    ...(scrub(text) === text ? [] : ['holds the value of a secret']),
    // An engine applies a hook as any other object: at any time, and again.
    ...(hooks.length === 0 ? [] : [`is a hook (${hooks.join(', ')}), which only Helm runs at its time`]),
  ];
}

function hooksOf({ metadata: { annotations = {} } }: KubeObject): string[] {
  return (annotations['helm.sh/hook'] ?? '')
    .split(',')
    .map((hook) => hook.trim())
    .filter(Boolean);
}

function isTest(hook: string): boolean {
  return hook === 'test' || hook.startsWith('test-');
}
