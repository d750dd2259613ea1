/** The runbook's own commit, as git itself says it. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ownCommit } from '../../lib/runner/own-commit.ts';
import { temporaryFolder } from './outside.ts';

const git = (folder: string, ...args: string[]): string =>
  execFileSync('git', ['-C', folder, '-c', 'user.name=unit', '-c', 'user.email=unit@example.com', ...args], {
    encoding: 'utf8',
  }).trim();

test.each([
  ['a branch', []],
  ['packed refs', [['pack-refs', '--all']]],
  ['a detached HEAD', [['checkout', '--quiet', '--detach']]],
])('%s', (_, commands: string[][]) => {
  const root = temporaryFolder();
  git(root, 'init', '--quiet');
  git(root, 'commit', '--quiet', '--allow-empty', '--message=unit');
  for (const command of commands) git(root, ...command);
  expect(ownCommit(root)).toBe(git(root, 'rev-parse', 'HEAD').slice(0, 7));
});

test('a worktree', () => {
  const root = temporaryFolder();
  git(root, 'init', '--quiet');
  git(root, 'commit', '--quiet', '--allow-empty', '--message=unit');
  const other = join(temporaryFolder(), 'other');
  git(root, 'worktree', 'add', '--quiet', '-b', 'other', other);
  expect(ownCommit(other)).toBe(git(other, 'rev-parse', 'HEAD').slice(0, 7));
});

test('no checkout', () => {
  expect(ownCommit(temporaryFolder())).toBe('unknown');
});
