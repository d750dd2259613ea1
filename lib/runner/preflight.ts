/** The preflight: everything that must be there before the first change, all problems at once (docs/architecture.md rule 6). */
import { ownCertificateProblems } from '../deployment/certificates/own-certificate.ts';
import { changedPaths, missingFiles } from '../deployment/kubently/checkout.ts';
import type { Context } from '../context.ts';
import { CommandFailed } from '../base/command.ts';
import { explain, type Problem } from '../base/failure.ts';
import { joinedLines } from '../base/say.ts';
import { shellWord } from '../base/shell-word.ts';
import { clusterProblems } from './cluster-problems.ts';
import { projectProblems } from './project-problems.ts';
import { toolProblems } from './tool-versions.ts';

/**
 * All problems found; none means that the deployment can start. Reads only.
 * @param tools `as kept`: a tool whose file is still the one that was asked is not asked again
 */
export async function preflight(ctx: Context, tools: 'asked' | 'as kept'): Promise<Problem[]> {
  const found = await Promise.all([toolProblems(ctx, tools), unreached(ctx), checkout(ctx)]);
  return [...found.flat(), ...ownCertificateProblems(ctx.settings, ctx.clock.now())];
}

/** Why the project or a cluster cannot be read: one cause in place of each step's own words. Reads only. */
export async function unreached(ctx: Context): Promise<Problem[]> {
  return (await Promise.all([projectProblems(ctx), clusterProblems(ctx)])).flat();
}

async function checkout({ run, settings }: Context): Promise<Problem[]> {
  const { repo } = settings;
  const missing = missingFiles(repo);
  if (missing.length > 0)
    return [
      {
        about: 'KUBENTLY_REPO',
        message: `"${repo}" is no checkout of Kubently: it lacks ${missing.join(', ')}`,
        remedy: 'git clone https://github.com/kubently/kubently, and name the folder',
      },
    ];
  try {
    const changed = await changedPaths(run, repo);
    if (changed.length === 0) return [];
    return [
      {
        about: 'KUBENTLY_REPO',
        message: `"${repo}" has ${changed.length} uncommitted changes (${changed[0]?.trim() ?? ''}…): the images would not be its commit`,
        remedy: 'commit or stash them',
      },
    ];
  } catch (error) {
    return [unreadable(repo, error)];
  }
}

/** Why git does not say what the checkout's commit is. */
function unreadable(repo: string, error: unknown): Problem {
  const said = error instanceof CommandFailed ? error.stderr : explain(error);
  const words = joinedLines(said, 400);
  const about = 'KUBENTLY_REPO';
  if (/dubious ownership/.test(said))
    return {
      about,
      message: `git does not look into "${repo}", which is another user's: ${words}`,
      remedy: `whoever owns it decides what git runs. Where you trust that user: git config --global --add safe.directory ${shellWord(repo)}`,
    };
  if (/not a git repository/.test(said))
    return { about, message: `"${repo}" is no git checkout: ${words}`, remedy: 'clone it with git' };
  return { about, message: `git cannot read "${repo}": ${words}`, remedy: `git -C ${shellWord(repo)} status` };
}
