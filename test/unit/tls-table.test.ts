/** The table of TLS cases in docs/security.md: whole, numbered through, and with every kind of case in it. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { table, withTable } from '../tls/table.ts';

const DOCUMENT = readFileSync(resolve(import.meta.dirname, '../../docs/security.md'), 'utf8');
const ROWS = DOCUMENT.split('\n').filter((line) => /^\| \d+ \|/.test(line));

test('at least 40 cases, numbered through, each as expected', () => {
  expect(ROWS.length).toBeGreaterThanOrEqual(40);
  expect(ROWS.map((row) => Number(row.split('|')[1]))).toEqual(ROWS.map((_, i) => i + 1));
  expect(ROWS.filter((row) => row.includes('not as expected'))).toEqual([]);
});

test.each([
  /wrong host/,
  /expired/,
  /not yet valid/,
  /self-signed/,
  /unknown CA/,
  /wrong key/,
  /SHA-1/,
  /1024-bit/,
  /TLS 1\.0 only/,
  /TLS 1\.1 only/,
  /plain http to port 443/,
  /TLS to port 80/,
  /missing intermediate/,
  /wildcard/,
  /pinned CA key/,
  /CA changed/,
  /renewed under a running executor/,
  /proxy in between/,
  /verification off: warned/,
  /verification off in production/,
])('there is a case of %s', (kind) => {
  expect(ROWS.find((row) => kind.test(row))).toBeDefined();
});

test('a new table takes the place of the old one, and nothing else is touched', () => {
  const text = table([
    { title: 'One', cases: [{ name: 'a|b', expected: 'x', seen: 'x' }] },
    { title: 'Two', cases: [{ name: 'c', expected: 'x', seen: 'y', passed: false }] },
  ]);
  expect(text).toContain('| 1 | a\\|b | x | x |');
  expect(text).toContain('| 2 | c | x | **not as expected** y |');
  const once = withTable(DOCUMENT, text);
  expect(once).toContain(text);
  expect(withTable(withTable(once, 'other\n'), text)).toBe(once);
  expect(once.slice(0, 200)).toBe(DOCUMENT.slice(0, 200));
  expect(once.match(/prettier-ignore-end/g)).toHaveLength(1);
  expect(() => withTable('no place', text)).toThrow('no place');
});
