/** CONTRIBUTING.md, "Add a step": every step of the plan is in every file that the recipe names. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { STEPS } from '../../scripts/steps.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const scripts = readdirSync(join(ROOT, 'scripts'));
const tests = readdirSync(join(ROOT, 'test/unit/steps')).map((f) => read(`test/unit/steps/${f}`));

const [, recipe = ''] = /## Add a step\n([\s\S]*?)\n## /.exec(read('CONTRIBUTING.md')) ?? [];
const named = [...recipe.matchAll(/`([\w./-]+\.(?:ts|md))`/g)].map(([, path = '']) => path);

test('the recipe names files that are there', () => {
  expect(named.length).toBeGreaterThan(5);
  const missing = named.filter((path) => !path.includes('N.M') && !existsSync(join(ROOT, path)));
  expect(missing).toEqual([]);
});

test.each(STEPS.map((s) => s.id))('step %s is in each of them', (id) => {
  const script = scripts.find((f) => f.startsWith(`${id}-`)) ?? '';
  expect(named).toContain('scripts/N.M-name.ts');
  expect(read(`scripts/${script}`)).toMatch(/void runAlone\(import\.meta\);\n$/);
  expect(named).toContain('scripts/steps.ts');
  expect(read('scripts/steps.ts')).toContain(`./${script}`);
  expect(named).toContain('test/unit/steps/N.M.test.ts');
  expect(tests.some((text) => text.includes(`scripts/${script}`))).toBe(true);
  expect(named).toContain('docs/architecture.md');
  expect(read('docs/architecture.md')).toContain(`\`${script}\``);
});
