/** Every command of the program: its help with an example, what it refuses, and the exit status of each ending. */
import { Command } from 'commander';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BadInput, Failure, TimedOut } from '../../lib/base/failure.ts';
import { Declined } from '../../lib/runner/confirm.ts';
import { Locked } from '../../lib/runner/lock.ts';
import { Stopped } from '../../lib/runner/stop.ts';
import { runbookProgram } from '../../scripts/commands.ts';
import { main, runProgram } from '../../scripts/program.ts';
import { writeSettings } from './settings-file.ts';
import { temporaryFolder } from './outside.ts';
import { join } from 'node:path';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
let said: string;

beforeEach(() => {
  said = '';
  const write = (text: string | Uint8Array): boolean => {
    said += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(write);
  vi.spyOn(process.stderr, 'write').mockImplementation(write);
  vi.spyOn(console, 'error').mockImplementation((text: string) => void write(`${text}\n`));
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  SIGNALS.forEach((signal) => process.removeAllListeners(signal));
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners('error');
  process.exitCode = undefined;
});

/** The exit status of a command line. */
async function status(...argv: string[]): Promise<number> {
  process.exitCode = undefined;
  await main(argv);
  return typeof process.exitCode === 'number' ? process.exitCode : 0;
}

const NAMES = runbookProgram().commands.map((c) => c.name());

test('the program does what make does', () => {
  const wanted =
    'deploy phase1 phase2 phase3 phase4 phase5 step plan status verify readiness doctor history logs tmux rotate rollback remove backup restore drill report iac gitops lint-chart render document completion';
  expect(NAMES.sort()).toEqual(wanted.split(' ').sort());
});

test.each(NAMES)('%s: help with an example (0), an unknown flag and a word too many (2)', async (name) => {
  expect(await status(name, '--help')).toBe(0);
  expect(said).toMatch(new RegExp(`Usage: runbook ${name}[^]*Example: \\./runbook `));
  expect(await status(name, ...(name === 'step' ? ['2.3'] : name === 'completion' ? ['bash'] : []), '--force')).toBe(2);
  expect(said).toContain("unknown option '--force'");
  expect(await status(name, 'bash', 'word')).toBe(2);
});

test.each([
  ['--help', 0, 'Example'],
  ['--version', 0, 'runbook 0.1.0, commit '],
  ['', 2, 'Usage: runbook'],
  ['deplyo', 2, 'Did you mean deploy?'],
  ['stauts', 2, 'Did you mean status?'],
  ['rotate --waht redis', 2, 'Did you mean --what?'],
  ['status --from 2.3', 2, "unknown option '--from'"],
  ['verify --until 2.3', 2, "unknown option '--until'"],
  ['rollback --json', 2, "unknown option '--json'"],
  ['2.3 --what api', 2, "unknown option '--what'"],
  ['deploy --json', 2, '--json: does not go with deploy'],
  ['9.9', 2, '9.9: unknown step'],
  ['2.3.1', 2, '2.3.1: unknown step'],
  ['deploy --from 2.5 --until 2.3', 2, 'FROM 2.5 comes after UNTIL 2.3'],
  ['status --only 9.9', 2, 'ONLY: unknown step "9.9"'],
  ['verify --only 14', 2, 'ONLY: unknown criterion 14'],
  ['history --last 0', 2, 'LAST: "0" is not a count'],
  ['logs --tail many', 2, 'TAIL: "many" is not a count'],
  ['logs --what=', 2, 'WHAT: "" is no log'],
  ['rotate', 2, 'WHAT: '],
  ['rollback --to x', 2, 'TO: "x" is no revision'],
  ['remove --keep all', 2, 'KEEP: all cannot be kept'],
  ['restore', 2, 'BACKUP_IDENTITY: is not set'],
  ['backup', 2, 'BACKUP_RECIPIENT: is not set'],
  ['report --out /proc/x', 2, 'OUT: /proc/x lies among devices'],
  ['document --out /', 2, 'OUT: / is a folder'],
  ['render', 2, 'OUT: is not given'],
  ['gitops --out x', 2, 'ENGINE: is not given'],
  ['gitops --out x --engine helm', 2, 'ENGINE: "helm" is no engine'],
  ['gitops --engine flux', 2, 'OUT: is not given'],
  ['gitops --engine flux --out /proc/x', 2, 'OUT: /proc/x lies among devices'],
  ['iac', 2, 'OUT: is not given'],
  ['iac --out /proc/x', 2, 'OUT: /proc/x lies among devices'],
  ['completion tcsh', 2, 'Allowed choices are bash, zsh, fish'],
  ['scripts/ops/rotate.ts', 2, 'WHAT: '],
  ['scripts/criteria/01-zone-delegated.ts --only x', 2, 'ONLY: unknown criterion x'],
  ['scripts/2.3-secrets.ts --only 2.1', 2, 'it has 2.3'],
])('./runbook %s: status %i', async (line, expected, words) => {
  const file = join(temporaryFolder(), '.env');
  writeSettings(file);
  vi.stubEnv('ENV_FILE', file);
  expect(await status(...line.split(' ').filter(Boolean)), said).toBe(expected);
  if (words !== 'Example') expect(said).toContain(words);
  expect(said).not.toMatch(/\n {4}at /);
});

test.each([
  'deploy',
  'phase1',
  '2.3',
  'plan',
  'status',
  'verify',
  'doctor',
  'logs',
  'rotate --what redis',
  'rollback',
  'remove',
  'backup',
  'restore',
  'report',
  'iac --out x',
  'gitops --out x --engine flux',
  'document',
  'tmux',
])('./runbook %s without a settings file: status 2', async (line) => {
  vi.stubEnv('ENV_FILE', '/nonexistent');
  expect(await status(...line.split(' ')), said).toBe(2);
  expect(said).toContain('/nonexistent: there is no such settings file');
});

const locked = Object.assign(Object.create(Locked.prototype) as Locked, { parts: { what: 'held' } });
const refused = new BadInput([{ about: 'A', message: 'm', remedy: 'r' }]);
test.each<[string, () => Promise<number>, number]>([
  ['done', () => Promise.resolve(0), 0],
  ['failed', () => Promise.resolve(1), 1],
  ['something to do', () => Promise.resolve(3), 3],
  ['unproven', () => Promise.resolve(4), 4],
  ['a failure', () => Promise.reject(new Failure({ what: 'w' })), 1],
  ['a wait that ran out', () => Promise.reject(new TimedOut({ what: 'w' })), 1],
  ['a fault of the program', () => Promise.reject(new TypeError('t')), 1],
  ['bad input', () => Promise.reject(refused), 2],
  ['declined', () => Promise.reject(new Declined(2)), 2],
  ['declined by Ctrl-C', () => Promise.reject(new Declined(130)), 130],
  ['the lock is held', () => Promise.reject(locked), 5],
  ['SIGTERM', () => Promise.reject(new Stopped({ what: 'w' }, 143)), 143],
  ['SIGHUP', () => Promise.reject(new Stopped({ what: 'w' }, 129)), 129],
])('%s', async (_, work, expected) => {
  const program = new Command('x').action(async () => {
    process.exitCode = await work();
  });
  await runProgram(program, []);
  expect(process.exitCode).toBe(expected);
});
