/** A release fitted to the chart at hand, its drift, and what the runbook does around it (design.md rule 7). */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { aroundObjects, isScaled, kustomization } from './around.ts';
import type { Around, Finding } from './chart/fit.ts';
import type { Meaning } from './chart/meaning.ts';
import { chartPath, headCommit } from './checkout.ts';
import type { Context } from './context.ts';
import { TLS_SECRET } from './deployment.ts';
import { drift } from './drift.ts';
import { differenceLines, fieldDifferences, objectLines } from './field-differences.ts';
import { Failure } from './failure.ts';
import { helmTemplate, objectsOf } from './helm.ts';
import { INGRESS_CLASS } from './infrastructure.ts';
import type { KubeObject } from './kubectl.ts';
import { rolloutGap } from './rollout.ts';
import type { Settings } from './settings.ts';
import { absent, checkOf, differs, done, unknownBefore, type Check } from './step.ts';
import type { Remote, Target } from './target.ts';
import { underway } from './underway.ts';

/** What fitting found, as it lies in .runbook: values to read and diff, the rest beside them. */
export interface Fitted {
  /** Of everything that fitting reads: chart, meaning, values/ and the fitting's own code. */
  key: string;
  values: Record<string, unknown>;
  around: Around[];
  findings: Finding[];
}

/** helm reads YAML 1.1, where a bare `on` is a boolean. */
export const YAML_1_1 = { version: '1.1' } as const;

/** A release and where it goes. */
export interface Placed {
  meaning: Meaning;
  target: Target;
}

/** The GKE release as it is meant at the checkout's commit (plan step 2.4). */
export async function gkeRelease({ settings, run }: Context): Promise<Placed> {
  const { short: tag } = await headCommit(run, settings.repo);
  const { registry } = settings.images;
  const meaning: Meaning = {
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
  };
  return { meaning, target: settings.gke };
}

/** A remote cluster's executor-only release (plan step 3.1). */
export async function remoteRelease({ settings, run }: Context, remote: Remote): Promise<Placed> {
  const { short: tag } = await headCommit(run, settings.repo);
  const meaning: Meaning = {
    side: 'remote',
    release: remote.release,
    namespace: remote.namespace,
    clusterId: remote.id,
    securityMode: 'readOnly',
    caFile: settings.tls.caFile !== undefined,
    apiUrl: `https://${settings.host}`,
    image: { repository: `${settings.images.registry}/executor`, tag },
  };
  return { meaning, target: remote };
}

/** Path of a release's values file: <deployment>/<cluster id>.values.yaml in .runbook. */
export function valuesPath({ settings }: Context, { meaning }: Placed): string {
  return join(settings.folder, `${meaning.clusterId}.values.yaml`);
}

/** Fits the release to the chart; nothing is written. @throws Failure with the findings that are errors */
async function fit(ctx: Context, placed: Placed): Promise<Fitted> {
  const { fitRelease } = await import('./chart/fit.ts');
  const found = await fitRelease(placed.meaning, chartPath(ctx.settings.repo), (r) => helmTemplate(ctx.run, r));
  const errors = found.findings.filter((f) => f.grade === 'error');
  if (errors.length > 0) {
    const detail = errors.map((f) => `${f.id} ${f.object ?? f.path ?? ''}: ${f.message}\n  ${f.remedy}`).join('\n');
    throw new Failure({
      what: `the chart does not give a complete release ${placed.meaning.release}: ${errors[0]?.message ?? ''}`,
      detail,
      next: 'make lint-chart',
    });
  }
  const { values, around, findings } = found;
  return { key: await fitKey(ctx, placed), values, around, findings };
}

/** Fits the release to the chart and writes the outcome. @throws Failure with the findings that are errors */
export async function fitAndKeep(ctx: Context, placed: Placed): Promise<Fitted> {
  const fitted = await fit(ctx, placed);
  const path = valuesPath(ctx, placed);
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
  await writeFile(
    path,
    `# Values of release ${placed.meaning.release}, fitted to the chart by the runbook. Changes are lost.\n${stringify(fitted.values, YAML_1_1)}`,
  );
  await writeFile(fittedPath(path), JSON.stringify(fitted));
  return fitted;
}

