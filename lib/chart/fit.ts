/** Fits a release to the chart at hand: offers every spelling, keeps those that the chart reads, and inspects what comes out. */
import { withWorkarounds } from './chart-workarounds.ts';
import { chartFileFindings, valuesFile } from './chart-files.ts';
import type { ReleaseExtra } from './release-extras.ts';
import { ChartRefused, sorted, type Finding } from './finding.ts';
import { ignoredFinding, inspectText, refused, type Inspection } from './inspect.ts';
import type { ReleaseSpec, SecretPurpose } from './release-spec.ts';
import { ignoredValues } from './read-values.ts';
import { readManifests, rendererOf, type Render, type Rendered, type RenderValues } from './render.ts';
import { valueAliases, type ValueAlias } from './value-aliases.ts';
import { at, leaves, merged, withLeaf, type Values } from './value-tree.ts';
import { envOf, rolesOf } from './workloads.ts';

export type { ReleaseExtra } from './release-extras.ts';
export type { WantedSecret } from './rules/secrets.ts';
export { ChartRefused, type Finding } from './finding.ts';
export type { Render } from './render.ts';

/** A release as it will be installed, and everything there is to say about it. */
export type Fit = Inspection;

/** The first chart that reads both existing Secrets (docs/kubently-contract.md 1.7). */
const FIRST_CHART = '5d13e03 (2025-10-21)';

/** How a refusal by the chart's own values schema begins: the only one that leaving out keys can cure. */
const SCHEMA_REFUSAL = "values don't meet the specifications of the schema";

/**
 * The values by which this chart says what the runbook means, with their render, findings and what is done around it.
 * @param chart a chart directory; never changed
 * @param like values fitted for another release of the same side: what this chart ignored there it ignores here
 * @throws ChartRefused when the chart makes the key or token Secret itself, so that neither could be referenced (shape A)
 */
export async function fitRelease(spec: ReleaseSpec, chart: string, render: Render, like?: Values): Promise<Fit> {
  const renderValues = rendererOf(spec, chart, render);
  const [file, fileFindings] = await Promise.all([valuesFile(spec.side), chartFileFindings(chart)]);
  const offered = await acceptable(file, valueAliases(spec), renderValues);
  if (!offered.rendered.ok) return refused(offered.values, offered.rendered.error, fileFindings);
  refuseOwnSecrets(spec, chart, offered.rendered.text);

  const values = await withWorkarounds(spec, offered.values, offered.rendered.text, renderValues);
  const whole = await renderValues(values);
  if (!whole.ok) return refused(values, whole.error, fileFindings);
  const ignored = like
    ? leaves(values).filter(({ path }) => at(like, path) === undefined)
    : await ignoredValues(values, whole.text, renderValues);
  const isFile = (path: (typeof ignored)[number]['path']): boolean => at(file, path) !== undefined;
  const kept = ignored.filter((l) => !isFile(l.path)).reduce((v, l) => withLeaf(v, l.path, undefined), values);

  const inspection = await inspectText(spec, kept, whole.text, renderValues);
  const findings = [
    ...fileFindings,
    ...inspection.findings,
    ...ignored.filter((l) => isFile(l.path)).map(ignoredFinding),
  ];
  return { ...inspection, findings: sorted(findings) };
}

/** The union of all spellings; where a values schema refuses unknown keys, without those whose absence shortens the refusal. */
async function acceptable(
  file: Values,
  all: readonly ValueAlias[],
  render: RenderValues,
): Promise<{ values: Values; rendered: Rendered }> {
  let kept = all;
  for (;;) {
    const values = merged(file, ...kept.map((s) => s.values));
    const rendered = await render(values);
    if (rendered.ok || !rendered.error.includes(SCHEMA_REFUSAL)) return { values, rendered };
    const without = await Promise.all(
      kept.map(async (left) => render(merged(file, ...kept.filter((s) => s !== left).map((s) => s.values)))),
    );
    const next = kept.filter((_, i) => {
      const tried = without[i];
      return tried && !tried.ok && tried.error.length >= rendered.error.length;
    });
    if (next.length === kept.length) return { values, rendered };
    kept = next;
  }
}

/** Throws where the chart renders the Secret behind the API keys or the executor's token although an existing one was named. */
function refuseOwnSecrets(spec: ReleaseSpec, chart: string, text: string): void {
  const { objects } = readManifests(text);
  const { api, executor } = rolesOf(objects, spec.namespace);
  const made = (containers: Parameters<typeof envOf>[0] | undefined, env: string): string[] => {
    const name = envOf(containers ?? [], env)?.valueFrom?.secretKeyRef?.name;
    return objects.some((o) => o.kind === 'Secret' && o.metadata.name === name) ? [name ?? ''] : [];
  };
  const key = spec.side === 'gke' ? made(api?.containers, 'API_KEYS') : [];
  const token = made(executor?.containers, 'KUBENTLY_TOKEN');
  if (key.length === 0 && token.length === 0) return;
  const what: Record<SecretPurpose & ('api-keys' | 'executor-token'), string[]> = {
    'api-keys': key,
    'executor-token': token,
  };
  const parts = Object.entries(what).flatMap(([holds, [name]]) => (name === undefined ? [] : [`${name} (${holds})`]));
  throw new ChartRefused(
    chart,
    `it renders the Secret ${parts.join(' and the Secret ')} itself although an existing one is named, so the value would have to stand in the Helm values`,
    FIRST_CHART,
  );
}

/** What fitting found, as it lies in .runbook: values to read and diff, the rest beside them. */
export interface Fitted {
  /** Of everything that fitting reads: chart, meaning, values/ and the fitting's own code. */
  key: string;
  values: Record<string, unknown>;
  extras: ReleaseExtra[];
  findings: Finding[];
}
