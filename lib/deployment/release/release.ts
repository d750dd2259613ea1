/** A release fitted to the chart at hand, its drift, and what the runbook does around it (docs/architecture.md rule 7). */
import { STEP } from '../../base/plan-steps.ts';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { extraObjects, kustomization } from './extra-objects.ts';
import type { ReleaseSpec } from '../../chart/release-spec.ts';
import { chartPath, headCommit } from '../kubently/checkout.ts';
import type { Context } from '../../context.ts';
import { drift } from '../../clients/drift.ts';
import { differenceLines, fieldDifferences } from '../../clients/field-differences.ts';
import type { TargetedRelease } from './targeted-release.ts';
import { fitted, knownFit, valuesPath } from './fitted.ts';
import { HELM_MANAGER, statefulFirst, upgradeLines, withoutReplicas } from './helm-upgrade.ts';
import { helmTemplate, objectsOf, type UpgradeInput } from '../../clients/helm.ts';
import { INGRESS_CLASS } from '../cluster/infrastructure.ts';
import { rolloutGap, waitForRollout, type Workload } from '../cluster/rollout.ts';
import { absent, checkOf, conflict, differs, done, unknownBefore, type Check } from '../../step.ts';
import type { Remote } from '../../base/target.ts';
import type { KubeObject } from '../../base/kubernetes.ts';
import { TLS_SECRET } from '../../chart/secret-names.ts';
import type { Fitted } from '../../chart/fit.ts';

/** The GKE release as it is meant at the checkout's commit (plan step 2.4). */
export async function gkeRelease({ settings, run }: Context): Promise<TargetedRelease> {
  const { short: tag } = await headCommit(run, settings.repo);
  const { registry } = settings.images;
  const spec: ReleaseSpec = {
    side: 'gke',
    release: settings.release,
    namespace: settings.gke.namespace,
    clusterId: settings.gkeClusterId,
    securityMode: 'readOnly',
    caFile: settings.tls.caFile !== undefined,
    host: settings.host,
    tlsSecret: TLS_SECRET,
    ingressClass: INGRESS_CLASS,
    ingressController: settings.ingressController,
    executorApiUrl: settings.gkeExecutorApiUrl,
    images: { api: { repository: `${registry}/api`, tag }, executor: { repository: `${registry}/executor`, tag } },
    replicas: settings.apiReplicas,
    llmProvider: settings.llm.provider,
    model: settings.llm.model,
    ...(settings.llm.baseUrl === undefined ? {} : { llmBaseUrl: settings.llm.baseUrl }),
    llmCaFile: settings.llm.caFile !== undefined,
  };
  return { spec, target: settings.gke };
}

/** A remote cluster's executor-only release (plan step 3.1). */
export async function remoteRelease({ settings, run }: Context, remote: Remote): Promise<TargetedRelease> {
  const { short: tag } = await headCommit(run, settings.repo);
  const spec: ReleaseSpec = {
    side: 'remote',
    release: remote.release,
    namespace: remote.namespace,
    clusterId: remote.id,
    securityMode: 'readOnly',
    caFile: settings.tls.caFile !== undefined,
    apiUrl: `https://${settings.host}`,
    image: { repository: `${settings.images.registry}/executor`, tag },
  };
  return { spec, target: remote };
}

/** Live truth of a release against what is meant: Helm's record, the objects around it, and its pods. */
export async function checkRelease(ctx: Context, targeted: TargetedRelease): Promise<Check> {
  const { spec, target } = targeted;
  const kept = await knownFit(ctx, targeted);
  const after = spec.side === 'gke' ? STEP.values : STEP.remoteValues;
  if (!kept) return unknownBefore(after, `the values are known after ${after}`);
  const release = await ctx.helm(target).release(spec.release);
  if (!release) return absent(`no release ${spec.release} in ${target.namespace}`);
  if (release.status !== 'deployed') return differs(`release ${spec.release} is ${release.status}`);
  const rendered = await renderedObjects(ctx, targeted, kept);
  const valueLines = differenceLines(fieldDifferences('values', kept.values, release.values));
  const manifest = objectsOf(release.manifest);
  const meant = rendered.ok ? rendered.objects : [];
  const kube = ctx.kube(target);
  const upgrade = rendered.ok ? await upgradeLines(kube, targeted, meant, manifest) : [];
  if ('refused' in upgrade)
    return conflict(
      `the API server refuses the upgrade: ${upgrade.refused}`,
      'give the chart back the field that is named, or delete that object and run again',
    );
  const lines = [...valueLines, ...upgrade];
  if (valueLines.length > 0) return differs(`release ${spec.release} was installed with other values`, lines);
  if (!rendered.ok || lines.length > 0)
    return differs(`release ${spec.release} was rendered by another chart, or before a Secret changed`, lines);
  const [live, workloads] = await Promise.all([
    drift(kube, [...extraObjects(ctx, targeted, kept), ...meant.map((o) => withoutReplicas(meant, o))]),
    Promise.all(workloadsOf(manifest).map((w) => kube.get(...w))),
  ]);
  const found = checkOf(live, '');
  if (found.state !== 'done') return found;
  const gap = workloads.map(rolloutGap).find((g) => g !== undefined);
  return gap
    ? differs(`a workload ${gap}`)
    : done(`release ${spec.release}, revision ${release.revision}, matches the configuration and is complete`);
}