/** The kept outcome, or undefined where there is none or it is of another chart, meaning or runbook. */
export async function keptFit(ctx: Context, placed: Placed): Promise<Fitted | undefined> {
  const path = fittedPath(valuesPath(ctx, placed));
  if (!existsSync(path)) return undefined;
  const kept = JSON.parse(readFileSync(path, 'utf8')) as Fitted;
  return kept.key === (await fitKey(ctx, placed)) ? kept : undefined;
}

/** The kept outcome, or while planning the one that an earlier step would keep. @throws Failure with the findings that are errors */
export async function knownFit(ctx: Context, placed: Placed): Promise<Fitted | undefined> {
  const kept = await keptFit(ctx, placed);
  if (kept || !ctx.foreseen) return kept;
  const name = `${placed.target.context}/${placed.meaning.release}`;
  const foreseen = ctx.foreseen.get(name) ?? fit(ctx, placed);
  ctx.foreseen.set(name, foreseen);
  return foreseen;
}

/** The kept outcome. @throws Failure naming the step that makes it */
export async function fitted(ctx: Context, placed: Placed): Promise<Fitted> {
  const kept = await keptFit(ctx, placed);
  if (kept) return kept;
  throw new Failure({
    what: `the values of ${placed.meaning.release} are not fitted to this checkout`,
    next: `./runbook ${placed.meaning.side === 'gke' ? '2.4' : '3.1'}`,
  });
}

/** What fitAndKeep writes for a cluster; needs no checkout. */
export function fitFiles({ folder }: Pick<Settings, 'folder'>, clusterId: string): string[] {
  return ['values.yaml', 'fit.json', 'kustomization.yaml', 'render.json'].map((kind) =>
    join(folder, `${clusterId}.${kind}`),
  );
}

/** Removes what fitAndKeep wrote. */
export async function forgetFit({ settings }: Context, clusterId: string): Promise<void> {
  for (const file of fitFiles(settings, clusterId)) await rm(file, { force: true });
}

function fittedPath(values: string): string {
  return values.replace(/\.values\.yaml$/, '.fit.json');
}

async function fitKey({ settings }: Context, { meaning }: Placed): Promise<string> {
  const chart = chartPath(settings.repo);
  const files = await underway(reading, chart, () => hashOfFiles(chart));
  return createHash('sha256').update(JSON.stringify(meaning)).update(files).digest('hex');
}

/** Every release of a look asks at the same moment. */
const reading = new Map<string, Promise<string>>();

