/** Findings as text for a terminal. */
import { count } from '../base/failure.ts';
import type { FittedRelease } from '../deployment/release/fit-all.ts';
import type { Finding } from '../chart/finding.ts';

/** The report of every release; what was already told for another release is not told again. */
export function report(releases: readonly FittedRelease[]): string {
  const told = new Set<string>();
  return releases
    .flatMap(({ name, spec, fit }) => {
      const of = (grade: Finding['grade']): number => fit.findings.filter((f) => f.grade === grade).length;
      const title = `${name}: release ${spec.release} in namespace ${spec.namespace}: ${count(of('error'), 'error')}, ${count(of('warning'), 'warning')}`;
      const news = fit.findings.filter((f) => !told.has(line(f)));
      for (const finding of news) told.add(line(finding));
      return [title, ...news.map((f) => `${line(f)}\n          ${f.remedy}`)];
    })
    .join('\n');
}

function line({ grade, id, object, path, message }: Finding): string {
  const where = [object, path].filter((part) => part !== undefined).join(' ');
  return `  ${grade.padEnd(7)} ${id}${where === '' ? '' : ` (${where})`}: ${message}`;
}

/** True when a finding stops the deployment. */
export function hasErrors(releases: readonly FittedRelease[]): boolean {
  return releases.some(({ fit }) => fit.findings.some((f) => f.grade === 'error'));
}
