/** The folders that an engine applies, with what it is told and what people read, as text by path. */
import { stringify } from 'yaml';
import { STEP } from '../../base/plan-steps.ts';
import type { KubeObject } from '../../base/kubernetes.ts';
import type { Commit } from '../../deployment/kubently/checkout.ts';
import { YAML_1_1 } from '../../deployment/release/fitted.ts';
import type { Settings } from '../../settings/settings.ts';
import { artifactOf, engineFiles, folderOf, type Engine } from './engines.ts';
import type { ClusterManifests } from './manifests.ts';

/** All files of the deployment, made of this commit of the checkout. */
export function gitopsFiles(
  engine: Engine,
  settings: Settings,
  commit: Commit,
  clusters: readonly ClusterManifests[],
): Record<string, string> {
  const files: Record<string, string> = {};
  for (const cluster of clusters) {
    files[`${folderOf(cluster)}/kustomization.yaml`] = documents([
      {
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        // Helm gives it to what names none.
        namespace: cluster.namespace,
        resources: ['manifests.yaml'],
      },
    ]);
    files[`${folderOf(cluster)}/manifests.yaml`] = documents(cluster.objects);
  }
  for (const [path, objects] of Object.entries(engineFiles(engine, settings, clusters)))
    files[path] = documents(objects);
  files['README.md'] = readme(engine, settings, commit, clusters);
  return files;
}

function documents(objects: readonly (KubeObject | Record<string, unknown>)[]): string {
  return objects.map((o) => stringify(o, { lineWidth: 0, ...YAML_1_1 })).join('---\n');
}

function readme(engine: Engine, settings: Settings, commit: Commit, clusters: readonly ClusterManifests[]): string {
  const secrets = clusters.flatMap(({ id, namespace, secrets: all }) =>
    all.map(({ name, keys }) => `- ${id}: ${namespace}/${name} (${keys.join(', ')})`),
  );
  return `# ${settings.host} for ${NAMES[engine]}

Written by the Kubently runbook (\`make gitops\`) for commit ${commit.short} of Kubently: a folder of checked, patched manifests for each cluster. Publish the folders, and again after each \`make gitops\`:

\`\`\`
${publish(engine, settings, commit)}
\`\`\`

${start(engine, clusters)}

A private repository needs credentials of the engine's own.

**One owner at a time.** \`make deploy\` applies the same releases by Helm (${STEP.release}, ${STEP.remoteRelease}): do not run these steps where the engine applies them.

Not in it, and made by the runbook before: the namespaces; the Certificate (${STEP.tlsCertificate}) and NetworkPolicies (${STEP.redisNetworkPolicy}) in ${settings.gkeClusterId}; the executors' tokens at the API (${STEP.remoteRelease}); and every Secret:

${secrets.join('\n')}

A changed Secret restarts no pod by itself: restart the workloads that read it.
`;
}

const NAMES: Record<Engine, string> = { flux: 'Flux', argocd: 'Argo CD' };

function publish(engine: Engine, settings: Settings, commit: Commit): string {
  const { repository, tag } = artifactOf(settings);
  switch (engine) {
    case 'flux':
      return `flux push artifact oci://${repository}:${tag} --path=. --source=make-gitops --revision=${tag}@sha1:${commit.full}`;
    case 'argocd':
      return `oras push ${repository}:${tag} clusters`;
  }
}

function start(engine: Engine, clusters: readonly ClusterManifests[]): string {
  switch (engine) {
    case 'flux':
      return `Each cluster's own Flux (2.6 or newer) is told once: ${clusters.map(({ id }) => `\`flux/${id}.yaml\` in ${id}`).join(', ')}, by \`kubectl apply -f\`.`;
    case 'argocd':
      return `Argo CD (3.1 or newer, which reads OCI artifacts) is told once, by \`kubectl apply -f argocd/applicationset.yaml\`. It has to know the clusters by these names (\`argocd cluster add CONTEXT --name ID\`): ${clusters.map(({ id }) => id).join(', ')}.`;
  }
}
