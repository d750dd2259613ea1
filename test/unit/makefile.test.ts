/** make hands over what stands on its command line word for word: neither make nor its shell acts on it. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { ROOT } from '../../lib/base/paths.ts';
import { temporaryFolder } from './outside.ts';

const FOLDER = temporaryFolder();
/** In place of the program: shows each argument. */
const STUB = join(FOLDER, 'stub');
/** Made by whatever acts on a value. */
const PWNED = join(FOLDER, 'pwned');

beforeAll(() => {
  writeFileSync(STUB, `#!/bin/sh\nfor a; do printf '[%s]' "$a"; done\nprintf '{%s|%s}' "$ENV_FILE" "$SHORT"\n`);
  chmodSync(STUB, 0o755);
});

/** What the target's recipe starts, with its arguments. */
function started(target: string, given: readonly string[], env: Record<string, string> = {}): string {
  const old = ['tools', 'install', 'sandbox', 'node_modules/.installed'].flatMap((name) => ['-o', name]);
  const own = { PATH: process.env['PATH'] ?? '', ...env };
  const made = spawnSync('make', ['-n', ...old, target, ...given], { cwd: ROOT, env: own, encoding: 'utf8' });
  const recipe = made.stdout.replaceAll('node_modules/.bin/node', STUB).replaceAll('./runbook', STUB);
  const { stdout } = spawnSync('sh', ['-c', recipe], { cwd: FOLDER, env: own, encoding: 'utf8' });
  return stdout;
}

const FLAGS: [target: string, variable: string, flag: string][] = [
  ...['deploy', 'phase1', 'phase2', 'phase3', 'phase4', 'plan'].flatMap((target): [string, string, string][] =>
    ['FROM', 'UNTIL', 'ONLY', 'WAIT'].map((v) => [target, v, v.toLowerCase()]),
  ),
  ['history', 'LAST', 'last'],
  ['render', 'OUT', 'out'],
  ['iac', 'OUT', 'out'],
  ['gitops', 'OUT', 'out'],
  ['gitops', 'ENGINE', 'engine'],
  ['runbook-doc', 'OUT', 'out'],
  ['rollback', 'TO', 'to'],
  ['rollback', 'YES', 'yes'],
  ['remove', 'KEEP', 'keep'],
  ['remove', 'YES', 'yes'],
  ['rotate', 'WHAT', 'what'],
  ['backup', 'OUT', 'out'],
  ['restore', 'BACKUP', 'backup'],
  ['restore', 'YES', 'yes'],
  ['restore', 'UNSIGNED', 'unsigned'],
  ['logs', 'WHAT', 'what'],
  ['logs', 'TAIL', 'tail'],
  ['report', 'OUT', 'out'],
  ['bench', 'PART', 'part'],
  ['bench', 'SIZES', 'sizes'],
];

test.each(FLAGS)('%s %s: what a shell or make would act upon arrives as it was given', (target, variable, flag) => {
  const values = [
    `1; touch ${PWNED}`,
    `$(shell touch ${PWNED})`,
    `\`touch ${PWNED}\` $(touch ${PWNED}) $HOME "it's" \\ *`,
  ];
  for (const value of values) {
    expect(started(target, [`${variable}=${value}`])).toContain(`[--${flag}=${value}]`);
    expect(existsSync(PWNED)).toBe(false);
  }
});

/** Runs a recipe of its own, since a dry run shows neither the environment nor what is a line to make. */
function shown(args: readonly string[], env: Record<string, string> = {}) {
  const makefile = join(FOLDER, 'Makefile');
  writeFileSync(makefile, `include ${ROOT}/Makefile\nshown:\n\t@${STUB} --short $(call quoted,$(SHORT))\n`);
  const own = { PATH: process.env['PATH'] ?? '', ...env };
  return spawnSync('make', ['-s', '-f', makefile, 'shown', ...args], { cwd: FOLDER, env: own, encoding: 'utf8' });
}

test('ENV_FILE and SHORT reach the program through the environment as they were given', () => {
  const value = `x$(shell touch ${PWNED}) ; touch ${PWNED}`;
  const answer = `[--short][${value}]{${value}|${value}}`;
  expect(shown([`ENV_FILE=${value}`, `SHORT=${value}`]).stdout).toBe(answer);
  expect(shown([`SHORT=${value}`], { ENV_FILE: value }).stdout).toBe(answer);
  expect(existsSync(PWNED)).toBe(false);
});

test('a line feed in a value starts no second command', () => {
  const { status, stdout } = shown([`SHORT=1\ntouch ${PWNED} #`]);
  expect([status, stdout]).toEqual([2, '']);
  expect(existsSync(PWNED)).toBe(false);
});

test('FOLLOW=0, JSON=1 and what is not given', () => {
  expect(started('logs', ['FOLLOW=0'])).toContain('[logs][--no-follow]');
  expect(started('logs', [], { FOLLOW: '0', TAIL: '9' })).toContain('[logs]{');
  expect(started('status', ['JSON=1'])).toContain('[status][--json]');
  expect(started('history', [], { LAST: '9' })).not.toContain('--last');
});
