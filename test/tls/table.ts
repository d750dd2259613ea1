/** The numbered table of TLS cases, docs/tls-cases.md, from what the suites of both sides have seen. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const RESULTS = join(ROOT, '.runbook/tls');

export interface CaseResult {
  name: string;
  expected: string;
  seen: string;
  /** Where a suite does not say: whether the expected is what was seen. */
  passed?: boolean;
}

/** Keeps a side's results for the table. */
export function keepResults(side: 'edge' | 'executor', results: readonly CaseResult[]): void {
  const file = join(RESULTS, `${side}-cases.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
}

/** The table of both sides, numbered through. */
export function table(sides: readonly { title: string; cases: readonly CaseResult[] }[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  let n = 0;
  const rows = (cases: readonly CaseResult[]): string =>
    cases
      .map((c) => {
        n += 1;
        return `| ${n} | ${cell(c.name)} | ${cell(c.expected)} | ${c.passed === false ? '**not as expected** ' : ''}${cell(c.seen)} |`;
      })
      .join('\n');
  const parts = sides.map(
    ({ title, cases }) => `## ${title}\n\n| n | case | expected | seen |\n| --- | --- | --- | --- |\n${rows(cases)}\n`,
  );
  return `# TLS cases\n\nWritten by \`make test-tls\`: each case ran against the real parts, and the right column is what was seen.\n\n${parts.join('\n')}`;
}

function resultsOf(side: string): CaseResult[] {
  const file = join(RESULTS, `${side}-cases.json`);
  const cases = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as CaseResult[]) : [];
  return cases.map((c) => ({ ...c, passed: c.passed ?? c.seen.startsWith(c.expected) }));
}

if (import.meta.main) {
  const sides = [
    { title: 'At the edge: what the ingress controller does', cases: resultsOf('edge') },
    { title: 'At the executor: what it accepts as a server', cases: resultsOf('executor') },
  ].filter(({ cases }) => cases.length > 0);
  mkdirSync(join(ROOT, 'docs'), { recursive: true });
  writeFileSync(join(ROOT, 'docs/tls-cases.md'), table(sides));
  const all = sides.flatMap((s) => s.cases);
  const bad = all.filter((c) => c.passed === false).length;
  console.log(`docs/tls-cases.md: ${all.length} cases, ${bad} not as expected`);
  process.exitCode = bad === 0 && all.length > 0 ? 0 : 1;
}
