/** The numbered table of TLS cases in docs/security.md, from what the suites have seen. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const RESULTS = join(ROOT, '.runbook/tls');
const DOCUMENT = join(ROOT, 'docs/security.md');
/** The table stands between these two lines of the document. */
const [START, END] = ['<!-- prettier-ignore-start -->', '<!-- prettier-ignore-end -->'];

export interface CaseResult {
  name: string;
  expected: string;
  seen: string;
  /** Where a suite does not say: whether the expected is what was seen. */
  passed?: boolean;
}

/** Each part of the table, and the suite that sees its cases; `clusters` is test/tls/private-ca.bats. */
const SIDES = [
  { side: 'edge', title: 'At the edge: what the ingress controller does' },
  { side: 'executor', title: 'At the executor: what it accepts as a server' },
  { side: 'clusters', title: 'In the clusters: a remote executor under a private CA' },
  { side: 'own', title: 'At the preflight: a certificate of your own' },
] as const;
export type Side = (typeof SIDES)[number]['side'];

/** Keeps a side's results for the table. */
export function keepResults(side: Side, results: readonly CaseResult[]): void {
  const file = join(RESULTS, `${side}-cases.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
}

/** The table of all sides, numbered through. */
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
    ({ title, cases }) => `### ${title}\n\n| n | case | expected | seen |\n| --- | --- | --- | --- |\n${rows(cases)}\n`,
  );
  return parts.join('\n');
}

/** The document with this table in the place of the one it has. @throws where it has no place for one */
export function withTable(document: string, text: string): string {
  const [start, end] = [document.indexOf(`${START}\n`), document.indexOf(`\n${END}`)];
  if (start < 0 || end < start) throw new Error(`${DOCUMENT} has no place for the table`);
  return `${document.slice(0, start)}${START}\n\n${text}${document.slice(end)}`;
}

function resultsOf(side: Side): CaseResult[] {
  const file = join(RESULTS, `${side}-cases.json`);
  const cases = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as CaseResult[]) : [];
  return cases.map((c) => ({ ...c, passed: c.passed ?? c.seen.startsWith(c.expected) }));
}

if (import.meta.main) {
  const sides = SIDES.map(({ side, title }) => ({ title, cases: resultsOf(side) }));
  const missing = sides.filter(({ cases }) => cases.length === 0);
  const all = sides.flatMap((s) => s.cases);
  const bad = all.filter((c) => c.passed === false).length;
  // A part that was not tried keeps the table as it was.
  if (missing.length === 0) writeFileSync(DOCUMENT, withTable(readFileSync(DOCUMENT, 'utf8'), table(sides)));
  for (const { title } of missing) console.log(`nothing was seen of: ${title}`);
  console.log(`docs/security.md: ${all.length} cases, ${bad} not as expected`);
  process.exitCode = bad === 0 && missing.length === 0 ? 0 : 1;
}
