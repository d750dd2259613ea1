/** The plan's own two values files, verbatim, on every shape: what the contract's table 2.3 says they give. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { inspectRelease, type Inspection } from '../../lib/chart/inspect.ts';
import { merged, type Values } from '../../lib/chart/value-tree.ts';
import { fixture, gke, remote, render, type Shape } from './releases.ts';

/** The file as the plan's heredoc writes it: the shell puts the SHA in. */
async function planFile(name: 'gke' | 'remote'): Promise<Values> {
  const text = await readFile(join(import.meta.dirname, 'plan', `${name}.yaml`), 'utf8');
  return parse(text.replaceAll('${GIT_SHA}', 'fff2b64')) as Values;
}

/** The plan lets the executor in GKE ask the Service. */
const specs = { gke: { ...gke, executorApiUrl: 'http://kubently-api:8080' }, remote };

async function inspectPlan(shape: Shape, side: 'gke' | 'remote', more: Values = {}): Promise<Inspection> {
  return inspectRelease(specs[side], merged(await planFile(side), more), fixture(shape), render);
}

const ids = (inspection: Inspection) => inspection.findings.map((f) => f.id);
const pathsOf = (inspection: Inspection, id: string) =>
  inspection.findings.filter((f) => f.id === id).map((f) => f.path);
const refusalOf = (inspection: Inspection) => inspection.findings.find((f) => f.id === 'chart-refuses')?.message;

const WITH_SECRET = (name: string): Values => ({ executor: { existingSecret: name } });
const COMPLETED: Values = {
  executor: { existingSecret: 'kubently-executor-token', apiUrl: 'http://kubently-api:8080' },
};

/** What would keep the pods from starting or from being there. */
const INCOMPLETE =
  /^(secret-(unknown|empty|placeholder|chart-made)|configmap-unknown|no-|chart-refuses|redis-|image$|schema$)/;
const incomplete = (inspection: Inspection) => ids(inspection).filter((id) => INCOMPLETE.test(id));

test('GKE file at A: renders with an empty token, a placeholder key and the public URL', async () => {
  const found = await inspectPlan('A', 'gke');
  expect(found.findings).toContainEqual(
    expect.objectContaining({ id: 'secret-empty', object: 'Secret/kubently-executor-token', path: 'token' }),
  );
  expect(found.findings).toContainEqual(
    expect.objectContaining({ id: 'secret-placeholder', object: 'Secret/kubently-api-keys', path: 'keys' }),
  );
  expect(found.findings).toContainEqual(
    expect.objectContaining({
      id: 'env',
      path: 'KUBENTLY_API_URL',
      message: expect.stringContaining('https://test-api.kubently.io') as string,
    }),
  );
  // force-ssl-redirect twice (1.7), and a Certificate of the chart's own.
  expect(found.findings).toContainEqual(
    expect.objectContaining({ id: 'duplicate-key', message: expect.stringContaining('force-ssl-redirect') as string }),
  );
  expect(ids(found)).toContain('chart-tls');
});

test.each<Shape>(['B', 'C', 'H'])('GKE file at %s: refused for the token', async (shape) => {
  expect(refusalOf(await inspectPlan(shape, 'gke'))).toMatch(/executor\.token is required/);
});

test('GKE file with existingSecret and apiUrl at A: still an empty token', async () => {
  expect(ids(await inspectPlan('A', 'gke', COMPLETED))).toContain('secret-empty');
});

test('GKE file with existingSecret and apiUrl at C: renders without any API', async () => {
  expect(incomplete(await inspectPlan('C', 'gke', COMPLETED))).toContain('no-api');
});

test.each<Shape>(['B', 'H'])(
  'GKE file with existingSecret and apiUrl at %s: complete, with faults told',
  async (shape) => {
    const found = await inspectPlan(shape, 'gke', COMPLETED);
    expect(incomplete(found)).toEqual([]);
    expect(ids(found)).toEqual(
      expect.arrayContaining(['model-retired', 'ingress-issuer', 'annotation-not-honoured', 'value-ignored']),
    );
    expect(pathsOf(found, 'value-ignored')).toEqual(
      expect.arrayContaining([
        'api.apiKeysSecret',
        'executor.tokenSecret.name',
        'executor.tokenSecret.key',
        'podDisruptionBudget.enabled',
        'redis.architecture',
        'redis.master.persistence.enabled',
        'redis.master.resources.requests.cpu',
      ]),
    );
    const onlyH = ['tls.enabled', 'kubentlyExecutor.securityMode', 'executor.replicaCount'];
    for (const key of onlyH) expect(pathsOf(found, 'value-ignored').includes(key)).toBe(shape === 'H');
    // Kubently-api-tokens of step 2.3 is read by no shape: it is in no list of Secrets.
    expect(found.secrets.map((s) => s.name)).not.toContain('kubently-api-tokens');
  },
);

test('Kind file at A: refused for the missing Redis', async () => {
  expect(refusalOf(await inspectPlan('A', 'remote'))).toMatch(/externalRedis\.url/);
});

test.each<Shape>(['B', 'C', 'H'])('Kind file at %s: refused for the token', async (shape) => {
  expect(refusalOf(await inspectPlan(shape, 'remote'))).toMatch(/executor\.token is required|externalRedis\.url/);
});

test.each<Shape>(['A', 'B'])('Kind file with existingSecret at %s: refused for the missing Redis', async (shape) => {
  expect(refusalOf(await inspectPlan(shape, 'remote', WITH_SECRET('kubently-executor-token')))).toMatch(
    /externalRedis\.url/,
  );
});

test.each<Shape>(['C', 'H'])('Kind file with existingSecret at %s: complete', async (shape) => {
  const found = await inspectPlan(shape, 'remote', WITH_SECRET('kubently-executor-token'));
  expect(incomplete(found)).toEqual([]);
  expect(found.secrets.map((s) => s.name)).toEqual(['kubently-executor-token']);
});
