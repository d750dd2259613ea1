/** Takes the releases back to an earlier revision, and proves that what runs then works (plan "Rollback Procedures"). */
import { clusterIds, kubentlyApi } from '../deployment/kubently/api.ts';
import { executorAnswers } from '../deployment/kubently/executor-connection.ts';
import type { Context } from '../context.ts';
import { BadInput } from '../base/failure.ts';
import type { Revision } from '../clients/helm.ts';
import { releaseWorkloads, waitForWorkloads } from '../deployment/release/release.ts';
import { waitFor } from '../base/wait.ts';
import type { KubeObject } from '../base/kubernetes.ts';
import type { TargetedRelease } from '../deployment/release/targeted-release.ts';

export interface Past extends Revision {
  /** Tags of Kubently's images, the API's first: `8a9e1bd`. */
  tags: string[];
}

export interface Move {
  targeted: TargetedRelease;
  from: Past;
  /** Undefined: it stays, for the reason in words. */
  to: Past | undefined;
  reason: string;
}

/** What `helm rollback` leaves as it is, told before it starts. */
export const NOT_UNDONE = [
  'Secrets and tokens: what was rotated since stays rotated',
  'DNS, the address and the certificate, and which issuer it comes from',
  'CRDs, cert-manager and the ingress controller',
  "Redis' data, and what a newer version wrote into it",
  'what the runbook applies beside the release: CA file, NetworkPolicies, disruption budget',
];

const ROLLED_BACK_TO = new Set(['superseded', 'deployed']);

/** The revisions of a release, oldest first, each with the tags of its images; none where there is no release. */
export async function past(ctx: Context, { spec: { release }, target }: TargetedRelease): Promise<Past[]> {
  const helm = ctx.helm(target);
  const revisions = await helm.history(release);
  return Promise.all(revisions.map(async (r) => ({ ...r, tags: tagsOf(await helm.manifest(release, r.revision)) })));
}

/**
 * Where each release goes: the one in GKE to the revision asked for, or to the last that worked before; each remote
 * to its newest revision with the same executor image, so that both ends stay of one version.
 * @throws BadInput where there is no such revision
 */
export function planMoves(
  gke: { targeted: TargetedRelease; past: Past[] },
  remotes: { targeted: TargetedRelease; past: Past[] }[],
  wanted?: number,
): Move[] {
  const from = gke.past.at(-1);
  const refuse = (message: string): BadInput =>
    new BadInput([
      { about: 'TO', message, remedy: `the revisions: ${gke.past.map((r) => r.revision).join(', ') || 'none'}` },
    ]);
  if (!from) throw refuse(`there is no release ${gke.targeted.spec.release} to roll back`);
  const to =
    wanted === undefined
      ? gke.past.findLast((r) => r.revision < from.revision && ROLLED_BACK_TO.has(r.status))
      : gke.past.find((r) => r.revision === wanted);
  if (!to)
    throw refuse(
      wanted === undefined ? 'no earlier revision is left that ever worked' : `there is no revision ${wanted}`,
    );
  if (to === from) throw refuse(`revision ${from.revision} is the present one`);
  const moves: Move[] = [{ targeted: gke.targeted, from, to, reason: '' }];
  const tag = to.tags.at(-1) ?? '';
  for (const remote of remotes) {
    const now = remote.past.at(-1);
    if (!now) continue;
    const stays = (reason: string): Move => ({ targeted: remote.targeted, from: now, to: undefined, reason });
    const match = remote.past.findLast((r) => ROLLED_BACK_TO.has(r.status) && r.tags.includes(tag));
    moves.push(
      now.status === 'deployed' && now.tags.includes(tag)
        ? stays(`it has image ${tag} already`)
        : match
          ? { targeted: remote.targeted, from: now, to: match, reason: '' }
          : stays(`it never had image ${tag}`),
    );
  }
  return moves;
}

/** Rolls back and waits until every workload runs. @throws Failure with pods, events and log tail */
export async function rollBack(ctx: Context, moves: readonly Move[], note: (text: string) => void): Promise<void> {
  for (const { targeted, to } of moves) {
    if (!to) continue;
    const { release, clusterId } = targeted.spec;
    note(`${clusterId}: helm rollback ${release} ${to.revision}`);
    await ctx.helm(targeted.target).change`rollback ${release} ${to.revision} --force-conflicts`;
    const workloads = await releaseWorkloads(ctx, targeted);
    note(`${clusterId}: waits for ${workloads.map(([, name]) => name).join(', ')}`);
    await waitForWorkloads(ctx, targeted, workloads);
  }
}

/** Proves that the API is healthy at its public name and that a command comes back from every cluster. @returns the evidence */
export async function works(ctx: Context): Promise<string> {
  const url = `https://${ctx.settings.host}`;
  const ids = clusterIds(ctx);
  await waitFor(
    {
      what: url,
      timeoutMs: 120_000,
      everyMs: 2000,
      probe: async () => {
        const found = await kubentlyApi(ctx)
          .health()
          .then(({ status }) => (status === 200 ? undefined : `HTTP ${status}`), String);
        return found === undefined
          ? { state: 'ready', value: undefined }
          : { state: 'pending', reason: `/health: ${found}` };
      },
      next: 'make status; make deploy goes forward again',
    },
    ctx,
  );
  await Promise.all(ids.map((id) => executorAnswers(ctx, id)));
  return `${url} is healthy; a command came back from ${ids.join(', ')}`;
}

/** The tags of Kubently's own images, each once, the API's first. */
function tagsOf(manifest: readonly KubeObject[]): string[] {
  const images = [...JSON.stringify(manifest).matchAll(/"image":"[^"]*\/(api|executor):([^"@]+)/g)];
  const sorted = images.sort(([, a = ''], [, b = '']) => a.localeCompare(b));
  return [...new Set(sorted.map(([, , tag = '']) => tag))];
}

/** @throws BadInput on what is no revision number */
export function revisionOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new BadInput([{ about: 'TO', message: `"${text}" is no revision`, remedy: 'a number of the list: TO=2' }]);
}
