/** The preflight: everything that must be there before the first change, all problems at once (docs/architecture.md rule 6). */
import { ownCertificateProblems } from '../deployment/certificates/own-certificate.ts';
import { changedPaths, missingFiles } from '../deployment/kubently/checkout.ts';
import type { Context } from '../context.ts';
import { explain, firstLine, type Problem } from '../base/failure.ts';
import { untrusted } from '../clients/kubeconfig.ts';
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
  return (await Promise.all([project(ctx), ...clusters(ctx)])).flat();
}

async function project({ google, settings }: Context): Promise<Problem[]> {
  try {
    const zone = await google.zone(settings.dnsZone);
    if (!zone)
      return [
        {
          about: 'DNS_ZONE',
          message: `project ${settings.project} has no managed zone "${settings.dnsZone}"`,
          remedy: `gcloud dns managed-zones list --project=${settings.project}`,
        },
      ];
    const inZone = `${settings.host}.`.endsWith(`.${zone.dnsName}`);
    return inZone
      ? []
      : [
          {
            about: 'API_HOST',
            message: `"${settings.host}" does not lie in zone ${zone.name} (${zone.dnsName})`,
            remedy: 'name a host of that zone, or its zone by DNS_ZONE',
          },
        ];
  } catch (error) {
    return [
      {
        about: 'GCP_PROJECT',
        message: `cannot be read: ${firstLine(error)}`,
        remedy: 'gcloud auth login, and look at GCP_PROJECT',
      },
    ];
  }
}

function clusters(ctx: Context): Promise<Problem[]>[] {
  const { gke, remotes } = ctx.settings;
  const named: [string, string][] = [
    ['GKE_CONTEXT', gke.context],
    ...remotes.map((r): [string, string] => ['REMOTE_CLUSTERS', r.context]),
  ];
  return named.map(async ([about, context]) => {
    try {
      const open = untrusted(ctx.settings.childEnvironment, context);
      if (open !== undefined)
        return [
          {
            about,
            message: `context "${context}" is not used: ${open}`,
            remedy: `kubectl config set-cluster NAME --server=https://… --certificate-authority=FILE --embed-certs --insecure-skip-tls-verify=false`,
          },
        ];
      await ctx.kube({ context, namespace: 'default' }).raw('/readyz');
      return [];
    } catch (error) {
      return [
        {
          about,
          message: `context "${context}" does not answer: ${lastLine(error)}`,
          remedy: 'kubectl config get-contexts; gcloud container clusters get-credentials …',
        },
      ];
    }
  });
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
    return [
      {
        about: 'KUBENTLY_REPO',
        message: `"${repo}" is no git checkout: ${firstLine(error)}`,
        remedy: explain(error).includes('dubious ownership')
          ? `it is another user's; whoever owns it decides what git runs. Where you trust that user: git config --global --add safe.directory ${repo}`
          : 'clone it with git',
      },
    ];
  }
}

/** kubectl's own words come last. */
function lastLine(error: unknown): string {
  return (
    explain(error)
      .trim()
      .split('\n')
      .findLast((l) => !l.trim().startsWith('next'))
      ?.trim() ?? ''
  );
}
