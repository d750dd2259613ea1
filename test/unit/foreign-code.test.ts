/** Code of the checkout and of its CLI's dependencies: what of ours it can reach. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { realRun, type Command } from '../../lib/base/command.ts';
import { Secret } from '../../lib/base/secret.ts';
import { changedPaths, cliPath, headCommit } from '../../lib/deployment/kubently/checkout.ts';
import { askCli, builtCli } from '../../lib/deployment/kubently/cli-build.ts';
import { contextOf, fakeOutside, settings, temporaryFolder } from './outside.ts';

const COMMIT = 'c'.repeat(40);

test("a checkout's own configuration runs nothing: fsmonitor, hooks", async () => {
  const repo = temporaryFolder();
  const pwned = join(temporaryFolder(), 'pwned');
  const program = join(repo, '.git', 'evil');
  const git = (...args: string[]): void => void execFileSync('git', ['-C', repo, ...args], { stdio: 'ignore' });
  git('init');
  git('-c', 'user.name=t', '-c', 'user.email=t@t.test', 'commit', '--allow-empty', '-m', 'x');
  writeFileSync(program, `#!/bin/sh\ntouch ${pwned}\n`);
  chmodSync(program, 0o755);
  git('config', 'core.fsmonitor', program);
  for (const hook of ['post-index-change', 'fsmonitor-watchman']) {
    writeFileSync(join(repo, '.git', 'hooks', hook), `#!/bin/sh\ntouch ${pwned}\n`, { mode: 0o755 });
  }
  const run = realRun({ PATH: process.env['PATH'] ?? '', HOME: temporaryFolder() });
  writeFileSync(join(repo, 'new'), '');
  expect((await headCommit(run, repo)).full).toMatch(/^[0-9a-f]{40}$/);
  expect(await changedPaths(run, repo)).toEqual(['?? new']);
  expect(existsSync(pwned)).toBe(false);
});

function world() {
  const home = temporaryFolder();
  const given = settings({ childEnvironment: { PATH: process.env['PATH'] ?? '', HOME: home } });
  mkdirSync(cliPath(given.repo), { recursive: true });
  const outside = fakeOutside({
    rows: [
      { binary: 'git', args: (a) => a.includes('rev-parse'), answer: COMMIT },
      {
        binary: 'npm',
        args: () => true,
        answer: ({ args, cwd = '' }) => {
          if (!args.includes('build')) return '';
          mkdirSync(join(cwd, 'dist'), { recursive: true });
          writeFileSync(join(cwd, 'dist', 'index.js'), '');
          return '';
        },
      },
      { binary: 'node', args: () => true, answer: 'said' },
    ],
  });
  return { home, outside, ctx: contextOf(outside, given) };
}

const homeOf = ({ env }: Command): unknown => env?.['HOME'];

test("the CLI's dependencies install no scripts; install and build see an empty home that goes", async () => {
  const { home, outside, ctx } = world();
  writeFileSync(
    join(home, '.npmrc'),
    'registry=https://mirror.test/npm/\ncafile=/ca.pem\n//mirror.test/npm/:_authToken=unit-npm-token\n',
  );
  await builtCli(ctx);
  const npm = outside.commands.filter((c) => c.binary === 'npm');
  expect(npm.map((c) => c.args)).toEqual([
    ['install', '--ignore-scripts', '--no-audit', '--no-fund'],
    ['run', 'build'],
  ]);
  for (const command of npm) {
    expect(command.foreign).toBe(true);
    expect(homeOf(command)).not.toBe(home);
    expect(existsSync(String(homeOf(command)))).toBe(false);
    expect(command.env).toEqual({
      HOME: homeOf(command),
      npm_config_registry: 'https://mirror.test/npm/',
      npm_config_cafile: '/ca.pem',
    });
  }
});

test('a registry with a password in its URL is not handed on', async () => {
  const { home, outside, ctx } = world();
  writeFileSync(join(home, '.npmrc'), 'registry=https://user:pass@mirror.test/npm/\n');
  await builtCli(ctx);
  expect(outside.commands.find((c) => c.binary === 'npm')?.env).not.toHaveProperty('npm_config_registry');
});

test('the CLI runs with the API key it needs and nothing else of ours', async () => {
  const { home, outside, ctx } = world();
  await askCli(ctx, '/cli/index.js', new Secret('unit-foreign-key-0001'), undefined, 'hello');
  const [asked] = outside.commands;
  expect(asked?.foreign).toBe(true);
  expect(Object.keys(asked?.env ?? {}).sort()).toEqual(['HOME', 'KUBENTLY_API_KEY', 'KUBENTLY_API_URL', 'NO_COLOR']);
  expect(asked && homeOf(asked)).not.toBe(home);
});
