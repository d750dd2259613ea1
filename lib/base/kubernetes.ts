/** Kubernetes objects and plain reads of them, as types; how an object is named. */
import type { Target } from './target.ts';

/** A Kubernetes object as the API gives it. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    generation?: number;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    [key: string]: unknown;
  };
  [key: string]: unknown;
}

/** Kind/name. */
export function nameOf({ kind, metadata }: Pick<KubeObject, 'kind' | 'metadata'>): string {
  return `${kind}/${metadata.name}`;
}

/** A command of kubectl's as the read that it is. Names are written `Deployment.apps/api`. */
export type KubeRead = Target &
  (
    | { reads: 'objects'; names: readonly string[] }
    | { reads: 'list'; kind: string; selector: string | undefined; everywhere: boolean }
    /** Of apply by this manager, or of create. The objects come by stdin. */
    | { reads: 'dry run'; manager: string | undefined }
    /** When the fields of the object were changed. */
    | { reads: 'times'; name: string }
    | { reads: 'path'; path: string }
  );
