/** docs/architecture.md's table of the plan's commands: what it names stands in the script that it names. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../../lib/base/paths.ts';
import { STEPS } from '../../scripts/steps.ts';

const text = readFileSync(join(ROOT, 'docs', 'architecture.md'), 'utf8');
const table = text.slice(text.indexOf('## The plan, line by line'));
const rows = [...table.matchAll(/^\| ([\w.]+) +\| (.+?) +\| (.*?) +\| (.+?) +\|$/gm)]
  .map(([, plan = '', command = '', script = '', how = '']) => ({ plan, command, script: inCode(script), how }))
  .filter(({ plan }) => plan !== 'plan');

/** What stands between backticks; a double pair holds single ones. */
function inCode(cell: string): string {
  const [, double, single] = /`` (.+?) ``|`([^`]+)`/.exec(cell) ?? [];
  return double ?? single ?? '';
}

test('every step of the plan is in the table', () => {
  expect([...new Set(rows.map((r) => r.plan))]).toEqual([...STEPS.map((s) => s.id), 'operations']);
});

test.each(rows.filter((r) => r.script !== ''))('$plan $command: stands in $script', ({ script, how }) => {
  const named = inCode(how);
  expect(named).not.toBe('');
  // Prettier may break a line: white space counts as one blank.
  const source = readFileSync(join(ROOT, 'scripts', script), 'utf8')
    .replace(/\s+/g, ' ')
    .replaceAll('` ', '`');
  expect(source).toContain(named.trim());
});

test.each(rows.filter((r) => r.script === ''))('$plan $command: not run, and the reason why', ({ how }) => {
  expect(how).toMatch(/^not run: .{10,}/);
});

test('every script of a step of the plan is in the table', () => {
  const scripts = readdirSync(join(ROOT, 'scripts')).filter((f) => /^[1-4]\./.test(f));
  expect(scripts.filter((s) => !rows.some((r) => r.script === s))).toEqual([]);
});
