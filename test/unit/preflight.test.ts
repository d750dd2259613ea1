import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { preflight } from '../../lib/runner/preflight.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import { FakeGoogle } from './fake-google.ts';
import { contextOf, fails, fakeClock, fakeOutside, json, settings, type Row, type World } from './outside.ts';

const VERSIONS: Record<string, string> = {
  'kubectl version --client -o json': '{"clientVersion":{"gitVersion": "v1.35.0"}}',
  'helm version --short': 'v4.1.4+gabc',
  'gcloud version --format=value("Google Cloud SDK")': '528.0.0',
  'git --version': 'git version 2.39.5',
  'docker version --format {{.Server.Version}}': '20.10.24',
  'npm --version': '10.9.0',
};
let given: Settings;
let answers: Record<string, Row['answer']>;
let google: World;

beforeEach(() => {
  given = settings();
  answers = { ...VERSIONS };
  google = new FakeGoogle();
  for (const path of [
    'deployment/helm/kubently/Chart.yaml',
    'deployment/docker/api/Dockerfile',
    'deployment/docker/executor/Dockerfile',
    'kubently-cli/nodejs/package.json',
  ]) {
    mkdirSync(dirname(join(given.repo, path)), { recursive: true });
    writeFileSync(join(given.repo, path), '');
  }
  answers[`git -C ${given.repo} status --porcelain`] = '';
  for (const context of ['gke-context', 'kind-context'])
    answers[`kubectl get --raw /readyz --context ${context} --namespace default`] = 'ok';
});

async function found(tools: 'asked' | 'as kept' = 'asked') {
  const rows = Object.entries(answers).map(([line, answer]): Row => {
    const [binary = '', ...rest] = line.split(' ');
    return { binary: binary as Row['binary'], args: (a) => a.join(' ') === rest.join(' '), answer };
  });
  const outside = fakeOutside({ worlds: [google], rows });
  const problems = await preflight(contextOf(outside, given, true), tools);
  expect(outside.changes).toEqual([]);
  for (const { remedy } of problems) expect(remedy).toBeTruthy();
  return problems.map((p) => `${p.about}: ${p.message}`);
}

test('a machine and a project as they should be: no problem, nothing changed', async () => {
  expect(await found()).toEqual([]);
});

const READY = 'kubectl get --raw /readyz --context kind-context --namespace default';
test.each<[string, () => unknown, string]>([
  [
    'a kubectl that is too old',
    () => (answers['kubectl version --client -o json'] = '"gitVersion": "v1.32.0"'),
    'kubectl: is version 1.32, wanted at least 1.33',
  ],
  ['helm 3', () => (answers['helm version --short'] = 'v3.18.0'), 'helm: is version 3.18, wanted at least 4.0'],
  [
    'no Docker',
    () => (answers['docker version --format {{.Server.Version}}'] = fails('Cannot connect to the Docker daemon')),
    'docker: does not answer',
  ],
  [
    'no gcloud',
    () => (answers['gcloud version --format=value("Google Cloud SDK")'] = fails('gcloud: not found', 127)),
    'gcloud: does not answer',
  ],
  [
    'an unknown context',
    () => (answers[READY] = fails('error: context "kind-context" does not exist')),
    'REMOTE_CLUSTERS: ',
  ],
  [
    'another zone',
    () => (given = { ...given, host: 'api.example.org' }),
    'API_HOST: "api.example.org" does not lie in zone kubently-io (kubently.io.)',
  ],
  [
    'no zone',
    () => (given = { ...given, dnsZone: 'none' }),
    'DNS_ZONE: project unit-project has no managed zone "none"',
  ],
  [
    'a dirty checkout',
    () => (answers[`git -C ${given.repo} status --porcelain`] = ' M chart\n?? x\n'),
    'has 2 uncommitted changes (M chart…)',
  ],
  [
    'no git checkout',
    () => (answers[`git -C ${given.repo} status --porcelain`] = fails('fatal: not a git repository', 128)),
    'is no git checkout',
  ],
  ['no checkout at all', () => (given = { ...given, repo: '/nonexistent' }), 'is no checkout of Kubently: it lacks '],
])('%s', async (_, change, message) => {
  change();
  const none: World = { request: ({ url }) => (url.endsWith('/managedZones/none') ? json({}, 404) : undefined) };
  const real = google;
  google = { command: real.command, request: (r) => real.request?.(r) ?? none.request?.(r) } as World;
  const problems = await found();
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(message);
});

test('all problems at once', async () => {
  answers['npm --version'] = '8.0.0';
  answers['git --version'] = 'git version 2.20';
  answers[READY] = fails('connection refused');
  expect((await found()).map((p) => p.split(':')[0]).sort()).toEqual(['REMOTE_CLUSTERS', 'git', 'npm']);
});

test('a run asks each tool once for each file of it and each day, Docker every time; doctor always', async () => {
  const bin = join(given.repo, '..', 'bin');
  mkdirSync(bin);
  const place = (tool: string): void => {
    rmSync(join(bin, tool), { force: true });
    writeFileSync(join(bin, tool), '');
  };
  const tools = ['kubectl', 'helm', 'gcloud', 'git', 'docker', 'npm'];
  tools.forEach(place);
  given = { ...given, childEnvironment: { ...given.childEnvironment, PATH: bin } };
  answers['npm --version'] = '8.0.0';
  expect(await found('as kept')).toHaveLength(1);
  for (const line of Object.keys(VERSIONS)) answers[line] = fails('asked again');
  const again = async (asked: 'asked' | 'as kept'): Promise<string> =>
    (await found(asked)).map((p) => p.split(':')[0]).join(' ');
  expect(await again('as kept')).toBe('docker npm');
  place('helm');
  expect(await again('as kept')).toBe('helm docker npm');
  expect(await again('asked')).toBe(tools.join(' '));
  const yesterday = fakeClock().clock.now() / 1000 - 25 * 3600;
  utimesSync(join(given.folder, 'tools.json'), yesterday, yesterday);
  expect(await again('as kept')).toBe(tools.join(' '));
});

test.each([
  ['insecure-skip-tls-verify: true', 'https://10.0.0.1:6443', 'its kubeconfig says insecure-skip-tls-verify'],
  ['tls-server-name: x', 'http://10.0.0.1:8080', 'it is reached without TLS (http://10.0.0.1:8080)'],
])('a context with %s at %s is refused, and nothing is sent there', async (line, server, says) => {
  const home = given.childEnvironment['HOME'] ?? '';
  mkdirSync(join(home, '.kube'));
  const cluster = (name: string, text: string): string => `- name: ${name}\n  cluster:\n    ${text}\n`;
  writeFileSync(
    join(home, '.kube', 'config'),
    `clusters:\n${cluster('bad', `server: ${server}\n    ${line}`)}${cluster('good', 'server: https://10.0.0.2')}` +
      'contexts:\n- name: gke-context\n  context: { cluster: bad, user: u }\n- name: kind-context\n  context: { cluster: good, user: u }\n',
  );
  answers['kubectl get --raw /readyz --context gke-context --namespace default'] = () => {
    throw new Error('it was asked');
  };
  const problems = await found();
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(`GKE_CONTEXT: context "gke-context" is not used: ${says}`);
});
