/** The commit of the runbook's own checkout, read from its files: a git process at each start would cost more than that. */
import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The first seven characters at HEAD; `unknown` where the folder is no checkout. */
export function ownCommit(root: string): string {
  try {
    const git = gitFolder(root);
    const head = readFileSync(join(git, 'HEAD'), 'utf8').trim();
    const ref = /^ref: (.+)$/.exec(head)?.[1];
    return (ref === undefined ? head : commitAt(git, ref)).slice(0, 7);
  } catch {
    return 'unknown';
  }
}

/** `.git`, or where a worktree's file of that name points. */
function gitFolder(root: string): string {
  const path = join(root, '.git');
  if (statSync(path).isDirectory()) return path;
  return resolve(
    root,
    readFileSync(path, 'utf8')
      .replace(/^gitdir: /, '')
      .trim(),
  );
}

function commitAt(git: string, ref: string): string {
  const common = resolve(git, readIfThere(join(git, 'commondir'))?.trim() ?? '.');
  const loose = readIfThere(join(common, ref));
  if (loose !== undefined) return loose.trim();
  const packed = readFileSync(join(common, 'packed-refs'), 'utf8').split('\n');
  return packed.find((line) => line.endsWith(` ${ref}`)) ?? 'unknown';
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
