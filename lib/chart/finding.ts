/** What an inspection of a rendered release has to say. */
import { Failure } from '../base/failure.ts';

/** error: the release will not work or breaks a rule of the runbook, and stops; warning: told once, with what to do. */
export type Grade = 'error' | 'warning';

export interface Finding {
  grade: Grade;
  /** kebab-case, stable: CI and tests match on it. */
  id: string;
  /** Kind/name of the rendered object. */
  object?: string;
  /** Path of a value, field or env entry. */
  path?: string;
  message: string;
  remedy: string;
}

/** A chart that cannot take a release without breaking a rule of the runbook (docs/architecture.md rule 7). */
export class ChartRefused extends Failure {
  override name = 'ChartRefused';
  readonly reason: string;
  /** The first commit of Kubently whose chart can. */
  readonly firstChart: string;

  constructor(chart: string, reason: string, firstChart: string) {
    super({
      what: `the chart at ${chart} is refused: ${reason}`,
      wanted: `a chart that reads existing Secrets; the first that can is ${firstChart}`,
      next: `check out Kubently at ${firstChart} or later and name it by KUBENTLY_REPO`,
    });
    this.reason = reason;
    this.firstChart = firstChart;
  }
}

/** Errors before warnings, else in the order they were found; each one once. */
export function sorted(findings: readonly Finding[]): Finding[] {
  const once = new Map(findings.map((f) => [`${f.id} ${f.object ?? ''} ${f.path ?? ''} ${f.message}`, f]));
  return [...once.values()].sort((a, b) => Number(a.grade === 'warning') - Number(b.grade === 'warning'));
}
