/** The Kubently checkout: its commit is what gets built and deployed. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Run } from '../../base/command.ts';
import { Failure } from '../../base/failure.ts';
import { isCommit } from '../../base/outside-names.ts';
import { oneLine } from '../../base/say.ts';
import { commandTag, type Tag } from '../../base/tag.ts';
import { underway } from '../../base/underway.ts';

export interface Commit {
  /** All 40 characters: the images' revision label. */
  full: string;
  /** What the plan tags the images with. */
  short: string;
}

export const IMAGES = ['api', 'executor'] as const;

/** Where the chart lies in a checkout (plan step 2.5). */
export function chartPath(repo: string): string {
  return join(repo, 'deployment', 'helm', 'kubently');
}

/** Where an image's Dockerfile lies (plan step 2.2). */
export function dockerfile(image: (typeof IMAGES)[number]): string {
  return join('deployment', 'docker', image, 'Dockerfile');
}

/** The CLI's source (plan step 4.2). */
export function cliPath(repo: string): string {
  return join(repo, 'kubently-cli', 'nodejs');
}

/** What a checkout's own configuration would have git run. */
const NOTHING_OF_ITS_OWN = {
  GIT_CONFIG_COUNT: '2',
  GIT_CONFIG_KEY_0: 'core.fsmonitor',
  GIT_CONFIG_VALUE_0: 'false',
  GIT_CONFIG_KEY_1: 'core.hooksPath',
  GIT_CONFIG_VALUE_1: '/dev/null',
};

/** git's command tag in a checkout, for reads. */
function git(run: Run, repo: string): Tag<Promise<string>> {
  return commandTag(
    async (args) =>
      (await run({ binary: 'git', args: ['-C', repo, ...args], env: NOTHING_OF_ITS_OWN, mutates: false })).stdout,
  );
}

/** The commit at HEAD. @throws CommandFailed where it is no git checkout */
export function headCommit(run: Run, repo: string): Promise<Commit> {
  return underway(asked, repo, async () => {
    const full = (await git(run, repo)`rev-parse HEAD`).trim();
    if (!isCommit(full))
      throw new Failure({
        what: `${repo}: git names no commit`,
        found: oneLine(full, 80),
        next: `git -C ${repo} status`,
      });
    return { full, short: full.slice(0, 7) };
  });
}

/** Where the checkout comes from (remote `origin`). @throws CommandFailed where it has no such remote */
export async function originOf(run: Run, repo: string): Promise<string> {
  return (await git(run, repo)`remote get-url origin`).trim();
}

/** Every step of a look asks at the same moment. */
const asked = new Map<string, Promise<Commit>>();

/** Does the work in a folder that holds what the commit holds and nothing else: no file that git ignores or does not know. @throws CommandFailed */
export async function withCommitted<T>(
  run: Run,
  repo: string,
  commit: Commit,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'kubently-runbook-commit-'));
  const source = join(folder, 'source');
  try {
    await mkdir(source);
    // An index of its own: the checkout's stays as it is.
    const env = { ...NOTHING_OF_ITS_OWN, GIT_INDEX_FILE: join(folder, 'index'), GIT_WORK_TREE: source };
    const args = ['-C', repo, 'checkout', '--quiet', commit.full, '--', '.'];
    await run({ binary: 'git', args, env, mutates: true });
    return await work(source);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Paths that differ from the commit; none when the checkout is clean. */
export async function changedPaths(run: Run, repo: string): Promise<string[]> {
  const changed = await git(run, repo)`status --porcelain`;
  return changed.split('\n').filter((line) => line !== '');
}

/** What the checkout lacks for a deployment, as paths. */
export function missingFiles(repo: string): string[] {
  const wanted = [
    join(chartPath(repo), 'Chart.yaml'),
    ...IMAGES.map((i) => join(repo, dockerfile(i))),
    join(cliPath(repo), 'package.json'),
  ];
  return wanted.filter((path) => !existsSync(path));
}
