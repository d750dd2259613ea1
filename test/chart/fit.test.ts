/** One meaning on every shape of the chart: complete on B, C and H, refused at A. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ChartRefused, fitRelease, type Fit } from '../../lib/chart/fit.ts';
import { isMoving } from '../../lib/chart/rules/images.ts';
import { CA_FILE, LLM_CA_FILE, LLM_CA_FOLDER, type ReleaseSpec } from '../../lib/chart/release-spec.ts';
import { inspectRelease } from '../../lib/chart/inspect.ts';
import { at, merged } from '../../lib/chart/value-tree.ts';
import { envOf, workloads } from '../../lib/chart/workloads.ts';
import { fixture, mutated, gke, remote, render, type Shape } from './releases.ts';

const COMPLETE: Shape[] = ['B', 'C', 'H'];

const errors = (fit: Fit) => fit.findings.filter((f) => f.grade === 'error');
const warned = (fit: Fit) => [...new Set(fit.findings.map((f) => f.id))].sort();

test.each(COMPLETE)('GKE side on %s: complete, every value read, every Secret known', async (shape) => {
  const fit = await fitRelease(gke, fixture(shape), render);
  expect(errors(fit)).toEqual([]);
  const honoured = shape === 'B' ? ['annotation-not-honoured'] : [];
  expect(warned(fit)).toEqual([...honoured, 'hpa-stray', 'image-moving', 'secret-on-command-line'].sort());
  expect(fit.secrets.map(({ name, keys, optional }) => ({ name, keys: keys.toSorted(), optional }))).toEqual([
    { name: 'kubently-redis-password', keys: ['password'], optional: false },
    { name: 'kubently-executor-token', keys: ['token'], optional: false },
    { name: 'kubently-api-keys', keys: ['keys'], optional: false },
    {
      name: 'kubently-llm-secrets',
      keys: ['ANTHROPIC_API_KEY', 'GOOGLE_API_KEY', 'OPENAI_API_KEY'],
      optional: true,
    },
  ]);
  expect(fit.objects.filter((o) => ['Secret', 'Certificate', 'Issuer', 'ClusterIssuer'].includes(o.kind))).toEqual([]);
  expect(fit.text).not.toContain('cert-manager.io/');
  // So that /health says what the client spoke, not what the ingress speaks to the pod.
  const api = workloads(fit.objects).find((w) => w.name === 'Deployment/kubently-api');
  expect(envOf(api?.containers ?? [], 'FORWARDED_ALLOW_IPS')?.value).toBe('*');
});

test.each(COMPLETE)('remote side on %s: an executor and nothing else that runs', async (shape) => {
  const fit = await fitRelease(remote, fixture(shape), render);
  expect(errors(fit)).toEqual([]);
  expect(fit.secrets).toEqual([
    {
      namespace: 'kubently-remote',
      name: 'kubently-remote-executor-token',
      keys: ['token'],
      holds: { token: 'executor-token' },
      optional: false,
    },
  ]);
  const running = workloads(fit.objects).filter((w) => w.replicas > 0);
  expect(running.map((w) => w.name)).toEqual(['Deployment/kubently-remote-executor']);
  expect(fit.extras.map((a) => a.kind)).toEqual([
    'register-token',
    ...(shape === 'H' ? ['ends-soon'] : []),
    'restart-on-secret-change',
    'hpa-remove',
  ]);
});

test.each(COMPLETE)(
  'another remote on %s, fitted like the first: the same values as by itself, in few renders',
  async (shape) => {
    const other: ReleaseSpec = { ...remote, release: 'kubently-other', namespace: 'other', clusterId: 'other' };
    const [first, alone] = await Promise.all([remote, other].map((m) => fitRelease(m, fixture(shape), render)));
    let renders = 0;
    const counted: typeof render = (r) => render(r).finally(() => renders++);
    const like = await fitRelease(other, fixture(shape), counted, first?.values);
    expect(like.values).toEqual(alone?.values);
    expect(like.text).toBe(alone?.text);
    expect(renders).toBeLessThanOrEqual(5);
  },
);

test.each<[string, ReleaseSpec]>([
  ['GKE', gke],
  ['remote', remote],
])('%s side on A: refused, since no Secret can be referenced', async (_, spec) => {
  const refusal = await fitRelease(spec, fixture('A'), render).catch((e: unknown) => e);
  expect(refusal).toBeInstanceOf(ChartRefused);
  const { reason, firstChart } = refusal as ChartRefused;
  expect(reason).toContain(`${spec.release}-executor-token (executor-token)`);
  if (spec.side === 'gke') expect(reason).toContain('kubently-api-keys (api-keys)');
  expect(firstChart).toContain('5d13e03');
});

test('what one shape does not know is left out of its values, and the others keep it', async () => {
  const [b, c, h] = await Promise.all(COMPLETE.map((shape) => fitRelease(gke, fixture(shape), render)));
  expect(at(b?.values, ['tls', 'enabled'])).toBe(false);
  expect(at(c?.values, ['tls'])).toBeUndefined();
  expect(at(b?.values, ['kubentlyExecutor', 'securityMode'])).toBe('readOnly');
  expect(at(h?.values, ['kubentlyExecutor'])).toBeUndefined();
  expect(at(h?.values, ['executor', 'security', 'mode'])).toBe('readOnly');
  expect(at(b?.values, ['api', 'enabled'])).toBeUndefined();
  expect(at(c?.values, ['api', 'enabled'])).toBe(true);
  // Only the old role lets the executor read Secrets.
  expect(at(b?.values, ['executor', 'rbacRules'])).toBeDefined();
  expect(at(c?.values, ['executor', 'rbacRules'])).toBeUndefined();
  expect(at(b?.values, ['ingress', 'annotations', 'cert-manager.io/cluster-issuer'])).toBeNull();
});

test('a private CA: by value where the chart takes the env entry, else by the patch around it', async () => {
  const withCa = { ...remote, caFile: true };
  const [b, h] = await Promise.all([
    fitRelease(withCa, fixture('B'), render),
    fitRelease(withCa, fixture('H'), render),
  ]);
  const patchOf = (fit: Fit) => JSON.stringify(fit.extras.find((a) => a.kind === 'trusted-ca'));
  expect(at(h.values, ['executor', 'env', 'KUBENTLY_CA_CERT'])).toBe(CA_FILE);
  expect(patchOf(h)).not.toContain('"env"');
  expect(at(b.values, ['executor', 'env', 'KUBENTLY_CA_CERT'])).toBeUndefined();
  expect(patchOf(b)).toContain(`"value":"${CA_FILE}"`);
  expect(patchOf(b)).toContain('"deployment":"kubently-remote-executor"');
});

test('a gateway before the model: its URL and CA by env entries, the CA mounted', async () => {
  const gateway = { ...gke, llmBaseUrl: 'https://llm.example.com', llmCaFile: true };
  for (const shape of ['B', 'C', 'H'] as const) {
    const fit = await fitRelease(gateway, fixture(shape), render);
    expect(errors(fit)).toEqual([]);
    expect(at(fit.values, ['api', 'env', 'ANTHROPIC_BASE_URL'])).toBe('https://llm.example.com');
    expect(at(fit.values, ['api', 'env', 'SSL_CERT_FILE'])).toBe(LLM_CA_FILE);
    const [trust] = fit.extras.filter((a) => a.kind === 'trusted-ca' && a.of === 'llm');
    expect(JSON.stringify(trust)).toContain('"deployment":"kubently-api"');
    expect(JSON.stringify(trust)).toContain(`"mountPath":"${LLM_CA_FOLDER}"`);
  }
  const openai = await fitRelease({ ...gateway, llmProvider: 'openai', model: 'gpt-5' }, fixture('H'), render);
  expect(at(openai.values, ['api', 'env', 'OPENAI_BASE_URL'])).toBe('https://llm.example.com');
});

test('an API that rolls as Kubernetes does by default starts all its new pods first; a chart that says how is left alone', async () => {
  const fit = await fitRelease(gke, fixture('H'), render);
  expect(fit.extras).toContainEqual(expect.objectContaining({ kind: 'rolls-at-once', deployment: 'kubently-api' }));
  const change = (text: string): string => text.replace(/^spec:$/m, 'spec:\n  strategy: { type: Recreate }');
  await mutated('H', { 'templates/api-deployment.yaml': change }, async (chart) => {
    const own = await fitRelease(gke, chart, render);
    expect(own.extras.filter((a) => a.kind === 'rolls-at-once')).toEqual([]);
  });
});

test('the API’s pods are spread over nodes; a chart that keeps them apart itself is left alone', async () => {
  const spread = async (chart: string): Promise<unknown[]> =>
    (await fitRelease(gke, chart, render)).extras.filter((a) => a.kind === 'spread');
  const [own] = await spread(fixture('H'));
  expect(JSON.stringify(own)).toContain('"whenUnsatisfiable":"ScheduleAnyway"');
  const change = (text: string): string =>
    text.replace(
      /^( {4}spec:)$/m,
      '$1\n      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule }]',
    );
  await mutated('H', { 'templates/api-deployment.yaml': change }, async (chart) => {
    expect(await spread(chart)).toEqual([]);
  });
});

test('an executor that Recreate replaces ends soon; a chart that says how long is left alone', async () => {
  const fit = await fitRelease(remote, fixture('H'), render);
  expect(fit.extras).toContainEqual(
    expect.objectContaining({
      kind: 'ends-soon',
      says: 'a pod of Deployment/kubently-remote-executor ends within 5 s',
    }),
  );
  const change = (text: string): string =>
    text.replace(/^( +)containers:/m, '$1terminationGracePeriodSeconds: 60\n$1containers:');
  await mutated('H', { 'templates/executor-deployment.yaml': change }, async (chart) => {
    const own = await fitRelease(remote, chart, render);
    expect(own.extras.filter((a) => a.kind === 'ends-soon')).toEqual([]);
  });
});

test('a release name without kubently: the Redis host is brought together by fullnameOverride', async () => {
  const fit = await fitRelease({ ...gke, release: 'prod' }, fixture('H'), render);
  expect(errors(fit)).toEqual([]);
  expect(fit.values['fullnameOverride']).toBe('prod');
});

test('around the GKE release: what values cannot do, with the names of the render', async () => {
  const { extras } = await fitRelease({ ...gke, replicas: 3 }, fixture('H'), render);
  expect(extras).toContainEqual(
    expect.objectContaining({ kind: 'certificate', name: 'kubently-api-tls', host: gke.host }),
  );
  expect(extras).toContainEqual(
    expect.objectContaining({ kind: 'hpa-adopt', name: 'kubently-api', minReplicas: 3, maxReplicas: 10 }),
  );
  const labels = (component: string) => ({
    'app.kubernetes.io/name': 'kubently',
    'app.kubernetes.io/instance': 'kubently',
    'app.kubernetes.io/component': component,
  });
  expect(extras).toContainEqual(
    expect.objectContaining({ kind: 'network-policy', redis: labels('redis'), api: labels('api'), port: 6379 }),
  );
  expect(extras).toContainEqual(expect.objectContaining({ kind: 'pod-disruption-budget', selector: labels('api') }));
  const drained = extras.find((a) => a.kind === 'drained-first');
  expect(drained).toMatchObject({ deployment: 'kubently-api' });
  expect(JSON.stringify(drained)).toContain('{"name":"api","lifecycle":{"preStop":{"sleep":{"seconds":5}}}}');
});

test('the API inside the cluster over plain http is a warning, not silence', async () => {
  const fit = await fitRelease({ ...gke, executorApiUrl: 'http://kubently-api:8080' }, fixture('H'), render);
  expect(errors(fit)).toEqual([]);
  expect(fit.findings).toContainEqual(expect.objectContaining({ grade: 'warning', id: 'plain-http' }));
  const executor = workloads(fit.objects).find((w) => w.name === 'Deployment/kubently-executor');
  expect(envOf(executor?.containers ?? [], 'KUBENTLY_API_URL')?.value).toBe('http://kubently-api:8080');
});

test('both sides of one chart in at most 5 s', { retry: 2 }, async () => {
  const started = performance.now();
  await Promise.all([fitRelease(gke, fixture('B'), render), fitRelease(remote, fixture('B'), render)]);
  expect(performance.now() - started).toBeLessThan(5000);
});

test("the rehearsal's own chart fits as the shape it has", async () => {
  const chart = join(import.meta.dirname, '..', '..', 'sandbox', 'kubently', 'deployment', 'helm', 'kubently');
  const [api, executor] = await Promise.all([fitRelease(gke, chart, render), fitRelease(remote, chart, render)]);
  expect([...errors(api), ...errors(executor)]).toEqual([]);
  expect(warned(api)).toEqual(['hpa-stray', 'image-moving', 'secret-on-command-line']);
});

test('keys in the values of a chart that takes existing Secrets: emitted twice, and told as a secret in the text', async () => {
  const fit = await fitRelease(gke, fixture('H'), render);
  const values = merged(fit.values, { api: { apiKeys: ['cli-user:abcdef'] } });
  const found = await inspectRelease(gke, values, fixture('H'), render);
  const of = (id: string) => found.findings.filter((f) => f.id === id).map((f) => f.object);
  expect(of('emitted-twice')).toEqual(['Secret/kubently-api-keys']);
  expect(of('secret-in-text')).toEqual(['Secret/kubently-api-keys']);
  expect(of('secret-chart-made')).toEqual(['Secret/kubently-api-keys']);
});

test.each([
  ['0123456', false],
  ['7', true],
  ['7-alpine', true],
  ['latest', true],
  ['1.28.0', false],
  [undefined, true],
])('image tag %s moves: %s', (tag, moves) => expect(isMoving(tag)).toBe(moves));
