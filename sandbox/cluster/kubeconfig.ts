/** One kubeconfig for both clusters, with the context names that the runbook knows. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { CLUSTERS, PATHS, STATE } from '../world.ts';

/** The part of kind's kubeconfig that is copied: one cluster and one user. */
const Kubeconfig = z.object({
  clusters: z.tuple([z.object({ cluster: z.looseObject({}) })]),
  users: z.tuple([z.object({ user: z.looseObject({}) })]),
});

/** Where the kubeconfig of one cluster lies, as kind wrote it. */
export const clusterKubeconfig = (name: string): string => join(STATE, 'clusters', `${name}.kubeconfig`);

/** Joins kubeconfigs of kind (by context name) into one without a current context. Pure. */
export function joinKubeconfigs(texts: Record<string, string>): string {
  const parts = Object.entries(texts).map(([name, text]) => {
    const { clusters, users } = Kubeconfig.parse(parse(text));
    return {
      cluster: { name, cluster: clusters[0].cluster },
      user: { name, user: users[0].user },
      context: { name, context: { cluster: name, user: name } },
    };
  });
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: parts.map((part) => part.cluster),
    users: parts.map((part) => part.user),
    contexts: parts.map((part) => part.context),
  });
}

/** Writes PATHS.kubeconfig (0600) from the kubeconfigs of both clusters, in one step. */
export function writeKubeconfig(): void {
  const entries = Object.values(CLUSTERS).map(({ name, context }) => [
    context,
    readFileSync(clusterKubeconfig(name), 'utf8'),
  ]);
  const partial = `${PATHS.kubeconfig}.partial`;
  writeFileSync(partial, joinKubeconfigs(Object.fromEntries(entries) as Record<string, string>), { mode: 0o600 });
  renameSync(partial, PATHS.kubeconfig);
}
