/** A chart that changed since: each change is either adapted to or reported by name, and none passes in silence. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fitRelease, type Finding, type Fit } from '../../lib/chart/fit.ts';
import type { ReleaseSpec } from '../../lib/chart/release-spec.ts';
import { at } from '../../lib/chart/value-tree.ts';
import { fixture, gke, mutated, remote, render } from './releases.ts';

const inApi = 'templates/api-deployment.yaml';
const inExecutor = 'templates/executor-deployment.yaml';
const swap = (from: string | RegExp, to: string) => (text: string) => text.replaceAll(from, to);
const insert = (before: string, lines: string) => (text: string) => text.replace(before, lines + before);

async function fitMutated(changes: Record<string, (text: string) => string>, spec: ReleaseSpec = gke): Promise<Fit> {
  let fit: Fit | undefined;
  await mutated('H', changes, async (chart) => {
    fit = await fitRelease(spec, chart, render);
  });
  if (!fit) throw new Error('not fitted');
  return fit;
}

const errors = (fit: Fit): Finding[] => fit.findings.filter((f) => f.grade === 'error');
const reported = (fit: Fit, id: string, text: string): void => {
  expect(
    errors(fit)
      .filter((f) => f.id === id)
      .map((f) => `${f.object ?? ''} ${f.path ?? ''} ${f.message}`),
  ).toContainEqual(expect.stringContaining(text));
};

test('a Secret key renamed: what is read and what is created are named', async () => {
  const fit = await fitMutated({ [inApi]: swap('key: keys', 'key: api-keys.txt') });
  reported(fit, 'secret-renamed', 'key api-keys.txt of Secret kubently-api-keys; the runbook creates key keys');
  expect(fit.secrets).toContainEqual(
    expect.objectContaining({
      name: 'kubently-api-keys',
      keys: ['api-keys.txt'],
      holds: { 'api-keys.txt': 'api-keys' },
    }),
  );
});

test('a required value added: the refusal names it', async () => {
  const fit = await fitMutated({
    [inApi]: insert('apiVersion', '{{- $_ := required "api.region is required" .Values.api.region }}\n'),
  });
  reported(fit, 'chart-refuses', 'api.region is required');
});

test('a component label changed throughout: the policies around the chart follow', async () => {
  const label = swap('app.kubernetes.io/component: api', 'app.kubernetes.io/component: server');
  const fit = await fitMutated({ [inApi]: label, 'templates/api-service.yaml': label });
  expect(errors(fit)).toEqual([]);
  const policy = fit.extras.find((a) => a.kind === 'network-policy');
  expect(policy?.api['app.kubernetes.io/component']).toBe('server');
});

test('an API that drains by itself is not patched for it', async () => {
  const fit = await fitMutated({
    [inApi]: insert('readinessProbe:', 'lifecycle: { preStop: { exec: { command: [sleep, "9"] } } }\n          '),
  });
  expect(errors(fit)).toEqual([]);
  expect(fit.extras.map((a) => a.kind)).not.toContain('drained-first');
});

test('a label changed on the pods only: the broken selectors are named', async () => {
  const fit = await fitMutated({
    [inApi]: (text) => text.replace(/(labels:\n {8}.*\n {8}app.kubernetes.io\/component: )api/, '$1server'),
  });
  reported(fit, 'selector', 'Service/kubently-api');
  reported(fit, 'own-selector', 'Deployment/kubently-api');
});

test('the API Service renamed: an executor in the cluster is sent to the new name', async () => {
  const rename = swap(/name: \{\{ \$fullname \}\}-api$/gm, 'name: {{ $fullname }}-server');
  const inCluster = { ...gke, executorApiUrl: 'http://kubently-api:8080' };
  const fit = await fitMutated({ 'templates/api-service.yaml': rename, 'templates/ingress.yaml': rename }, inCluster);
  expect(errors(fit)).toEqual([]);
  expect(at(fit.values, ['executor', 'apiUrl'])).toBe('http://kubently-server:8080');
  expect(fit.findings).toContainEqual(expect.objectContaining({ id: 'executor-url-adapted' }));
});

test('the API Service renamed and the Ingress left behind: the dead backend is named', async () => {
  const fit = await fitMutated({
    'templates/api-service.yaml': swap(/name: \{\{ \$fullname \}\}-api$/gm, 'name: {{ $fullname }}-server'),
  });
  reported(fit, 'ingress-backend', 'kubently-api:8080');
});

test('the Redis Service renamed: the host without a Service is named', async () => {
  const fit = await fitMutated({
    'templates/redis.yaml': swap(/(kind: Service\nmetadata:\n {2}name: .*)-redis-master/g, '$1-cache'),
  });
  reported(fit, 'redis-host', 'kubently-redis-master');
});

test('a new mandatory env from an unknown Secret: Secret, key and env are named', async () => {
  const env = `            - name: LICENSE_KEY
              valueFrom:
                secretKeyRef: { name: kubently-license, key: license }
`;
  const fit = await fitMutated({ [inApi]: insert('            - name: API_KEYS\n', env) });
  reported(fit, 'secret-unknown', 'api: env LICENSE_KEY reads key license of Secret kubently-license');
});

test('values nested one level deeper: nothing is as meant, and each value is named or the refusal is', async () => {
  const deeper = swap(/\.Values\.api\b/g, '.Values.kubently.api');
  const fit = await fitMutated({
    'values.yaml': (text) => `kubently:\n${text.replace(/^(?=.)/gm, '  ')}${text}`,
    [inApi]: deeper,
    'templates/api-service.yaml': deeper,
    'templates/_helpers.tpl': deeper,
  });
  reported(fit, 'image', 'ghcr.io/kubently/kubently:latest');
  reported(fit, 'replicas', '3 replicas instead of 2');
  reported(fit, 'env', 'LLM_PROVIDER is not set');
});

test('an unknown TLS block that makes certificates: the object and the annotation are named', async () => {
  const fit = await fitMutated({
    'values.yaml': (text) => `${text}\ncertificates: { managed: true }\n`,
    'templates/zz-certificate.yaml': () =>
      '{{- if .Values.certificates.managed }}\napiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: { name: own-tls }\nspec: { secretName: own-tls }\n{{- end }}\n',
    'templates/ingress.yaml': swap('spec:\n', 'spec:\n  # tls by certificates\n'),
  });
  reported(fit, 'chart-tls', 'Certificate/own-tls');
});

test('an issuer annotation fixed in the template: named', async () => {
  const fit = await fitMutated({
    'templates/ingress.yaml': swap(
      'annotations: {{ toYaml . | nindent 4 }}',
      'annotations: {{ toYaml . | nindent 4 }}\n    cert-manager.io/issuer: internal',
    ),
  });
  reported(fit, 'ingress-issuer', 'cert-manager.io/issuer');
});

const SNIPPETS = ['configuration-snippet', 'server-snippet', 'auth-snippet', 'modsecurity-snippet'];

test.each(SNIPPETS)('%s fixed in the template: named; as a default of the values: taken out', async (name) => {
  const key = `nginx.ingress.kubernetes.io/${name}`;
  const fixed = await fitMutated({
    'templates/ingress.yaml': swap(
      'annotations: {{ toYaml . | nindent 4 }}',
      `annotations: {{ toYaml . | nindent 4 }}\n    ${key}: 'more_set_headers "X-Frame-Options: DENY";'`,
    ),
  });
  reported(fixed, 'ingress-snippet', key);
  const byDefault = await fitMutated({
    'values.yaml': swap('annotations: {}\n  hosts:', `annotations: { ${key}: 'return 200;' }\n  hosts:`),
  });
  expect(errors(byDefault)).toEqual([]);
  expect(byDefault.text).not.toContain('snippet');
});

test('a values schema that refuses unknown keys: the spellings it does not know are left out', async () => {
  const known = [
    'api',
    'executor',
    'redis',
    'ingress',
    'serviceAccount',
    'podSecurityContext',
    'securityContext',
    'fullAccessAcknowledged',
  ];
  const rest = [
    'nameOverride',
    'fullnameOverride',
    'autoscaling',
    'imagePullSecrets',
    'nodeSelector',
    'tolerations',
    'affinity',
    'global',
  ];
  const schema = {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries([...known, ...rest].map((k) => [k, {}])),
  };
  const fit = await fitMutated({ 'values.schema.json': () => JSON.stringify(schema) });
  expect(errors(fit)).toEqual([]);
  expect(Object.keys(fit.values)).not.toContain('kubentlyExecutor');
});

test('the image spelled by another key: what runs instead is named', async () => {
  const fit = await fitMutated(
    { [inExecutor]: swap('.Values.executor.image.tag', '.Values.executor.image.version') },
    remote,
  );
  reported(
    fit,
    'image',
    'ghcr.io/kubently/kubently/executor:1.0.0 instead of ghcr.io/kubently/kubently/executor:fff2b64',
  );
});

test('the token Secret spelled by another key: the refusal names what is missing', async () => {
  const rename = swap('.Values.executor.existingSecret ', '.Values.executor.tokenFrom ');
  const fit = await fitMutated({
    'templates/_helpers.tpl': swap('.Values.executor.existingSecret }}', '.Values.executor.tokenFrom }}'),
    'templates/executor-secret.yaml': (text) => rename(text.replace('existingSecret)', 'existingSecret )')),
  });
  reported(fit, 'chart-refuses', 'executor.token is required');
});

test('the ingress class spelled by another key: named', async () => {
  const fit = await fitMutated({
    'templates/ingress.yaml': swap('.Values.ingress.className', '(.Values.ingress.class | default "gce")'),
  });
  reported(fit, 'ingress-class', 'gce instead of nginx');
});

test('a value of the runbook that the chart stopped reading: named', async () => {
  const fit = await fitMutated({ 'templates/redis.yaml': swap('{{ .Values.redis.master.persistence.size }}', '8Gi') });
  expect(fit.findings).toContainEqual(
    expect.objectContaining({ id: 'value-ignored', path: 'redis.master.persistence.size', grade: 'warning' }),
  );
});

test('a duplicate key in values.yaml and one in a template: named', async () => {
  const fit = await fitMutated({
    'values.yaml': (text) => `${text}affinity: {}\n`,
    'templates/serviceaccount.yaml': swap('kind: ServiceAccount', 'kind: ServiceAccount\nkind: ServiceAccount'),
  });
  expect(
    errors(fit)
      .filter((f) => f.id === 'duplicate-key')
      .map((f) => f.object ?? f.path),
  ).toEqual(expect.arrayContaining(['values.yaml', 'ServiceAccount/kubently']));
});

test('an API version that is gone, a field that is none and a value of the wrong type: named', async () => {
  const fit = await fitMutated({
    'templates/hpa.yaml.disabled': swap('autoscaling/v2', 'autoscaling/v2beta2'),
    [inApi]: swap('imagePullPolicy:', 'imagePolicy:'),
    [inExecutor]: swap('replicas: 1', 'replicas: one'),
  });
  reported(fit, 'schema', 'autoscaling/v2beta2 is no longer served');
  reported(fit, 'unknown-field', '/spec/template/spec/containers/0/imagePolicy');
  reported(fit, 'schema', 'Deployment/kubently-executor /spec/replicas');
});

test('a random value in a template: told, and the values are still told apart', async () => {
  const fit = await fitMutated({
    'templates/serviceaccount.yaml': swap('metadata:', 'metadata:\n  annotations: { seed: "{{ randAlphaNum 12 }}" }'),
    'templates/redis.yaml': swap('{{ .Values.redis.master.persistence.size }}', '8Gi'),
  });
  expect(fit.findings.map((f) => f.id)).toEqual(expect.arrayContaining(['render-unsteady', 'value-ignored']));
});

test('a secret in a ConfigMap, a literal password and a debug flag: named', async () => {
  const fit = await fitMutated({
    'templates/api-config.yaml': swap('  system.prompt.yaml: |', '  WEBHOOK_TOKEN: abcdef\n  system.prompt.yaml: |'),
    [inApi]: insert(
      '            - name: API_KEYS\n',
      '            - { name: ADMIN_PASSWORD, value: hunter2 }\n            - { name: APP_DEBUG, value: "true" }\n',
    ),
  });
  reported(fit, 'secret-in-text', 'WEBHOOK_TOKEN');
  reported(fit, 'secret-in-text', 'env ADMIN_PASSWORD');
  reported(fit, 'debug-on', 'env APP_DEBUG');
});

test('objects in a List are inspected like any other, and a document without a name is named', async () => {
  const pod =
    '{ containers: [{ name: w, image: "w:1.2.3", env: [{ name: X, valueFrom: { secretKeyRef: { name: worker, key: x } } }] }] }';
  const labels = 'metadata: { labels: { app: worker } }';
  const fit = await fitMutated({
    'templates/worker.yaml': () =>
      `apiVersion: v1\nkind: List\nitems:\n  - apiVersion: apps/v1\n    kind: Deployment\n    metadata: { name: worker }\n    spec: { selector: { matchLabels: { app: worker } }, template: { ${labels}, spec: ${pod} } }\n`,
    'templates/nameless.yaml': () => 'apiVersion: v1\nkind: ConfigMap\nmetadata: { labels: { a: b } }\n',
  });
  reported(fit, 'secret-unknown', 'Deployment/worker w: env X reads key x of Secret worker');
  reported(fit, 'no-object', 'kubently/templates/nameless.yaml ConfigMap lacks metadata.name');
});

test('another namespace in every template, and one in a single object: where what goes is named', async () => {
  const templates = readdirSync(join(fixture('H'), 'templates')).filter((name) => /ya?ml/.test(name));
  const everywhere = swap('{{ .Release.Namespace }}', '{{ .Values.namespaceOverride | default .Release.Namespace }}');
  const all = await fitMutated({
    ...Object.fromEntries(templates.map((name) => [`templates/${name}`, everywhere])),
    'values.yaml': (text) => `${text}namespaceOverride: monitoring\n`,
  });
  reported(all, 'other-namespace', 'Deployment/kubently-api');
  reported(all, 'other-namespace', 'into namespace monitoring; the release and its Secrets are in kubently');
  expect(new Set(errors(all).map((f) => f.id))).toEqual(new Set(['other-namespace', 'binding']));
  const one = await fitMutated({
    'templates/api-config.yaml': swap('{{ .Release.Namespace }}', 'shared'),
    'templates/executor-rbac.yaml': swap(/(kind: ServiceAccount\n {4}name: .*\n {4}namespace: ).*/g, '$1shared'),
  });
  reported(one, 'other-namespace', 'ConfigMap/kubently-prompt');
  reported(one, 'binding', 'ServiceAccount kubently-executor of namespace shared');
});
