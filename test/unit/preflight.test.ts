import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { clusterWarnings } from '../../lib/runner/cluster-problems.ts';
import { proxyFailed } from '../../lib/base/proxy.ts';
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
  answers['kubectl get --raw /version --context gke-context --namespace default'] = version('1', '35');
  for (const context of ['gke-context', 'kind-context'])
    answers[`kubectl get --raw /readyz --context ${context} --namespace default`] = 'ok';
});

function version(major: string, minor: string): string {
  return JSON.stringify({ major, minor, gitVersion: `v${major}.${minor}.1-gke.1` });
}

async function found(tools: 'asked' | 'as kept' = 'asked') {
  const rows = Object.entries(answers).map(([line, answer]): Row => {
    const [binary = '', ...rest] = line.split(' ');
    return { binary: binary as Row['binary'], args: (a) => a.join(' ') === rest.join(' '), answer };
  });
  const outside = fakeOutside({ worlds: [google], rows });
  const problems = await preflight(contextOf(outside, given, true), tools);
  expect(outside.changes).toEqual([]);
  for (const { remedy } of problems) expect(remedy).toBeTruthy();
  remedies = problems.map((p) => p.remedy);
  return problems.map((p) => `${p.about}: ${p.message}`);
}
let remedies: string[] = [];

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
  const none: World = {
    request: ({ url }) => (/managedZones\/none|name=api\.example\.org/.test(url) ? json({}, 404) : undefined),
  };
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

const STATUS_OF = (): string => `git -C ${given.repo} status --porcelain`;

test.each<[string, () => unknown, string, string]>([
  [
    'a checkout of another user',
    () =>
      (answers[STATUS_OF()] = fails(
        `fatal: detected dubious ownership in repository at '/srv/kubently'\nTo add an exception for this directory, call: …`,
        128,
      )),
    "dubious ownership in repository at '/srv/kubently'; To add an exception",
    'git config --global --add safe.directory',
  ],
  [
    'a checkout that git cannot read',
    () => (answers[STATUS_OF()] = fails('fatal: index file corrupt', 128)),
    'fatal: index file corrupt',
    'git -C ',
  ],
  [
    'an exec plugin that says why',
    () =>
      (answers[READY] = fails(
        "E1127 memcache.go:265] couldn't get current server API group list\nERROR: (gcloud.config) invalid_grant: Bad Request\nUnable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin failed with exit code 1",
      )),
    'invalid_grant: Bad Request; Unable to connect to the server',
    'gcloud auth login',
  ],
  [
    'a clock that is wrong',
    () =>
      (answers[READY] = fails(
        'Unable to connect to the server: tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2020-01-01',
      )),
    'is not yet valid: current time 2020-01-01',
    "look at this machine's clock",
  ],
  [
    'an exec plugin that is not there',
    () =>
      (answers[READY] = fails(
        'Unable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin not found',
      )),
    'gke-gcloud-auth-plugin not found',
    'gcloud components install gke-gcloud-auth-plugin',
  ],
  [
    'a cluster version that is too old',
    () => (answers['kubectl get --raw /version --context gke-context --namespace default'] = version('1', '30+')),
    'runs Kubernetes v1.30+.1-gke.1; cert-manager v1.21.2 and Traefik are made for 1.33 and newer',
    'gcloud container clusters upgrade',
  ],
])('%s: the whole cause, and a remedy that fits', async (_, change, message, remedy) => {
  change();
  const problems = await found();
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(message);
  expect(remedies[0]).toContain(remedy);
});

test.each([
  ['kind-remote', 'kind export kubeconfig --name remote'],
  ['gke_my-project_us-central1_my-cluster', 'get-credentials my-cluster --location=us-central1 --project=my-project'],
  ['arn:aws:eks:eu-west-1:1:cluster/dev', 'kubectl --context arn:aws:eks:eu-west-1:1:cluster/dev cluster-info'],
])('a cluster %s that is away gets the remedy of its kind', async (context, remedy) => {
  given = { ...given, remotes: given.remotes.map((r) => ({ ...r, context })) };
  answers[`kubectl get --raw /readyz --context ${context} --namespace default`] = fails(
    'The connection to the server 127.0.0.1:40123 was refused - did you specify the right host or port?',
  );
  expect(await found()).toHaveLength(1);
  expect(remedies[0]).toContain(remedy);
});

