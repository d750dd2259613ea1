/** The preflight: everything that must be there before the first change, all problems at once (design.md rule 6). */
import { ownCertificateProblems } from '../certificates/byo-certificate.ts';
import { changedPaths, missingFiles } from '../kubently/checkout.ts';
import type { Binary } from '../command.ts';
import type { Context } from '../context.ts';
import { explain, type Problem } from '../failure.ts';

interface Tool {
  binary: Binary;
  args: string[];
  /** Least version, and what in the output is the version. */
  least: [number, number];
  version: RegExp;
  remedy: string;
}

const TOOLS: Tool[] = [
  {
    binary: 'kubectl',
    args: ['version', '--client', '-o', 'json'],
    least: [1, 33],
    version: /"gitVersion": "v(\d+)\.(\d+)/,
    remedy: 'make tools installs the pinned one',
  },
  {
    binary: 'helm',
    args: ['version', '--short'],
    least: [4, 0],
    version: /v(\d+)\.(\d+)/,
    remedy: 'make tools installs the pinned one',
  },
  {
    binary: 'gcloud',
    args: ['version', '--format=value("Google Cloud SDK")'],
    least: [500, 0],
    version: /(\d+)\.(\d+)/,
    remedy: 'https://cloud.google.com/sdk/docs/install',
  },
  { binary: 'git', args: ['--version'], least: [2, 30], version: /(\d+)\.(\d+)/, remedy: 'install git' },
  {
    binary: 'docker',
    args: ['version', '--format', '{{.Server.Version}}'],
    least: [20, 10],
    version: /(\d+)\.(\d+)/,
    remedy: 'start Docker, or name its socket by DOCKER_HOST',
  },
  { binary: 'npm', args: ['--version'], least: [9, 0], version: /(\d+)\.(\d+)/, remedy: 'install npm' },
];

/** All problems found; none means that the deployment can start. Reads only. */
export async function preflight(ctx: Context): Promise<Problem[]> {
  const found = await Promise.all([...TOOLS.map((t) => tool(ctx, t)), project(ctx), ...clusters(ctx), checkout(ctx)]);
  return [...found.flat(), ...ownCertificateProblems(ctx.settings, ctx.clock.now())];
}

async function tool({ run }: Context, { binary, args, least, version, remedy }: Tool): Promise<Problem[]> {
  try {
    const { stdout } = await run({ binary, args, mutates: false, timeoutMs: 30_000 });
    const [, major = '0', minor = '0'] = version.exec(stdout) ?? [];
    const enough = Number(major) > least[0] || (Number(major) === least[0] && Number(minor) >= least[1]);
    return enough
      ? []
      : [{ about: binary, message: `is version ${major}.${minor}, wanted at least ${least.join('.')}`, remedy }];
  } catch (error) {
    return [{ about: binary, message: `does not answer: ${firstLine(error)}`, remedy }];
  }
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
        remedy: 'clone it with git',
      },
    ];
  }
}

function firstLine(error: unknown): string {
  return explain(error).split('\n')[0] ?? '';
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
