/** Every command of ours that a message names is one that there is, and holds ENV_FILE. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { BadInput, explain, Failure } from '../../lib/base/failure.ts';
import { withSettingsFile } from '../../lib/base/next-command.ts';
import { STEP } from '../../lib/base/plan-steps.ts';
import { runbookProgram } from '../../scripts/commands.ts';
import { EVERY_STEP } from '../../scripts/steps.ts';

const ROOT = join(import.meta.dirname, '../..');
afterEach(() => vi.unstubAllEnvs());

test.each([
  ['make status', 'make status ENV_FILE=other.env'],
  [
    'make status; make deploy goes forward',
    'make status ENV_FILE=other.env; make deploy ENV_FILE=other.env goes forward',
  ],
  ['make logs WHAT=remote:a TAIL=3', 'make logs WHAT=remote:a TAIL=3 ENV_FILE=other.env'],
  ["make restore BACKUP='/a b/c'", "make restore BACKUP='/a b/c' ENV_FILE=other.env"],
  ['./runbook 2.3 && ./runbook 2.5', 'ENV_FILE=other.env ./runbook 2.3 && ENV_FILE=other.env ./runbook 2.5'],
  ['make tools installs it', 'make tools installs it'],
  ['make status ENV_FILE=x', 'make status ENV_FILE=x'],
])('%s', (text, expected) => {
  expect(withSettingsFile(text, 'other.env')).toBe(expected);
  expect(withSettingsFile(withSettingsFile(text, 'other.env'), 'other.env')).toBe(expected);
  expect(withSettingsFile(text, '.env')).toBe(text);
  expect(withSettingsFile(text, '')).toBe(text);
});

test('a failure’s next step and a remedy hold it too; a path with blanks is one word', () => {
  vi.stubEnv('ENV_FILE', '/srv/my settings/.env');
  const file = "ENV_FILE='/srv/my settings/.env'";
  expect(explain(new Failure({ what: 'w', next: './runbook 2.5' }))).toContain(`${file} ./runbook 2.5`);
  const refused = new BadInput([{ about: 'A', message: 'm', remedy: 'make rotate WHAT=redis' }]);
  expect(explain(refused)).toContain(`make rotate WHAT=redis ${file}`);
});

test('every command that a message of ours names exists', () => {
  const targets = [...readFileSync(join(ROOT, 'Makefile'), 'utf8').matchAll(/^([a-z0-9-]+):/gm)].map(([, t]) => t);
  const commands = [...runbookProgram().commands.map((c) => c.name()), ...EVERY_STEP.map((s) => s.id)];
  const steps: Record<string, string> = STEP;
  for (const folder of ['lib', 'scripts'])
    for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue;
      const text = readFileSync(join(ROOT, folder, name), 'utf8');
      for (const [, words = ''] of text.matchAll(/(?:next|remedy): ['`](.*)['`]/g)) {
        for (const [, target] of words.matchAll(/(?:^|[ ;])make ([a-z0-9-]+)/g))
          if (!['a', 'it', 'one', 'sure', 'the'].includes(target ?? ''))
            expect(targets, `${name}: ${words}`).toContain(target);
        for (const [, command = ''] of words.matchAll(/\.\/runbook (\$\{STEP\.\w+\}|[\w.-]+)/g))
          expect(commands, `${name}: ${words}`).toContain(steps[/STEP\.(\w+)/.exec(command)?.[1] ?? ''] ?? command);
      }
    }
});