type RenderedObjects = { ok: true; objects: KubeObject[] } | { ok: false };

/**
 * The objects that this chart gives with the fitted values and the patches around it. They follow from their inputs
 * alone, so an earlier outcome of the same inputs is taken in place of another helm and kubectl kustomize.
 */
async function renderedObjects(ctx: Context, targeted: TargetedRelease, kept: Fitted): Promise<RenderedObjects> {
  const { spec } = targeted;
  const postRender = await keepKustomization(ctx, targeted, kept);
  const key = createHash('sha256')
    .update(kept.key)
    .update(JSON.stringify(kept.values))
    .update(await readFile(postRender))
    .digest('hex');
  const path = valuesPath(ctx, targeted).replace(/\.values\.yaml$/, '.render.json');
  const known = existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as { key: string; objects: KubeObject[] })
    : undefined;
  if (known?.key === key) return { ok: true, objects: known.objects };
  const rendered = await helmTemplate(ctx.run, {
    release: spec.release,
    namespace: spec.namespace,
    chart: chartPath(ctx.settings.repo),
    values: kept.values,
    postRender,
  });
  if (!rendered.ok) return { ok: false };
  const objects = objectsOf(rendered.text);
  await writeWhole(path, JSON.stringify({ key, objects }));
  return { ok: true, objects };
}

/** What `helm upgrade --install` takes. */
export interface PreparedRelease {
  release: string;
  /** Path of the chart in the checkout. */
  chart: string;
  input: UpgradeInput;
}

/** Applies the release's extra objects, which its pods mount, and writes what helm takes. @throws Failure where it is not fitted */
export async function preparedRelease(ctx: Context, targeted: TargetedRelease): Promise<PreparedRelease> {
  const { spec, target } = targeted;
  const kept = await fitted(ctx, targeted);
  const beside = extraObjects(ctx, targeted, kept);
  if (beside.length > 0) await ctx.kube(target).apply(beside);
  const postRender = await keepKustomization(ctx, targeted, kept);
  return { release: spec.release, chart: chartPath(ctx.settings.repo), input: { values: kept.values, postRender } };
}

/** Replaces a changed Redis, and waits for it, before Helm's upgrade replaces the pods that begin by asking it. */
export async function replaceRedisFirst(ctx: Context, targeted: TargetedRelease): Promise<void> {
  const { spec, target } = targeted;
  const release = await ctx.helm(target).release(spec.release);
  if (release?.status !== 'deployed') return;
  const rendered = await renderedObjects(ctx, targeted, await fitted(ctx, targeted));
  if (!rendered.ok) return;
  const kube = ctx.kube(target);
  const first = await statefulFirst(kube, targeted, rendered.objects);
  if (first.length === 0) return;
  ctx.note('Redis first');
  await kube.apply(first, HELM_MANAGER);
  await waitForWorkloads(ctx, targeted, workloadsOf(first));
}

/** Writes the kustomization of the release beside its values. @returns its path */
async function keepKustomization(ctx: Context, targeted: TargetedRelease, kept: Fitted): Promise<string> {
  const path = valuesPath(ctx, targeted).replace(/\.values\.yaml$/, '.kustomization.yaml');
  await writeWhole(path, await kustomization(ctx, targeted, kept));
  return path;
}

let written = 0;

/** Whole or not at all: several looks may write at once. */
async function writeWhole(path: string, text: string): Promise<void> {
  const fresh = `${path}.${process.pid}.${written++}`;
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
  await writeFile(fresh, text, { flag: 'wx' });
  await rename(fresh, path);
}

/** Waits until every one of the release's workloads is complete, all at once. @throws Failure with pods, events and log tail */
export async function waitForWorkloads(
  ctx: Context,
  { target }: TargetedRelease,
  workloads: readonly (readonly [string, string])[],
  timeoutMs?: number,
): Promise<void> {
  const kube = ctx.kube(target);
  await Promise.all(
    workloads.map(([kind, name]) => waitForRollout(ctx, kube, `${kind}/${name}` as Workload, timeoutMs)),
  );
}

/** Kind and name of the release's Deployments and StatefulSets. */
export async function releaseWorkloads(ctx: Context, { spec, target }: TargetedRelease): Promise<[string, string][]> {
  const release = await ctx.helm(target).release(spec.release);
  return workloadsOf(objectsOf(release?.manifest ?? ''));
}

function workloadsOf(manifest: readonly KubeObject[]): [string, string][] {
  return manifest.flatMap(({ kind, metadata }): [string, string][] =>
    kind === 'Deployment' || kind === 'StatefulSet' ? [[`${kind}.apps`, metadata.name]] : [],
  );
}
