/** How a release is spelled for the chart at hand, as step 2.4 or 3.1 kept it in .runbook (docs/architecture.md rule 7). */
import { STEP } from '../../base/plan-steps.ts';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { stringify } from 'yaml';
import type { Fitted, Render } from '../../chart/fit.ts';
import { chartPath } from '../kubently/checkout.ts';
import type { Context } from '../../context.ts';
import { Failure } from '../../base/failure.ts';
import { helmTemplate } from '../../clients/helm.ts';
import type { Settings } from '../../settings/settings.ts';
import { underway } from '../../base/underway.ts';
import type { OwnedItem } from '../../step.ts';
import type { TargetedRelease } from './targeted-release.ts';

/** helm reads YAML 1.1, where a bare `on` is a boolean. */
export const YAML_1_1 = { version: '1.1' } as const;

/** Path of a release's values file: <deployment>/<cluster id>.values.yaml in .runbook. */
export function valuesPath({ settings }: Context, { spec }: TargetedRelease): string {
  return join(settings.folder, `${spec.clusterId}.values.yaml`);
}

/** Fits the release to the chart; nothing is written. @throws Failure with the findings that are errors */
async function fit(ctx: Context, targeted: TargetedRelease, like?: Fitted): Promise<Fitted> {
  const { fitRelease } = await import('../../chart/fit.ts');
  const render: Render = (r) => helmTemplate(ctx.run, r);
  const found = await fitRelease(targeted.spec, chartPath(ctx.settings.repo), render, like?.values);
  const errors = found.findings.filter((f) => f.grade === 'error');
  if (errors.length > 0) {
    const detail = errors.map((f) => `${f.id} ${f.object ?? f.path ?? ''}: ${f.message}\n  ${f.remedy}`).join('\n');
    throw new Failure({
      what: `the chart does not give a complete release ${targeted.spec.release}: ${errors[0]?.message ?? ''}`,
      detail,
      next: 'make lint-chart',
    });
  }
  const { values, extras, findings } = found;
  return { key: await fitKey(ctx, targeted), values, extras, findings };
}

/**
 * Fits the release to the chart and writes the outcome.
 * @param like another remote's: of the same chart, it saves most of the renders
 * @throws Failure with the findings that are errors
 */
export async function fitAndKeep(ctx: Context, targeted: TargetedRelease, like?: Fitted): Promise<Fitted> {
  const fitted = await fit(ctx, targeted, like);
  const path = valuesPath(ctx, targeted);
  await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
  await writeFile(
    path,
    `# Values of release ${targeted.spec.release}, fitted to the chart by the runbook. Changes are lost.\n${stringify(fitted.values, YAML_1_1)}`,
  );
  await writeFile(fittedPath(path), JSON.stringify(fitted));
  return fitted;
}

/** The kept outcome, or undefined where there is none or it is of another chart, meaning or runbook. */
export async function keptFit(ctx: Context, targeted: TargetedRelease): Promise<Fitted | undefined> {
  const path = fittedPath(valuesPath(ctx, targeted));
  if (!existsSync(path)) return undefined;
  const kept = JSON.parse(readFileSync(path, 'utf8')) as Fitted;
  return kept.key === (await fitKey(ctx, targeted)) ? kept : undefined;
}

/** The kept outcome, or while planning and proving the one that an earlier step would keep. @throws Failure with the findings that are errors */
export async function knownFit(ctx: Context, targeted: TargetedRelease): Promise<Fitted | undefined> {
  const kept = await keptFit(ctx, targeted);
  if (kept || !ctx.plannedFits) return kept;
  const name = `${targeted.target.context}/${targeted.spec.release}`;
  const plannedFits = ctx.plannedFits.get(name) ?? fit(ctx, targeted);
  ctx.plannedFits.set(name, plannedFits);
  return plannedFits;
}

/** The same outcome. @throws Failure naming the step that makes it, where there is none */
export async function fitted(ctx: Context, targeted: TargetedRelease): Promise<Fitted> {
  const known = await knownFit(ctx, targeted);
  if (known) return known;
  throw new Failure({
    what: `the values of ${targeted.spec.release} are not fitted to this checkout`,
    next: `./runbook ${targeted.spec.side === 'gke' ? STEP.values : STEP.remoteValues}`,
  });
}

/** The files of these clusters' fits that are there. */
export function ownedFits(settings: Pick<Settings, 'folder'>, clusterIds: readonly string[]): OwnedItem[] {
  return clusterIds
    .flatMap((id) => fitFiles(settings, id))
    .filter((file) => existsSync(file))
    .map((file) => ({ where: 'this machine', kind: 'File', name: relative(process.cwd(), file) }));
}

/** What fitAndKeep writes for a cluster; needs no checkout. */
function fitFiles({ folder }: Pick<Settings, 'folder'>, clusterId: string): string[] {
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

async function fitKey({ settings }: Context, { spec }: TargetedRelease): Promise<string> {
  const chart = chartPath(settings.repo);
  const files = await underway(reading, chart, () => hashOfFiles(chart));
  return createHash('sha256').update(JSON.stringify(spec)).update(files).digest('hex');
}

/** Every release of a look asks at the same moment. */
const reading = new Map<string, Promise<string>>();

/** A hash of the chart, values/ and the fitting's own code. */
async function hashOfFiles(chart: string): Promise<string> {
  const root = join(import.meta.dirname, '..', '..', '..');
  const hash = createHash('sha256');
  for (const folder of [chart, join(root, 'values'), join(root, 'lib', 'chart')]) {
    const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((f) => f.isFile());
    for (const file of files.map((f) => join(f.parentPath, f.name)).sort())
      hash.update(file.slice(folder.length)).update(readFileSync(file));
  }
  return hash.digest('hex');
}
