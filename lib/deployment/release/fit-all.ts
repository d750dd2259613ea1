/** Every release of the deployment fitted to the checkout's chart: what lint-chart, render and gitops start from. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { chartPath } from '../kubently/checkout.ts';
import { CommandFailed, realRun, type Run } from '../../base/command.ts';
import { BadInput } from '../../base/failure.ts';
import { complain } from '../../base/say.ts';
import { makeContext, realOutside, type Context } from '../../context.ts';
import { helmTemplate } from '../../clients/helm.ts';
import { gkeRelease, remoteRelease } from './release.ts';
import { loadSettings, settingsFile } from '../../settings/settings.ts';
import { fitRelease, type Fit } from '../../chart/fit.ts';
import type { Target } from '../../base/target.ts';
import type { ReleaseSpec } from '../../chart/release-spec.ts';

export interface FittedRelease {
  /** gke, or remote; remote-ID where there are several. */
  name: string;
  spec: ReleaseSpec;
  target: Target;
  fit: Fit;
}

export interface FittedReleases {
  /** In which nothing can be changed. */
  ctx: Context;
  /** Path of the chart. */
  chart: string;
  releases: FittedRelease[];
}

/**
 * Fits without a cluster, credentials or the network.
 * @throws BadInput for the settings or a folder without a chart; ChartRefused for a chart that cannot take the release
 */
export async function fitAll(env: NodeJS.ProcessEnv): Promise<FittedReleases> {
  const settings = loadSettings({ ...withExample(env), ACME_EMAIL: 'nobody@kubently.io' });
  const run = withoutHistory(realRun(settings.childEnvironment));
  const ctx = makeContext(settings, { ...realOutside(settings), run }, true);
  const chart = chartPath(settings.repo);
  if (!existsSync(join(chart, 'Chart.yaml'))) {
    const message = `there is no chart at ${chart}`;
    throw new BadInput([{ about: 'KUBENTLY_REPO', message, remedy: 'name the folder of a Kubently checkout' }]);
  }
  const several = settings.remotes.length > 1;
  const targeted = await Promise.all([
    gkeRelease(ctx).then((targeted) => ({ name: 'gke', ...targeted })),
    ...settings.remotes.map(async (remote) => ({
      name: several ? `remote-${remote.id}` : 'remote',
      ...(await remoteRelease(ctx, remote)),
    })),
  ]);
  const releases = await Promise.all(
    targeted.map(async (one) => ({
      ...one,
      fit: await fitRelease(one.spec, chart, (r) => helmTemplate(run, r)),
    })),
  );
  return { ctx, chart, releases };
}

/** A chart can be judged before anybody has a deployment: where the checkout alone is named, .env.example serves. */
function withExample(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  if (env['ENV_FILE'] || !env['KUBENTLY_REPO'] || existsSync(settingsFile(env))) return env;
  complain(`no ${settingsFile(env)}: the settings are those of .env.example`);
  return { ...env, ENV_FILE: join(import.meta.dirname, '..', '..', '..', '.env.example') };
}

/** A Run by which a folder without git history has a commit of zeros: its chart can be judged all the same. */
function withoutHistory(run: Run): Run {
  return async (command) => {
    try {
      return await run(command);
    } catch (error) {
      if (command.binary === 'git' && error instanceof CommandFailed) return { stdout: '0'.repeat(40), stderr: '' };
      throw error;
    }
  };
}