test('every right that is missing is named at once, with a role that holds it', async () => {
  const lacking = ['compute.addresses.create', 'iam.serviceAccounts.create', 'resourcemanager.projects.setIamPolicy'];
  google = Object.assign(new FakeGoogle(), { lacking });
  expect(await found()).toEqual(lacking.map((p) => `GCP_PROJECT: you lack ${p} in project unit-project`));
  expect(remedies.map((r) => r.split('--role=')[1])).toEqual([
    'roles/compute.networkAdmin',
    'roles/iam.serviceAccountAdmin',
    'roles/resourcemanager.projectIamAdmin',
  ]);
});

test('who deploys again needs no right to make what is there', async () => {
  const fake = new FakeGoogle().reserved().withAccount('x', ['key-1']);
  google = Object.assign(fake, { lacking: ['compute.addresses.create', 'iam.serviceAccountKeys.create'] });
  expect(await found()).toEqual([]);
});

/** Google that refuses what the address matches. */
function refusing(part: string, answer: ReturnType<typeof json>): void {
  const fake = new FakeGoogle();
  google = {
    command: fake.command,
    request: (r) => (r.url.includes(part) ? answer : fake.request(r)),
  };
}

test.each([
  ['compute', 'compute.googleapis.com'],
  ['iam', 'iam.googleapis.com'],
  ['cloudresourcemanager', 'cloudresourcemanager.googleapis.com'],
  ['dns', 'dns.googleapis.com'],
])('%s is asked: an API that is not enabled is told once, in Google’s words', async (_, host) => {
  const details = [{ reason: 'SERVICE_DISABLED', metadata: { service: host } }];
  refusing(`//${host}/`, json({ error: { code: 403, message: `${host} is disabled in it`, details } }, 403));
  expect(await found()).toEqual([`GCP_PROJECT: cannot be read: ${host} is disabled in it`]);
  expect(remedies[0]).toContain(`gcloud services enable ${host} --project=unit-project`);
});

test('a read that is refused for want of a right names the right', async () => {
  const denied = json({ error: { code: 403, message: "Required 'compute.addresses.get' permission" } }, 403);
  refusing('/addresses/', denied);
  const fake = google;
  google = {
    command: fake.command,
    request: (r) =>
      r.url.endsWith(':testIamPermissions')
        ? json({
            permissions: (r.body as { permissions: string[] }).permissions.filter((p) => !p.startsWith('compute')),
          })
        : fake.request?.(r),
  } as World;
  expect(await found()).toEqual(['GCP_PROJECT: you lack compute.addresses.get in project unit-project']);
});

test('a cluster newer than what was tried is a warning, and stops nothing', async () => {
  const rows: Row[] = [{ binary: 'kubectl', args: (a) => a.includes('/version'), answer: version('1', '38') }];
  expect(await clusterWarnings(contextOf(fakeOutside({ rows }), given, true))).toEqual([
    'gke-context runs Kubernetes v1.38.1-gke.1; cert-manager v1.21.2 is made for 1.33 to 1.36',
  ]);
});

test.each<[string, Error, string]>([
  [
    'a proxy',
    proxyFailed(new URL('http://p.test:3128'), 'dns.googleapis.com:443', 407, 'No'),
    'HTTPS_PROXY: http://USER',
  ],
  ['the network', new Error('getaddrinfo ENOTFOUND dns.googleapis.com'), 'Google must be reachable from here'],
])('%s in the way to Google is no matter of signing in', async (_, error, remedy) => {
  const refusing: World = {
    request: () => {
      throw error;
    },
  };
  const signedIn: Row = { binary: 'gcloud', args: (a) => a[0] === 'auth', answer: 'token' };
  const problems = await preflight(contextOf(fakeOutside({ worlds: [refusing], rows: [signedIn] }), given), 'asked');
  const told = problems.find((p) => p.about === 'GCP_PROJECT');
  expect(told?.remedy).toContain(remedy);
  expect(told?.remedy).not.toContain('gcloud auth login');
});
