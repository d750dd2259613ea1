/** Which Secrets and ConfigMaps a pod reads, by whatever route: env, envFrom, files, projected volumes, drivers, pulls. */
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IVolume } from 'kubernetes-models/v1/Volume';
import type { Workload } from './workloads.ts';

export interface Reference {
  kind: 'Secret' | 'ConfigMap';
  name: string;
  /** undefined: the object as a whole. */
  key: string | undefined;
  optional: boolean;
  /** The env entry that it feeds. */
  env: string | undefined;
  /** The kubelet pulls without a Secret that is not there. */
  pull: boolean;
  workload: Workload;
  where: string;
}

interface Source {
  name?: string;
  secretName?: string;
  optional?: boolean;
}

/** Everything that the workload's pods read. */
export function references(workload: Workload): Reference[] {
  const { pod } = workload;
  const containers = [...(pod.initContainers ?? []), ...pod.containers];
  const read = (
    kind: Reference['kind'],
    { name, secretName, optional = false }: Source,
    key: string | undefined,
    where: string,
    more: Partial<Reference> = {},
  ): Reference => ({
    kind,
    name: name ?? secretName ?? '',
    key,
    optional,
    env: undefined,
    pull: false,
    workload,
    where,
    ...more,
  });

  const fromEnv = containers.flatMap((c) => [
    ...(c.env ?? []).flatMap((e): Reference[] => {
      const { secretKeyRef, configMapKeyRef } = e.valueFrom ?? {};
      const where = `${c.name}: env ${e.name}`;
      if (secretKeyRef) return [read('Secret', secretKeyRef, secretKeyRef.key, where, { env: e.name })];
      return configMapKeyRef ? [read('ConfigMap', configMapKeyRef, configMapKeyRef.key, where, { env: e.name })] : [];
    }),
    ...(c.envFrom ?? []).flatMap(({ secretRef, configMapRef }): Reference[] => {
      const where = `${c.name}: envFrom`;
      if (secretRef) return [read('Secret', secretRef, undefined, where)];
      return configMapRef ? [read('ConfigMap', configMapRef, undefined, where)] : [];
    }),
  ]);

  const fromVolumes = (pod.volumes ?? []).flatMap((volume) => {
    const where = `volume ${volume.name}`;
    const files = [volume, ...(volume.projected?.sources ?? [])].flatMap(({ secret, configMap }): Reference[] => {
      const source = secret ?? configMap;
      if (!source) return [];
      const keys = source.items?.map((item) => item.key) ?? mountedKeys(volume.name, containers);
      return keys.map((key) => read(secret ? 'Secret' : 'ConfigMap', source, key, where));
    });
    return [...files, ...driverSecrets(volume).map((name) => read('Secret', { name }, undefined, where))];
  });

  const pulls = (pod.imagePullSecrets ?? []).map((s) =>
    read('Secret', s, undefined, 'imagePullSecrets', { pull: true }),
  );
  return [...fromEnv, ...fromVolumes, ...pulls];
}

/** Without items a volume holds all keys; a mount by subPath needs just the one that it names. */
function mountedKeys(volume: string, containers: readonly IContainer[]): (string | undefined)[] {
  const mounts = containers.flatMap((c) => c.volumeMounts ?? []).filter((m) => m.name === volume);
  return mounts.length === 0 ? [undefined] : [...new Set(mounts.map((m) => m.subPath))];
}

/** The Secrets that storage drivers sign in with (csi, azureFile, cephfs, …). */
function driverSecrets(volume: IVolume): string[] {
  return Object.entries(volume).flatMap(([type, source]) => {
    if (['secret', 'configMap', 'projected'].includes(type) || typeof source !== 'object') return [];
    const { secretRef, nodePublishSecretRef, secretName } = source as {
      secretRef?: { name?: string };
      nodePublishSecretRef?: { name?: string };
      secretName?: string;
    };
    return [secretRef?.name, nodePublishSecretRef?.name, secretName].filter((name) => name !== undefined);
  });
}
