/** What the program writes to standard error when it is started as an operator starts it. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../../lib/base/paths.ts';
import { temporaryFolder } from './outside.ts';
import { writeSettings } from './settings-file.ts';

function stderrOf(args: string[], env: Record<string, string>): string {
  const { stderr } = spawnSync(process.execPath, args, { cwd: ROOT, env, encoding: 'utf8' });
  return stderr;
}

test('a refusal spells out what would steer the terminal', () => {
  const said = stderrOf(['scripts/program.ts', 'status'], { ENV_FILE: '/no\x1b]0;such\x07/file' });
  expect(said).toContain('/no\\u001b]0;such\\u0007/file: there is no such settings file');
});

test("a wrong option is told in the same way, by the command line's own parser", () => {
  expect(stderrOf(['scripts/program.ts', '--\x1b[2J'], {})).toContain("error: unknown option '--\\u001b[2J'\n");
});

test('a command’s wrong option too', () => {
  expect(stderrOf(['scripts/program.ts', 'status', '--\x1b[2J'], {})).toContain("unknown option '--\\u001b[2J'");
});

test('an error that nobody caught is scrubbed of secrets too', () => {
  const file = join(temporaryFolder(), 'throws.ts');
  writeFileSync(
    file,
    `import { Secret } from '${ROOT}/lib/base/secret.ts';
     import { runProgram } from '${ROOT}/scripts/program.ts';
     import { Command } from '${ROOT}/node_modules/commander/index.js';
     const key = new Secret('unit-uncaught-secret-0001');
     await runProgram(new Command().action(() => new Promise(() => {
       setTimeout(() => { throw new Error('with ' + key.reveal() + ' \\x1b[2J'); });
     })), []);`,
  );
  const said = stderrOf([file], {});
  expect(said).toContain('with [REDACTED] \\u001b[2J');
  expect(said).not.toContain('0001');
});

test('settings: a value is repeated without its control characters', () => {
  const file = join(temporaryFolder(), '.env');
  writeSettings(file, { API_HOST: '"evil\x1b[2J.io"' });
  const said = stderrOf(['scripts/program.ts', 'status'], { ENV_FILE: file });
  expect(said).toContain('API_HOST: "evil\\u001b[2J.io"');
});
