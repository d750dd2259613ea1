/** docs/compliance.md names evidence that exists: lines of make readiness, criteria, make's targets. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../../lib/base/paths.ts';
import { LINES } from '../../lib/operations/readiness/readiness.ts';
import { CRITERIA } from '../../scripts/criteria/criteria.ts';

const text = readFileSync(join(ROOT, 'docs', 'compliance.md'), 'utf8');
const named = (pattern: RegExp): string[] => [...new Set([...text.matchAll(pattern)].map(([, name]) => name ?? ''))];

test('every line that is named is one of make readiness, and all of them are named but those that repeat another', () => {
  const ids = LINES.map((l) => l.id);
  const lines = named(/\bline (N?\d+)\b/g);
  expect(lines.filter((id) => !ids.includes(id))).toEqual([]);
  // 17 is the page itself; N1 to N4 and N6 repeat 1, 5, 12, 10 and 15.
  expect(ids.filter((id) => !lines.includes(id))).toEqual(['17', 'N1', 'N2', 'N3', 'N4', 'N6']);
});

test('criteria and targets exist', () => {
  expect(named(/\bcriterion (\d+)\b/g).filter((n) => !CRITERIA.some((c) => String(c.number) === n))).toEqual([]);
  const makefile = readFileSync(join(ROOT, 'Makefile'), 'utf8');
  expect(named(/`make ([a-z-]+)/g).filter((target) => !makefile.includes(`\n${target}:`))).toEqual([]);
});
