/** The commit of the runbook's own checkout. */
import { join } from 'node:path';
import { outputNow } from '../base/command.ts';

/** The first seven characters at HEAD; `unknown` where the folder is no checkout. */
export function ownCommit(root: string): string {
  // By its own .git: a checkout around the folder is not the runbook's, nor one that the shell's GIT_DIR names.
  return outputNow('git', [`--git-dir=${join(root, '.git')}`, 'rev-parse', '--short=7', 'HEAD']) ?? 'unknown';
}
