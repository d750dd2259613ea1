import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { CHECKOUT } from './processes.ts';

const HELM = resolve(import.meta.dirname, '../../.tools/bin/helm');
const CHART = join(CHECKOUT, 'deployment/helm/kubently');
const PLAN = resolve(import.meta.dirname, '../chart/plan');
const folder = mkdtempSync(join(tmpdir(), 'kubently-chart-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Env = { name: string; value?: string; valueFrom?: { secretKeyRef?: { name: string; key: string } } };
type Container = { name: string; image: string; env?: Env[]; securityContext?: object };
type KubeObject = {
  kind: string;
  metadata: { name: string; labels: Record<string, string> };
  data?: Record<string, string>;
  spec: {
    replicas?: number;
    rules?: unknown;
    tls?: unknown;
    template: {
      metadata: { labels: Record<string, string> };
      spec: { initContainers?: Container[]; containers: Container[]; securityContext?: object };
    };
  };
};

/** helm template with values files and further values. @throws with helm's words in stderr */
function render(release: string, files: string[], values: unknown = {}): KubeObject[] {
  const extra = join(folder, 'values.yaml');
  writeFileSync(extra, stringify(values));
  const flags = [...files, extra].flatMap((file) => ['--values', file]);
  const text = execFileSync(HELM, ['template', release, CHART, '--namespace', 'kubently', ...flags], {
    stdio: 'pipe',
  }).toString();
  return parseAllDocuments(text, { uniqueKeys: true }).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as KubeObject;
  });
}