/** A hash of the chart, values/ and the fitting's own code. */
async function hashOfFiles(chart: string): Promise<string> {
  const root = join(import.meta.dirname, '..');
  const hash = createHash('sha256');
  for (const folder of [chart, join(root, 'values'), join(root, 'lib', 'chart')]) {
    const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((f) => f.isFile());
    for (const file of files.map((f) => join(f.parentPath, f.name)).sort())
      hash.update(file.slice(folder.length)).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** Live truth of a release against what is meant: Helm's record, the objects around it, and its pods. */
export async function checkRelease(ctx: Context, placed: Placed): Promise<Check> {
  const { meaning, target } = placed;
  const kept = await knownFit(ctx, placed);
  const after = meaning.side === 'gke' ? '2.4' : '3.1';
  if (!kept) return unknownBefore(after, `the values are known after ${after}`);
  const release = await ctx.helm(target).release(meaning.release);
  if (!release) return absent(`no release ${meaning.release} in ${target.namespace}`);
  if (release.status !== 'deployed') return differs(`release ${meaning.release} is ${release.status}`);
  const rendered = await render(ctx, placed, kept);
  const valueLines = differenceLines(fieldDifferences('values', kept.values, release.values));
  const manifest = objectsOf(release.manifest);
  const meant = rendered.ok ? rendered.objects : [];
  const lines = [...valueLines, ...(rendered.ok ? objectLines(meant, manifest) : [])];
  if (valueLines.length > 0) return differs(`release ${meaning.release} was installed with other values`, lines);
  if (!rendered.ok || lines.length > 0)
    return differs(`release ${meaning.release} was rendered by another chart, or before a Secret changed`, lines);
  const kube = ctx.kube(target);
  const [live, workloads] = await Promise.all([
    drift(kube, [...aroundObjects(ctx, placed, kept), ...meant.map((o) => withoutReplicas(meant, o))]),
    Promise.all(workloadsOf(manifest).map((w) => kube.get(...w))),
  ]);
  const found = checkOf(live, '');
  if (found.state !== 'done') return found;
  const gap = workloads.map(rolloutGap).find((g) => g !== undefined);
  return gap
    ? differs(`a workload ${gap}`)
    : done(`release ${meaning.release}, revision ${release.revision}, is as meant and complete`);
}

type RenderedObjects = { ok: true; objects: KubeObject[] } | { ok: false };

/**
 * The objects that this chart gives with the fitted values and the patches around it. They follow from their inputs
 * alone, so an earlier outcome of the same inputs is taken in place of another helm and kubectl kustomize.
 */
async function render(ctx: Context, placed: Placed, kept: Fitted): Promise<RenderedObjects> {
  const { meaning } = placed;
  const postRender = await keepKustomization(ctx, placed, kept);
  const key = createHash('sha256')
    .update(kept.key)
    .update(JSON.stringify(kept.values))
    .update(await readFile(postRender))
    .digest('hex');
  const path = valuesPath(ctx, placed).replace(/\.values\.yaml$/, '.render.json');
  const known = existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as { key: string; objects: KubeObject[] })
    : undefined;
  if (known?.key === key) return { ok: true, objects: known.objects };
  const rendered = await helmTemplate(ctx.run, {
    release: meaning.release,
    namespace: meaning.namespace,
    chart: chartPath(ctx.settings.repo),
    values: kept.values,
    postRender,
  });
  if (!rendered.ok) return { ok: false };
  const objects = objectsOf(rendered.text);
  await writeWhole(path, JSON.stringify({ key, objects }));
  return { ok: true, objects };
}

/** The object as it is compared: where an autoscaler counts, its replicas are not the release's. */
function withoutReplicas(manifest: readonly KubeObject[], object: KubeObject): KubeObject {
  if (!isScaled(manifest, object)) return object;
  const spec = Object.entries(object['spec'] as Record<string, unknown>).filter(([field]) => field !== 'replicas');
  return { ...object, spec: Object.fromEntries(spec) };
}

/** Installs or upgrades, with what values cannot say. Returns before the pods run. */
export async function applyRelease(ctx: Context, placed: Placed): Promise<void> {
  const { meaning, target } = placed;
  const kept = await fitted(ctx, placed);
  const beside = aroundObjects(ctx, placed, kept);
  if (beside.length > 0) await ctx.kube(target).apply(beside);
  const chart = chartPath(ctx.settings.repo);
  const postRender = await keepKustomization(ctx, placed, kept);
  await ctx.helm(target).upgrade({ release: meaning.release, chart, values: kept.values, postRender }, ctx);
}

/** Writes the kustomization of the release beside its values. @returns its path */
async function keepKustomization(ctx: Context, placed: Placed, kept: Fitted): Promise<string> {
  const path = valuesPath(ctx, placed).replace(/\.values\.yaml$/, '.kustomization.yaml');
  await writeWhole(path, await kustomization(ctx, placed, kept));
  return path;
}

let written = 0;

/** Whole or not at all: several looks may write at once. */
async function writeWhole(path: string, text: string): Promise<void> {
  const fresh = `${path}.${process.pid}.${written++}`;
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
  await writeFile(fresh, text);
  await rename(fresh, path);
}

/** Kind and name of the release's Deployments and StatefulSets. */
export async function releaseWorkloads(ctx: Context, { meaning, target }: Placed): Promise<[string, string][]> {
  const release = await ctx.helm(target).release(meaning.release);
  return workloadsOf(objectsOf(release?.manifest ?? ''));
}

function workloadsOf(manifest: readonly KubeObject[]): [string, string][] {
  return manifest.flatMap(({ kind, metadata }): [string, string][] =>
    kind === 'Deployment' || kind === 'StatefulSet' ? [[`${kind}.apps`, metadata.name]] : [],
  );
}
