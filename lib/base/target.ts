/** Where a call goes. kubectl and helm get context and namespace in every call, gcloud the project; a blank one throws. */
import { Failure } from './failure.ts';

/** A cluster's kubectl context and the namespace that a call is about. */
export interface Target {
  context: string;
  namespace: string;
}

/** A remote cluster: REMOTE_CLUSTERS `id=context[/namespace[/release]]`. */
export interface Remote extends Target {
  /** Kubently's cluster id. */
  id: string;
  release: string;
}

/** `--context … --namespace …`. @throws Failure on a blank part, since kubectl would take the ambient one. */
export function targetFlags({ context, namespace }: Target): string[] {
  if (context.trim() === '' || namespace.trim() === '') {
    throw new Failure({
      what: `a call without ${context.trim() === '' ? 'context' : 'namespace'} was refused`,
      next: 'this is a fault of the runbook',
    });
  }
  return ['--context', context, '--namespace', namespace];
}
