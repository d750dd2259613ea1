/** A checkout with a chart of two files, and its fit: what the steps after 2.4 start from. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReleaseExtra } from '../../lib/chart/release-extras.ts';
import { chartPath } from '../../lib/deployment/kubently/checkout.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import { settings, type Row } from './outside.ts';

export const COMMIT = 'c31127e3f8a94be2a1e6b6b7e2d7a0b9c8d7e6f5';
export const VALUES = { api: { replicaCount: 2 } };
export const MANIFEST = [
  'apiVersion: apps/v1',
  'kind: Deployment',
  'metadata: { name: kubently-api, namespace: kubently }',
  '---',
  'apiVersion: apps/v1',
  'kind: StatefulSet',
  'metadata: { name: kubently-redis-master, namespace: kubently }',
  '',
].join('\n');

const place = { namespace: 'kubently', says: '' };
export const AROUND: ReleaseExtra[] = [
  { kind: 'pod-disruption-budget', name: 'kubently-api', selector: { part: 'api' }, minAvailable: 1, ...place },
  {
    kind: 'network-policy',
    name: 'kubently-redis',
    redis: { part: 'redis' },
    api: { part: 'api' },
    port: 6379,
    apiPort: 8080,
    executor: { part: 'executor' },
    ...place,
  },
  { kind: 'restart-on-secret-change', workload: 'Deployment/kubently-api', secrets: ['kubently-api-keys'], ...place },
  { kind: 'hpa-remove', name: 'kubently', ...place },
];

let n = 0;

/** Settings of a deployment with a checkout; what the runbook writes about it goes with the test's folder. */
export function checkedOut(changed: Partial<Settings> = {}): Settings {
  const given = settings({ host: `unit-${process.pid}-${n++}.kubently.io`, ...changed });
  mkdirSync(join(chartPath(given.repo), 'templates'), { recursive: true });
  writeFileSync(join(chartPath(given.repo), 'Chart.yaml'), 'name: kubently\n');
  writeFileSync(join(chartPath(given.repo), 'templates', 'api.yaml'), 'kind: Deployment\n');
  return given;
}

/** What git and `helm template` say about the checkout. */
export function checkoutRows(given: Settings, manifest = MANIFEST): Row[] {
  return [
    { binary: 'git', args: ['-C', given.repo, 'rev-parse', 'HEAD'], answer: `${COMMIT}\n` },
    {
      binary: 'helm',
      args: (a) =>
        a.slice(0, 6).join(' ') === `template kubently ${chartPath(given.repo)} --namespace kubently --post-renderer` &&
        a.length === 11,
      answer: ({ args }) => postRendered(args, manifest),
    },
  ];
}

/** The manifest as it comes out of the post-renderer: the kustomization beside it, in place of what it makes. */
export function postRendered(args: readonly string[], manifest = MANIFEST): string {
  const path = args[args.indexOf('--post-renderer-args') + 1] ?? '';
  const data = { kustomization: readFileSync(path, 'utf8') };
  return `${manifest}---\n${JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'patched' }, data })}\n`;
}
