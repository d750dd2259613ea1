/** Writes each release as Flux or Argo CD applies it: a folder of manifests for each cluster, no Secret, no cluster asked. `--out DIR --engine flux|argocd` */
import { STATUS } from '../../lib/base/exit-status.ts';
import { BadInput } from '../../lib/base/failure.ts';
import { outFolder } from '../../lib/base/out-path.ts';
import { complain, say } from '../../lib/base/say.ts';
import { headCommit, type Commit } from '../../lib/deployment/kubently/checkout.ts';
import { fitAll } from '../../lib/deployment/release/fit-all.ts';
import { hasErrors, report } from '../../lib/operations/chart-report.ts';
import { ENGINES, type Engine } from '../../lib/operations/gitops/engines.ts';
import { gitopsFiles } from '../../lib/operations/gitops/folders.ts';
import { clusterManifests, refuseUnfit } from '../../lib/operations/gitops/manifests.ts';
import { writeFiles } from '../../lib/operations/write-files.ts';
import { runAlone } from '../entry.ts';

export interface GitopsFlags {
  out?: string;
  engine?: string;
}

/** Writes the files and prints their paths, and what is left out; nothing where the chart has errors. @returns the exit status @throws BadInput, Failure */
export async function writeGitops(flags: GitopsFlags): Promise<number> {
  const engine = engineOf(flags.engine);
  const folder = outFolder(flags.out, `make gitops OUT=dir ENGINE=${engine}`);
  const { ctx, chart, releases } = await fitAll(process.env);
  if (hasErrors(releases)) {
    complain(report(releases));
    return STATUS.failed;
  }
  // Boxes every token, so that one is known where it stands.
  ctx.tokens();
  const [commit, ...clusters] = await Promise.all([
    headCommit(ctx.run, ctx.settings.repo),
    ...releases.map((r) => clusterManifests(ctx, chart, r)),
  ]);
  refuseWithoutCommit(ctx.settings.repo, commit);
  refuseUnfit(clusters);
  await writeFiles(folder, gitopsFiles(engine, ctx.settings, commit, clusters));
  for (const text of clusters.flatMap(({ leftOut }) => leftOut)) say(`left out: ${text}`);
  say('left out: every Secret (README.md names them); make deploy has made them, or makes them');
  return STATUS.done;
}

/** To judge a chart no commit is needed; by it an engine would pull images that nobody built. */
function refuseWithoutCommit(repo: string, { full }: Commit): void {
  if (!/^0+$/.test(full)) return;
  const message = `${repo} has no git history, so the tag of its images is not known`;
  throw new BadInput([{ about: 'KUBENTLY_REPO', message, remedy: 'name a git checkout of Kubently' }]);
}

function engineOf(text: string | undefined): Engine {
  const engine = ENGINES.find((e) => e === text);
  if (engine) return engine;
  const message = text === undefined ? 'is not given' : `"${text}" is no engine that the runbook writes for`;
  throw new BadInput([{ about: 'ENGINE', message, remedy: 'make gitops OUT=dir ENGINE=flux, or ENGINE=argocd' }]);
}

void runAlone(import.meta);
