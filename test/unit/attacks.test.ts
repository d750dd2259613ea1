/** The attacks of docs/security.md: each has its test, and `make test-attacks` runs it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../../lib/base/paths.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const rows = [...read('docs/security.md').matchAll(/^\| (.{1,300}) \| `([a-z0-9./-]{1,40})`: (.{1,100}?) +\|$/gm)];
const attacked = /^ATTACKED := (.*)$/m.exec(read('Makefile'))?.[1]?.split(' ') ?? [];

test('there are at least 60', () => {
  expect(rows.length).toBeGreaterThanOrEqual(60);
});

test.each(rows.map(([, attack = '', file = '', title = '']) => [attack, file, title] as const))(
  '%s',
  (_, file, title) => {
    expect(attacked).toContain(file);
    expect(read(`test/unit/${file}.test.ts`)).toContain(title);
  },
);
