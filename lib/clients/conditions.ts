/** Conditions of Kubernetes objects. */
import type { KubeObject } from '../base/kubernetes.ts';

export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  observedGeneration?: number;
}

/** The condition of a type, if the object has it for its present generation. */
export function condition(object: KubeObject | undefined, type: string): Condition | undefined {
  const conditions = (object?.['status'] as { conditions?: Condition[] } | undefined)?.conditions ?? [];
  const found = conditions.find((c) => c.type === type);
  const stale =
    found?.observedGeneration !== undefined && found.observedGeneration < (object?.metadata.generation ?? 0);
  return stale ? undefined : found;
}

/** True when the condition Ready is True for the present generation. */
export function isReady(object: KubeObject | undefined): boolean {
  return condition(object, 'Ready')?.status === 'True';
}

/** True while the object is being deleted. */
export function isTerminating(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

/** The pods that serve: ready, and not on their way out. */
export function servingPods(pods: readonly KubeObject[]): KubeObject[] {
  return pods.filter((pod) => !isTerminating(pod) && isReady(pod));
}

/** The condition in words: "IncorrectIssuer: …". */
export function saying(c: Condition | undefined): string {
  return c ? [c.reason, c.message].filter(Boolean).join(': ') : 'no condition yet';
}
