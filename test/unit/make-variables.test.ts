/** What stands on make's command line reaches the program as it is: one word for the shell, whatever is in it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync, copyFileSync, chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { valuesShape } from '../../lib/settings/settings-table.ts';
import { temporaryFolder } from './outside.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The words after the script that make starts, with a Node and a ./runbook that only print them. */
function started(...words: string[]): string[] {
  const folder = temporaryFolder();
  copyFileSync(join(ROOT, 'Makefile'), join(folder, 'Makefile'));
  mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true });
  for (const name of ['node_modules/.bin/node', 'runbook']) {
    writeFileSync(join(folder, name), '#!/bin/sh\nfor word; do printf "%s\\0" "$word"; done\n');
    chmodSync(join(folder, name), 0o755);
  }
  symlinkSync(join(ROOT, '.env.example'), join(folder, '.env.example'));
  writeFileSync(join(folder, 'package-lock.json'), '');
  const args = ['--no-print-directory', '-o', 'tools', '-o', 'install', '-o', 'node_modules/.installed', ...words];
  const { stdout, stderr } = spawnSync('make', args, { cwd: folder, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(existsSync(join(folder, 'pwned'))).toBe(false);
  return stdout.split('\0').slice(0, -1);
}

test.each([
  '',
  'two words',
  "it's",
  '$(touch pwned)',
  '`touch pwned`',
  '; touch pwned',
  '"',
  '$$HOME',
  '#x',
  '*',
  '\\',
])('WHAT=%j', (value) => {
  expect(started('logs', `WHAT=${value}`, 'TAIL=3')).toEqual(expect.arrayContaining([`--what=${value}`, '--tail=3']));
  expect(started('deploy', `FROM=${value}`)).toContain(`--from=${value}`);
});

test.each(['ONY=2.3', 'only=2.3', 'JSN=1'])('%s is refused: a misspelt option never widens a run', (word) => {
  const { status, stderr, stdout } = spawnSync('make', ['--no-print-directory', 'phase2', word], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(`${word.split('=')[0] ?? ''}: unknown option; there are FROM UNTIL ONLY`);
});

test('every setting may stand on the command line', () => {
  const options = /^OPTIONS := ((?:.*\\\n)*.*)$/m.exec(readFileSync(join(ROOT, 'Makefile'), 'utf8'))?.[1] ?? '';
  const plain = Object.keys(valuesShape.shape).filter((name) => !name.includes('_'));
  expect(options.split(/[\s\\]+/)).toEqual(expect.arrayContaining(plain));
});
