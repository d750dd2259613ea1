/** What differs between two reports: criteria, facts and findings; evidence in words and the time left are not compared. */
import type { Change, Report } from './report.ts';

/** Differs in every report by itself. */
const PASSING: ReadonlySet<string> = new Set(['Certificate: Left of its lifetime']);

/** Everything that changed, in the order of the newer report; what went comes last. */
export function changesBetween(before: Report, after: Report): Change[] {
  const [old, now] = [comparable(before), comparable(after)];
  return [...new Set([...now.keys(), ...old.keys()])].flatMap((what) => {
    const change = { what, before: old.get(what), after: now.get(what) };
    return change.before === change.after ? [] : [change];
  });
}

function comparable({ criteria, facts, findings }: Report): Map<string, string> {
  return new Map([
    ...criteria.map((c): [string, string] => [`Criterion ${c.number}: ${c.title}`, c.state]),
    ...facts.map((f): [string, string] => [`${f.section}: ${f.name}`, f.value]).filter(([what]) => !PASSING.has(what)),
    ...findings.flatMap(({ release, findings: list }) =>
      list.map((f): [string, string] => [
        `Finding in ${release}: ${[f.id, f.object, f.path].filter(Boolean).join(' ')}`,
        f.message,
      ]),
    ),
  ]);
}
