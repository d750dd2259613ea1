/** What a deployment that is ready for production consists of, for the tests of make readiness. */
import type { KubeObject } from '../../lib/base/kubernetes.ts';

export const NOW = Date.parse('2026-01-01T00:00:00Z');
export const DAY = 86_400_000;

/** The moment so many days before NOW. */
export const daysAgo = (n: number): string => new Date(NOW - n * DAY).toISOString();

export function pod(name: string, release: string, component: string, namespace: string, node: string): KubeObject {
  const labels = { 'app.kubernetes.io/instance': release, 'app.kubernetes.io/component': component };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: { nodeName: node, topologySpreadConstraints: [{ maxSkew: 1 }] },
    status: { phase: 'Running', containerStatuses: [{ imageID: `x/${component}@sha256:${component}` }] },
  };
}

export function secret(name: string, namespace: string, data: Record<string, string> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace, changedAt: daysAgo(2) }, data };
}

/** What Prometheus says, by path. */
export interface Watched {
  up: { namespace: string; value: string }[];
  groups: string[];
  ratios: string[];
}

export function prometheus(path: string, watched: Watched): string {
  const samples = (all: { metric: Record<string, string>; value: string }[]): string =>
    JSON.stringify({ data: { result: all.map(({ metric, value }) => ({ metric, value: [NOW / 1000, value] })) } });
  if (path.includes('/rules?')) return JSON.stringify({ data: { groups: watched.groups.map((name) => ({ name })) } });
  if (path.includes('query?query=up'))
    return samples(watched.up.map(({ namespace, value }) => ({ metric: { namespace }, value })));
  return samples(watched.ratios.map((value) => ({ metric: { sloth_slo: 'api-availability' }, value })));
}
