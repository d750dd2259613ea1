/** The Prometheus rules by promtool, and that rules and dashboard ask for nothing that the parts do not export. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { monitoringObjects } from '../../lib/deployment/cluster/infrastructure.ts';
import { goPrograms } from '../../sandbox/build/go.ts';
import { settings } from '../unit/outside.ts';

interface Rule {
  alert: string;
  expr: string;
  annotations: Record<string, string>;
}
interface Target {
  expr: string;
}

/** kube-state-metrics is in no registry here: its docs/metrics/workload/statefulset-metrics.md says STABLE. */
const DOCUMENTED = ['kube_statefulset_status_replicas_ready'];
const ROOT = join(import.meta.dirname, '../..');
const spec = monitoringObjects(settings()).find((o) => o.kind === 'PrometheusRule')?.['spec'] as {
  groups: { rules: Rule[] }[];
};
const rules = spec.groups.flatMap((g) => g.rules);
const dashboard = JSON.parse(readFileSync(join(ROOT, 'values/monitoring/grafana-dashboard.json'), 'utf8')) as {
  title: string;
  schemaVersion: number;
  panels: { id: number; title: string; type: string; gridPos: { x: number; w: number }; targets: Target[] }[];
};
const queries = [...rules.map((r) => r.expr), ...dashboard.panels.flatMap((p) => p.targets.map((t) => t.expr))];
let folder: string;
let promtool: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rules-'));
  promtool = join(await goPrograms('prometheus'), 'promtool');
  writeFileSync(join(folder, 'rules-under-test.yaml'), stringify(spec));
  copyFileSync(join(import.meta.dirname, 'rules.yaml'), join(folder, 'rules.yaml'));
}, 900_000);
afterAll(() => rmSync(folder, { recursive: true }));

function run(...args: string[]): string {
  try {
    return execFileSync(promtool, args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(stdout + stderr);
  }
}

test('promtool: the rules are valid', () => {
  expect(run('check', 'rules', 'rules-under-test.yaml')).toContain(`SUCCESS: ${rules.length} rules found`);
});

test('promtool: each alert fires when it should, and only then', () => {
  expect(run('test', 'rules', 'rules.yaml')).toContain('SUCCESS');
  const tested = readFileSync(join(folder, 'rules.yaml'), 'utf8');
  for (const { alert } of rules)
    expect(tested).toMatch(new RegExp(`alertname: ${alert}\\n +exp_alerts:\\n +- exp_labels`));
});

test('every alert says what to do', () => {
  for (const { annotations } of rules) expect(Object.keys(annotations)).toEqual(['summary', 'action']);
});

test('every metric is one that Traefik, cert-manager or kube-state-metrics exports', () => {
  const fixtures = join(import.meta.dirname, 'fixtures');
  const exported = new Set([
    ...DOCUMENTED,
    ...readdirSync(fixtures).flatMap((file) =>
      [...readFileSync(join(fixtures, file), 'utf8').matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name),
    ),
  ]);
  const asked = queries.flatMap((q) => q.match(/\b(traefik|certmanager|kube)_\w+/g) ?? []);
  expect(asked.length).toBeGreaterThan(queries.length);
  for (const metric of asked) {
    const base = metric.replace(/_bucket$/, '');
    expect(exported, `${metric} is exported`).toContain(base);
  }
});

test('the dashboard: every query is valid PromQL, every panel has its place', () => {
  const groups = [
    {
      name: 'dashboard',
      rules: dashboard.panels.flatMap((p) => p.targets.map((t) => ({ record: 'a:b', expr: t.expr }))),
    },
  ];
  groups[0]?.rules.forEach((r, i) => (r.record = `dashboard:query${i}`));
  writeFileSync(join(folder, 'dashboard.yaml'), stringify({ groups }));
  expect(run('check', 'rules', 'dashboard.yaml')).toContain('SUCCESS');
  expect(new Set(dashboard.panels.map((p) => p.id)).size).toBe(dashboard.panels.length);
  for (const { gridPos } of dashboard.panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
});
