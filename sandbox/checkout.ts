/** Lays out sandbox/kubently as the git repository that the runbook deploys in the rehearsal. */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { run } from './run.ts';
import { PATHS, STATE } from './world.ts';

const SOURCE = join(import.meta.dirname, 'kubently');
/** Names the contents that the checkout has. */
const LAID_OUT = join(STATE, 'kubently.from');

/** Author, date and configuration are fixed, so that the commit's id follows from the content alone. */
const GIT = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_AUTHOR_NAME: 'Rehearsal',
  GIT_AUTHOR_EMAIL: 'rehearsal@rehearsal.test',
  GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z',
  GIT_COMMITTER_NAME: 'Rehearsal',
  GIT_COMMITTER_EMAIL: 'rehearsal@rehearsal.test',
  GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z',
};

const isSource = (path: string) => !['node_modules', 'dist', '.git'].includes(basename(path));

/** Installs the dependencies that the images take over, where they are not those of the lock file yet. */
export async function installDependencies(folder: string): Promise<void> {
  const done = join(folder, 'node_modules', '.installed');
  const wanted = createHash('sha256')
    .update(readFileSync(join(folder, 'package-lock.json')))
    .digest('hex');
  if (existsSync(done) && readFileSync(done, 'utf8') === wanted) return;
  await run('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder });
  writeFileSync(done, wanted);
}

/** Hash of what sandbox/kubently holds. */
export function contents(): string {
  const hash = createHash('sha256');
  const files = globSync(['**/*', '**/.*'], {
    cwd: SOURCE,
    withFileTypes: true,
    exclude: (entry) => !isSource(entry.name),
  });
  const paths = files.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const path of paths.sort()) hash.update(`${relative(SOURCE, path)}\0`).update(readFileSync(path));
  return hash.digest('hex');
}

/** Makes `folder` hold what sandbox/kubently does; its installed dependencies stay. */
export function copySource(folder: string): void {
  const before = existsSync(folder) ? globSync('{*,.*}', { cwd: folder }).filter(isSource) : [];
  for (const entry of before) rmSync(join(folder, entry), { recursive: true, force: true });
  cpSync(SOURCE, folder, { recursive: true, filter: isSource });
}

/**
 * Brings PATHS.checkout to the state of sandbox/kubently, as one commit; answers its short id. A checkout that is
 * in that state is not touched: a runbook may be reading it.
 */
export async function ensureCheckout(): Promise<string> {
  mkdirSync(STATE, { recursive: true });
  const git = (...args: string[]) => run('git', ['-C', PATHS.checkout, ...args], { env: GIT });
  const wanted = contents();
  const laidOut = existsSync(LAID_OUT) && readFileSync(LAID_OUT, 'utf8') === wanted;
  if (!laidOut || (await git('status', '--porcelain').catch(() => 'broken')) !== '') {
    rmSync(join(PATHS.checkout, '.git'), { recursive: true, force: true });
    copySource(PATHS.checkout);
    await installDependencies(PATHS.checkout);
    await git('init', '--quiet', '--initial-branch=main', '--template=');
    await git('add', '--all');
    // An image is built of what is committed alone, and its Dockerfile takes the dependencies over.
    await git('add', '--force', 'node_modules');
    await git('commit', '--quiet', '--no-verify', '--message=Kubently, as the rehearsal deploys it');
    writeFileSync(LAID_OUT, wanted);
  }
  return (await git('rev-parse', '--short', 'HEAD')).trim();
}
