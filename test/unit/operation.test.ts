/** What the journal calls an operation. */
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { commandOf } from '../../scripts/operation.ts';

test('the command as make is told: what was given, not what is the default', () => {
  const program = new Command('logs')
    .option('--what <what>')
    .option('--tail <n>', '', '100')
    .option('--json')
    .option('--no-follow');
  program.parse(['--what', 'api', '--json', '--no-follow'], { from: 'user' });
  expect(commandOf(program)).toBe('logs WHAT=api JSON=1 FOLLOW=0');
  expect(commandOf(new Command('backup'))).toBe('backup');
});
