/** How Flux or Argo CD is told to apply the folders of the clusters. */
import type { KubeObject } from '../../base/kubernetes.ts';
import { yaml } from '../../base/yaml-tag.ts';
import type { Settings } from '../../settings/settings.ts';
import type { ClusterManifests } from './manifests.ts';

export const ENGINES = ['flux', 'argocd'] as const;
export type Engine = (typeof ENGINES)[number];

/** Where the folders are published: an OCI artifact beside the images, one tag for each deployment. */
export function artifactOf({ images, host }: Pick<Settings, 'images' | 'host'>): { repository: string; tag: string } {
  return { repository: `${images.registry}/gitops`, tag: host };
}

/** Path of a cluster's folder. */
export function folderOf({ id }: Pick<ClusterManifests, 'id'>): string {
  return `clusters/${id}`;
}

/** What the engine takes, by the path of the file. */
export function engineFiles(
  engine: Engine,
  settings: Settings,
  clusters: readonly ClusterManifests[],
): Record<string, KubeObject[]> {
  switch (engine) {
    case 'flux':
      return Object.fromEntries(clusters.map((c) => [`flux/${c.id}.yaml`, fluxObjects(settings, c)]));
    case 'argocd':
      return { 'argocd/applicationset.yaml': [applicationSet(settings, clusters)] };
  }
}

/** For the Flux of the cluster itself. Taking them away leaves the executor: deletionPolicy. */
function fluxObjects(settings: Settings, cluster: ClusterManifests): KubeObject[] {
  const { repository, tag } = artifactOf(settings);
  const { release } = cluster;
  return [
    yaml`
      apiVersion: source.toolkit.fluxcd.io/v1
      kind: OCIRepository
      metadata:
        name: ${release}
        namespace: flux-system
      spec:
        interval: 5m
        url: ${`oci://${repository}`}
        ref:
          tag: ${tag}`,
    yaml`
      apiVersion: kustomize.toolkit.fluxcd.io/v1
      kind: Kustomization
      metadata:
        name: ${release}
        namespace: flux-system
      spec:
        interval: 10m
        timeout: 5m
        path: ${`./${folderOf(cluster)}`}
        prune: true
        deletionPolicy: Orphan
        wait: true
        sourceRef:
          kind: OCIRepository
          name: ${release}`,
  ];
}

/** For the one Argo CD that serves all clusters. Taking it away leaves the executors: preserveResourcesOnDeletion. */
function applicationSet(settings: Settings, clusters: readonly ClusterManifests[]): KubeObject {
  const { repository, tag } = artifactOf(settings);
  const elements = clusters.map(({ id, release, namespace }) => ({ cluster: id, release, namespace }));
  return yaml`
    apiVersion: argoproj.io/v1alpha1
    kind: ApplicationSet
    metadata:
      name: ${settings.release}
      namespace: argocd
    spec:
      goTemplate: true
      goTemplateOptions: [missingkey=error]
      generators:
        - list:
            elements: ${elements}
      syncPolicy:
        preserveResourcesOnDeletion: true
      template:
        metadata:
          name: '{{.release}}-{{.cluster}}'
        spec:
          project: default
          source:
            repoURL: ${`oci://${repository}`}
            targetRevision: ${tag}
            path: clusters/{{.cluster}}
          destination:
            name: '{{.cluster}}'
            namespace: '{{.namespace}}'
          syncPolicy:
            automated:
              prune: true
              selfHeal: true`;
}
