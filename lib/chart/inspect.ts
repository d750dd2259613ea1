/** A release with given values, rendered and inspected: what lint-chart and step 2.4 say about it. */
import { extrasOf, type ReleaseExtra } from './release-extras.ts';
import { chartFileFindings } from './chart-files.ts';
import { sorted, type Finding } from './finding.ts';
import type { ReleaseSpec } from './release-spec.ts';
import { ignoredValues } from './read-values.ts';
import { readManifests, refusal, rendererOf, type Render, type RenderValues } from './render.ts';
import { matchesSpec } from './rules/matches-spec.ts';
import { nothingExposed } from './rules/exposure.ts';
import { imagesImmutable } from './rules/images.ts';
import { ingressMatchesSpec } from './rules/ingress.ts';
import { inOneNamespace } from './rules/namespaces.ts';
import type { Release } from './rules/rule.ts';
import { validObjects } from './rules/schema.ts';
import { llmKeyFindings, secretsOf, type WantedSecret } from './rules/secrets.ts';
import { selectorsMatch } from './rules/selectors.ts';
import { written, type Leaf, type Values } from './value-tree.ts';
import { rolesOf, workloads } from './workloads.ts';
import type { KubeObject } from '../base/kubernetes.ts';

export interface Inspection {
  values: Values;
  /** Rendered manifests; empty where the chart refuses the values. */
  text: string;
  objects: KubeObject[];
  secrets: WantedSecret[];
  findings: Finding[];
  extras: ReleaseExtra[];
}

/** Renders a release with values that somebody else chose, and says everything that is wrong with it. */
export async function inspectRelease(
  spec: ReleaseSpec,
  values: Values,
  chart: string,
  render: Render,
): Promise<Inspection> {
  const renderValues = rendererOf(spec, chart, render);
  const [rendered, fileFindings] = await Promise.all([renderValues(values), chartFileFindings(chart)]);
  if (!rendered.ok) return refused(values, rendered.error, fileFindings);
  const [ignored, inspection] = await Promise.all([
    ignoredValues(values, rendered.text, renderValues),
    inspectText(spec, values, rendered.text, renderValues),
  ]);
  return { ...inspection, findings: sorted([...fileFindings, ...inspection.findings, ...ignored.map(ignoredFinding)]) };
}

/** What the objects of a rendered text say; of the values only what they render to is judged. */
export async function inspectText(
  spec: ReleaseSpec,
  values: Values,
  text: string,
  render: RenderValues,
): Promise<Inspection> {
  const { objects, findings: yamlFindings } = readManifests(text);
  const [{ valid, findings: schemaFindings }, again] = await Promise.all([validObjects(objects), render(values)]);
  const all = workloads(valid);
  const release: Release = {
    spec,
    text,
    objects: valid,
    workloads: all,
    running: all.filter((w) => w.replicas > 0),
    roles: rolesOf(valid, spec.namespace),
  };
  const { secrets, findings: secretFindings } = secretsOf(release);
  const rules = [
    inOneNamespace,
    matchesSpec,
    ingressMatchesSpec,
    selectorsMatch,
    imagesImmutable,
    nothingExposed,
    llmKeyFindings,
  ];
  const findings = sorted([
    ...yamlFindings,
    ...schemaFindings,
    ...secretFindings,
    ...rules.flatMap((rule) => rule(release)),
    ...unsteady(text, again.ok ? again.text : text),
  ]);
  return { values, text, objects, secrets, findings, extras: extrasOf(release, secrets) };
}

/** The inspection of values that the chart refuses. */
export function refused(values: Values, error: string, findings: readonly Finding[]): Inspection {
  const finding: Finding = {
    grade: 'error',
    id: 'chart-refuses',
    message: refusal(error),
    remedy:
      'the chart wants a value that the runbook does not know: set it in values/, or teach lib/chart/value-aliases.ts',
  };
  return { values, text: '', objects: [], secrets: [], findings: sorted([finding, ...findings]), extras: [] };
}

/** A value that the chart does not read. */
export function ignoredFinding({ path, value }: Leaf): Finding {
  const key = written(path);
  return {
    grade: 'warning',
    id: 'value-ignored',
    path: key,
    message: `${key}${['string', 'number', 'boolean'].includes(typeof value) ? ` (${JSON.stringify(value)})` : ''} is set, and the chart does not read it`,
    remedy: 'remove it from the values, or correct its name',
  };
}

/** Random or time in a template: each install would change something. */
function unsteady(first: string, second: string): Finding[] {
  if (first === second) return [];
  const other = new Set(second.split('\n'));
  const lines = first.split('\n');
  const at = lines.findIndex((line) => !other.has(line));
  const source = lines.slice(0, at + 1).findLast((line) => line.startsWith('# Source: ')) ?? '';
  return [
    {
      grade: 'warning',
      id: 'render-unsteady',
      path: source.replace('# Source: ', ''),
      message: 'each render gives another text (random or time in a template): every upgrade changes it',
      remedy: 'name an existing Secret or a fixed value instead, where the chart can take one',
    },
  ];
}
