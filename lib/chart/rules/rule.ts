/** What every rule of the inspection is given. */
import type { Finding } from '../finding.ts';
import type { ReleaseSpec } from '../release-spec.ts';
import type { Roles, Workload } from '../workloads.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

export interface Release {
  spec: ReleaseSpec;
  text: string;
  /** Objects that fit their schema. */
  objects: readonly KubeObject[];
  workloads: readonly Workload[];
  /** Those with replicas: what stays at 0 reads no Secret and pulls no image. */
  running: readonly Workload[];
  roles: Roles;
}

export type Rule = (release: Release) => Finding[];
