/** Everything goes to the release's namespace, where its Secrets and policies are made. */
import { nameOf } from '../../base/kubernetes.ts';
import type { Finding } from '../finding.ts';
import type { Rule } from './rule.ts';

/** A finding for each other namespace that the templates write. */
export const inOneNamespace: Rule = ({ spec, objects }) => {
  const written = new Set(objects.flatMap((o) => o.metadata.namespace ?? []));
  written.delete(spec.namespace);
  return [...written].map((namespace): Finding => {
    const there = objects.filter((o) => o.metadata.namespace === namespace).map(nameOf);
    return {
      grade: 'error',
      id: 'other-namespace',
      path: 'metadata.namespace',
      message: `the chart puts ${there.join(', ')} into namespace ${namespace}; the release and its Secrets are in ${spec.namespace}`,
      remedy: `let the templates write {{ .Release.Namespace }}; where a value such as namespaceOverride decides, set it to ${spec.namespace} in values/`,
    };
  });
};