const names = (objects: KubeObject[]) => objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`).sort();

function find(objects: KubeObject[], name: string): KubeObject {
  const found = objects.find(({ kind, metadata }) => `${kind}/${metadata.name}` === name);
  if (found === undefined) throw new Error(`${name} is not among ${names(objects).join(' ')}`);
  return found;
}

const EXECUTOR = { executor: { existingSecret: 'kubently-executor-token', apiUrl: 'http://kubently-api:8080' } };

test('a full release renders every object of the contract', () => {
  const api = { existingSecret: 'kubently-api-keys' };
  const ingress = {
    enabled: true,
    hosts: [{ host: 'h', paths: [{ path: '/', pathType: 'Prefix' }] }],
    tls: [{ secretName: 's', hosts: ['h'] }],
  };
  const objects = render('kubently', [], { api, ingress, ...EXECUTOR });
  expect(names(objects)).toEqual([
    'ClusterRole/kubently-executor',
    'ClusterRoleBinding/kubently-executor',
    'ConfigMap/kubently-api-config',
    'ConfigMap/kubently-executor-whitelist',
    'ConfigMap/kubently-prompt',
    'Deployment/kubently-api',
    'Deployment/kubently-executor',
    'HorizontalPodAutoscaler/kubently-api',
    'Ingress/kubently',
    'Service/kubently-api',
    'Service/kubently-api-headless',
    'Service/kubently-redis-headless',
    'Service/kubently-redis-master',
    'ServiceAccount/kubently',
    'ServiceAccount/kubently-executor',
    'StatefulSet/kubently-redis-master',
  ]);
  expect(find(objects, 'Ingress/kubently').spec.tls).toEqual([{ secretName: 's', hosts: ['h'] }]);
  const whitelist = find(objects, 'ConfigMap/kubently-executor-whitelist').metadata.labels;
  expect(whitelist['component']).toBe('executor-whitelist');
  expect(whitelist).not.toHaveProperty('app.kubernetes.io/component');
});

test('the pods: labels, environment, Secrets and init container', () => {
  const objects = render('kubently', [], EXECUTOR);
  const { metadata, spec } = find(objects, 'Deployment/kubently-api').spec.template;
  expect(metadata.labels).toEqual({
    'app.kubernetes.io/name': 'kubently',
    'app.kubernetes.io/instance': 'kubently',
    'app.kubernetes.io/component': 'api',
  });
  expect(spec.initContainers?.[0]).toMatchObject({ name: 'sync-executor-tokens', image: 'redis:7-alpine' });
  expect(spec.initContainers?.[0]?.env).toContainEqual({
    name: 'EXECUTOR_TOKEN',
    valueFrom: { secretKeyRef: { name: 'kubently-executor-token', key: 'token' } },
  });
  expect(spec.containers[0]?.env?.map(({ name }) => name)).toEqual([
    ...['HOSTNAME', 'REDIS_URL', 'REDIS_HOST', 'REDIS_PORT', 'REDIS_DB', 'REDIS_PASSWORD', 'API_KEYS'],
    ...['GOOGLE_API_KEY', 'OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'LANGSMITH_API_KEY'],
    ...['API_PORT', 'COMMAND_TIMEOUT', 'LOG_LEVEL', 'MAX_COMMANDS_PER_FETCH', 'PORT', 'SESSION_TTL'],
    ...['KUBENTLY_A2A_PROMPT_FILE', 'KUBENTLY_FLEET_REPORT_PROMPT_FILE', 'KUBENTLY_VERIFY_TIMEOUT_SECONDS'],
  ]);
  const executor = find(objects, 'Deployment/kubently-executor').spec.template.spec;
  expect(executor.containers[0]?.env?.map(({ name }) => name)).toEqual([
    ...['KUBENTLY_API_URL', 'CLUSTER_ID', 'KUBENTLY_TOKEN', 'ENABLE_DYNAMIC_WHITELIST', 'KUBENTLY_WHITELIST_CONFIG'],
    ...['KUBENTLY_WHITELIST_DB', 'LOG_LEVEL'],
  ]);
  for (const pod of [spec, executor]) {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    expect(pod.containers[0]?.securityContext).toMatchObject({
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  }
});

test('the default role reads no Secrets', () => {
  expect(JSON.stringify(find(render('kubently', [], EXECUTOR), 'ClusterRole/kubently-executor'))).not.toContain(
    'secrets',
  );
});

test('an executor-only release has the executor, and the stray autoscaler', () => {
  const values = { api: { enabled: false }, redis: { enabled: false }, ...EXECUTOR };
  expect(names(render('kubently-remote', [], values))).toEqual([
    'ClusterRole/kubently-remote-executor',
    'ClusterRoleBinding/kubently-remote-executor',
    'ConfigMap/kubently-remote-executor-whitelist',
    'Deployment/kubently-remote-executor',
    'HorizontalPodAutoscaler/kubently-remote-api',
    'ServiceAccount/kubently-remote',
    'ServiceAccount/kubently-remote-executor',
  ]);
});

test('API keys in values make the same Secret twice', () => {
  const objects = render('kubently', [], { api: { apiKeys: ['a:1', 'b:2'] }, ...EXECUTOR });
  expect(names(objects).filter((name) => name === 'Secret/kubently-api-keys')).toHaveLength(2);
});

test('a release name without kubently gets a Redis Service that its pods do not look for', () => {
  const objects = render('prod', [], EXECUTOR);
  const env = find(objects, 'Deployment/prod-kubently-api').spec.template.spec.containers[0]?.env;
  expect(env).toContainEqual({ name: 'REDIS_HOST', value: 'prod-redis-master' });
  expect(names(objects)).toContain('Service/prod-kubently-redis-master');
});

test.each([
  ['no token', {}, /executor\.token or executor\.existingSecret/],
  ['no API URL', { executor: { token: 'x' } }, /executor\.apiUrl/],
  ['full access', { executor: { ...EXECUTOR.executor, security: { mode: 'fullAccess' } } }, /fullAccessAcknowledged/],
  ['api.env null', { api: { env: null }, ...EXECUTOR }, /api\.env/],
])('refused: %s', (_name, values, message) => {
  expect(() => render('kubently', [], values)).toThrow(message);
});

test('an API-only release needs no executor settings', () => {
  const objects = names(render('kubently', [], { executor: { enabled: false } }));
  expect(objects).toContain('Deployment/kubently-api');
  expect(objects).not.toContain('ConfigMap/kubently-executor-whitelist');
});

test("the plan's own files: refused for the token, complete with the executor's Secret and URL", () => {
  const gke = join(PLAN, 'gke.yaml');
  const remote = join(PLAN, 'remote.yaml');
  expect(() => render('kubently', [gke])).toThrow(/executor\.token/);
  expect(() => render('kubently-remote', [remote])).toThrow(/executor\.token/);
  const objects = render('kubently', [gke], EXECUTOR);
  expect(find(objects, 'Deployment/kubently-api').spec.replicas).toBe(2);
  expect(names(objects).filter((name) => name.startsWith('Certificate'))).toEqual([]);
  const executor = render('kubently-remote', [remote], { executor: { existingSecret: 'kubently-executor-token' } });
  expect(find(executor, 'Deployment/kubently-remote-executor').spec.template.spec.containers[0]?.env).toContainEqual({
    name: 'KUBENTLY_API_URL',
    value: 'https://test-api.kubently.io',
  });
});

test('helm lint fails, as for Kubently: it is no gate', () => {
  expect(() => execFileSync(HELM, ['lint', CHART], { stdio: 'pipe' })).toThrow(/lint/);
});
