/** STEP names the scripts as they are, and lib has no step number beside it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { STEP } from '../../lib/base/plan-steps.ts';

const ROOT = join(import.meta.dirname, '../..');

test.each(Object.entries(STEP))('%s is the script of %s', (name, id) => {
  const file = `${id}-${name.replace(/[A-Z]|\d+/g, (c) => (/\d/.test(c) ? c : `-${c.toLowerCase()}`))}.ts`;
  expect(readdirSync(join(ROOT, 'scripts'))).toContain(file);
});

test('no number of a step is a literal in the code of lib', () => {
  const found = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('.ts') && f !== 'base/plan-steps.ts')
    .flatMap((f) =>
      readFileSync(join(ROOT, 'lib', f), 'utf8')
        .split('\n')
        .filter((l) => !/^\s*(\/?\*|\/\/)/.test(l))
        .filter((l) => /runbook [1-5]\.\d\b|\bstep [1-5]\.\d\b|(?<!version: |jsonrpc: )'[1-5]\.\d'/.test(l))
        .map((l) => `${f}: ${l.trim()}`),
    );
  expect(found).toEqual([]);
});
