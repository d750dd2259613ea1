/** Whether the clusters answer, with the whole cause where they do not, and whether their version is one that will do. */
import { z } from 'zod';
import type { Context } from '../context.ts';
import { CommandFailed } from '../base/command.ts';
import { explain, type Problem } from '../base/failure.ts';
import { parsedJson } from '../base/parsed-json.ts';
import { wayOut } from '../base/refusal.ts';
import { joinedLines } from '../base/say.ts';
import { shellWord } from '../base/shell-word.ts';
import { untrusted } from '../clients/kubeconfig.ts';
import { CERT_MANAGER_VERSION } from '../deployment/cluster/infrastructure.ts';

/**
 * Minor versions of Kubernetes 1 for which cert-manager 1.21 is made (cert-manager.io/docs/releases). Traefik's are
 * the newest three at its release (doc.traefik.io/traefik/includes/kubernetes-requirements), which lie within.
 */
const SUPPORTED = { least: 33, most: 36 };
const LONGEST = 600;

const VersionShape = z.object({ major: z.string(), minor: z.string(), gitVersion: z.string() });

interface Named {
  about: string;
  context: string;
}

/** What keeps the clusters from being used. Reads only. */
export async function clusterProblems(ctx: Context): Promise<Problem[]> {
  return (await Promise.all(clustersOf(ctx).map((named) => problemsOf(ctx, named)))).flat();
}

/** What is to be known about the clusters and stops nothing: a version newer than what was tried. */
export async function clusterWarnings(ctx: Context): Promise<string[]> {
  const { context } = ctx.settings.gke;
  const version = await versionOf(ctx, context).catch(() => undefined);
  return version && version.minor > SUPPORTED.most
    ? [
        `${context} runs Kubernetes ${version.text}; cert-manager ${CERT_MANAGER_VERSION} is made for 1.${SUPPORTED.least} to 1.${SUPPORTED.most}`,
      ]
    : [];
}

function clustersOf({ settings: { gke, remotes } }: Context): Named[] {
  return [
    { about: 'GKE_CONTEXT', context: gke.context },
    ...remotes.map(({ context }) => ({ about: 'REMOTE_CLUSTERS', context })),
  ];
}

async function problemsOf(ctx: Context, { about, context }: Named): Promise<Problem[]> {
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
  } catch (error) {
    const said = wordsOf(error);
    return [{ about, message: `context "${context}" does not answer: ${said}`, remedy: remedyFor(context, said) }];
  }
  // Only there cert-manager and the ingress controller run.
  if (about !== 'GKE_CONTEXT') return [];
  const version = await versionOf(ctx, context).catch(() => undefined);
  if (!version || version.minor >= SUPPORTED.least) return [];
  return [
    {
      about,
      message: `context "${context}" runs Kubernetes ${version.text}; cert-manager ${CERT_MANAGER_VERSION} and Traefik are made for 1.${SUPPORTED.least} and newer`,
      remedy: 'upgrade the cluster: gcloud container clusters upgrade NAME --master --cluster-version=…',
    },
  ];
}

async function versionOf(ctx: Context, context: string): Promise<{ minor: number; text: string } | undefined> {
  const read = VersionShape.safeParse(parsedJson(await ctx.kube({ context, namespace: 'default' }).raw('/version')));
  // GKE's minor was "33+" once.
  const minor = read.success && read.data.major === '1' ? Number.parseInt(read.data.minor, 10) : Number.NaN;
  return read.success && !Number.isNaN(minor) ? { minor, text: read.data.gitVersion } : undefined;
}

/** All that kubectl and an exec plugin said: the plugin's words come first, kubectl's last. */
function wordsOf(error: unknown): string {
  const text = error instanceof CommandFailed && error.stderr.trim() !== '' ? error.stderr : explain(error);
  return joinedLines(text, LONGEST);
}

/** What can be done about a cluster that does not answer, by its words and by what kind of cluster the context names. */
function remedyFor(context: string, said: string): string {
  const known = wayOut(said);
  if (known !== undefined) return known;
  if (/gke-gcloud-auth-plugin.{0,60}not found/.test(said))
    return 'gcloud components install gke-gcloud-auth-plugin, or the package google-cloud-cli-gke-gcloud-auth-plugin';
  if (/exec(utable)?[ :].{0,200}(failed|not found)/.test(said))
    return `run the plugin that kubectl names by hand: kubectl --context ${shellWord(context)} version`;
  const [, project, location, cluster] = /^gke_([^_]+)_([^_]+)_(.+)$/.exec(context) ?? [];
  if (cluster)
    return `gcloud container clusters get-credentials ${cluster} --location=${location ?? ''} --project=${project ?? ''}`;
  const kind = /^kind-(.+)$/.exec(context)?.[1];
  if (kind) return `docker start ${kind}-control-plane, then: kind export kubeconfig --name ${kind}`;
  return /context .{0,200}does not exist/.test(said)
    ? 'kubectl config get-contexts'
    : `kubectl --context ${shellWord(context)} cluster-info`;
}
