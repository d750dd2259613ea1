import { readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { BadInput, explain, type Problem } from '../../lib/base/failure.ts';
import { scrub } from '../../lib/base/secret.ts';
import { loadSettings, type Settings } from '../../lib/settings/settings.ts';
import { exampleFile, ROWS } from '../../lib/settings/settings-table.ts';
import { temporaryFolder } from './outside.ts';
import { writeSettings } from './settings-file.ts';

let file: string;

beforeEach(() => {
  file = join(temporaryFolder(), 'settings.env');
});

const write = (changed: Record<string, string | undefined> = {}, more = ''): string =>
  writeSettings(file, changed, more);
const load = (env: NodeJS.ProcessEnv = {}): Settings => loadSettings({ ENV_FILE: file, ...env });

function problems(env: NodeJS.ProcessEnv = {}): readonly Problem[] {
  try {
    load(env);
  } catch (error) {
    if (error instanceof BadInput) return error.problems;
    throw error;
  }
  return [];
}

test('the least file, and every default', () => {
  write();
  expect(load()).toMatchObject({
    profile: 'staging',
    project: 'unit-project',
    region: 'us-central1',
    staticIpName: 'kubently-ingress-ip',
    dns01Auth: 'key',
    dns01Account: 'cert-manager-dns01',
    gke: { context: 'unit-gke', namespace: 'kubently' },
    release: 'kubently',
    gkeClusterId: 'gke',
    remotes: [{ id: 'kind-remote', context: 'unit-kind', namespace: 'kubently-remote', release: 'kubently-remote' }],
    gkeExecutorApiUrl: 'https://unit-api.kubently.io',
    repo: join(homedir(), 'repos/kubently'),
    images: { registry: 'ghcr.io/kubently/kubently', user: 'kubently', token: undefined },
    apiReplicas: 2,
    llm: { provider: 'anthropic-claude', model: 'claude-sonnet-4-6', keys: {} },
    tokensFile: join(homedir(), '.kubently-tokens-unit-api.kubently.io.env'),
    tls: { issuer: undefined, caFile: undefined, own: undefined },
    backup: { recipients: [], identityFile: undefined, bucket: undefined, keepDays: 30 },
    ingressController: 'traefik',
    dnsServer: undefined,
    file,
  });
});

test.each<[string, string, string]>([
  ['PROFILE', 'prod', 'must be staging or production'],
  ['GCP_PROJECT', 'Unit_Project', 'is not a Google Cloud project id'],
  ['GCP_REGION', 'us-central1-a', 'is not a region such as us-central1'],
  ['DNS_ZONE', 'kubently.io', 'must be lower-case letters, digits and hyphens'],
  ['API_HOST', 'localhost', 'is not a DNS name'],
  ['API_HOST', 'https://api.kubently.io', 'is not a DNS name'],
  ['STATIC_IP_NAME', 'An IP', 'must be lower-case'],
  ['DNS01_AUTH', 'none', 'workload-identity'],
  ['DNS01_ACCOUNT', 'dns', 'is not a service account id'],
  ['NAMESPACE', '-kubently', 'must be lower-case'],
  ['RELEASE', 'production', 'must contain "kubently"'],
  ['RELEASE', `kubently-${'x'.repeat(50)}`, 'at most 53'],
  ['GKE_CLUSTER_ID', 'a_b', 'must be lower-case'],
  ['REMOTE_CLUSTERS', 'kind-remote', 'has the form id=context[/namespace[/release]]'],
  ['REMOTE_CLUSTERS', 'kind=ctx/ns/kubently/more', 'has the form'],
  ['REMOTE_CLUSTERS', 'Kind=ctx', '"Kind=ctx": id must be lower-case'],
  ['REMOTE_CLUSTERS', 'kind=ctx/ns/other', 'release must contain "kubently"'],
  ['REMOTE_CLUSTERS', 'gke=ctx', 'has the cluster id "gke" twice'],
  ['REMOTE_CLUSTERS', 'a=unit-gke/other/kubently', 'has the release unit-gke/kubently twice'],
  ['REMOTE_CLUSTERS', 'a=c/n1/kubently-a, b=c/n2/kubently-a', 'has the release c/kubently-a twice'],
  ['GKE_EXECUTOR_API_URL', 'kubently-api:8080', 'must be an http(s):// URL'],
  ['GKE_EXECUTOR_API_URL', 'http://kubently-api:8080/', 'must not end with a slash'],
  ['GKE_EXECUTOR_API_URL', 'http://test-api.kubently.io', 'may be plain http only to a Service of the cluster'],
  ['GKE_EXECUTOR_API_URL', 'http://localhost:8080', 'may be plain http only to a Service of the cluster'],
  ['IMAGE_REGISTRY', 'https://ghcr.io/kubently', 'must be host/path without a scheme'],
  ['IMAGE_REGISTRY', 'ghcr.io', 'must be host/path without a scheme'],
  ['API_REPLICAS', '0', 'API_REPLICAS'],
  ['API_REPLICAS', 'two', 'API_REPLICAS'],
  ['API_REPLICAS', '1.5', 'API_REPLICAS'],
  ['LLM_PROVIDER', 'acme', 'anthropic-claude'],
  ['ACME_EMAIL', 'you', 'is not an e-mail address'],
  ['ACME_EMAIL', 'you@example.com', 'is still the placeholder'],
  ['TLS_ISSUER', 'prod', 'production'],
  ['ACME_STAGING_SERVER', 'http://acme', 'must be an https:// URL'],
  ['ACME_CA_FILE', '/none-such.pem', 'does not exist'],
  ['TLS_CA_FILE', '/none-such.pem', 'does not exist'],
  ['TLS_CA_FILE', '/etc/hostname', 'without a PEM certificate'],
  ['CERT_MANAGER_CHART', 'cert-manager', 'must be an oci:// or https:// URL, or a path'],
  ['BACKUP_BUCKET', 'gs://backups', 'without gs://'],
  ['BACKUP_KEEP_DAYS', '0', 'must be a whole number of days'],
  ['INGRESS_CONTROLLER', 'nginx', 'existing'],
  ['DNS_SERVER', 'dns.google', 'must be an IP address'],
])('%s=%s is told, with its remedy', (name, value, message) => {
  write({ [name]: value });
  const found = problems();
  expect(found.map((p) => p.about)).toEqual([name]);
  expect(`${found[0]?.about ?? ''} ${found[0]?.message ?? ''}`).toContain(message);
  expect(found[0]?.remedy).toContain(ROWS.find((r) => r.name === name)?.comment);
});

test.each(ROWS.filter((r) => r.kind === 'required').map((r) => r.name))('%s is asked for', (name) => {
  write({ [name]: undefined });
  expect(problems()).toEqual([expect.objectContaining({ about: name, message: 'is not set' })]);
  write({ [name]: '' });
  expect(problems().map((p) => p.about)).toEqual([name]);
});

test('all problems at once', () => {
  write({ GCP_PROJECT: undefined, API_HOST: 'x', ACME_EMAIL: 'y' }, 'TYPO=1\nDNS_ZONE=kubently-io\n');
  expect(
    problems()
      .map((p) => p.about)
      .sort(),
  ).toEqual(['ACME_EMAIL', 'API_HOST', 'DNS_ZONE', 'GCP_PROJECT', 'TYPO']);
});

test.each([
  [
    'dev=arn:aws:eks:eu-west-1:123456789012:cluster/dev',
    'arn:aws:eks:eu-west-1:123456789012:cluster/dev',
    'kubently-remote',
  ],
  [
    'dev="arn:aws:eks:eu-west-1:123456789012:cluster/dev"/agents',
    'arn:aws:eks:eu-west-1:123456789012:cluster/dev',
    'agents',
  ],
  ['dev=default/api-example-com:6443/kube:admin', 'default/api-example-com:6443/kube:admin', 'kubently-remote'],
  ['dev="team/dev, old"', undefined, ''],
  ['dev="team/dev"', 'team/dev', 'kubently-remote'],
  ['dev=kind-dev/agents', 'kind-dev', 'agents'],
])('REMOTE_CLUSTERS=%s is context %s', (value, context, namespace) => {
  write({ REMOTE_CLUSTERS: `'${value}'` });
  if (context === undefined) expect(problems()[0]?.message).toContain('a context with slashes stands in double quotes');
  else expect(load().remotes).toMatchObject([{ id: 'dev', context, namespace }]);
});

test.each([
  ['~/tokens.env', join(homedir(), 'tokens.env')],
  ['$HOME/tokens.env', join(homedir(), 'tokens.env')],
  ['${HOME}/tokens.env', join(homedir(), 'tokens.env')],
])('a path may begin with %s', (value, tokensFile) => {
  write({ TOKENS_FILE: `'${value}'`, KUBECONFIG: `'${value}:/other'`, KUBENTLY_REPO: `'${value}'` });
  expect(load()).toMatchObject({
    tokensFile,
    repo: tokensFile,
    childEnvironment: { KUBECONFIG: `${tokensFile}:/other` },
  });
});

test.each(['$XDG_DATA_HOME/tokens.env', '${USER}.env', '~somebody/tokens.env', '$HOMES/tokens.env'])(
  'what else a shell would replace in a path is refused: %s',
  (value) => {
    write({ TOKENS_FILE: `'${value}'` });
    expect(problems()).toEqual([
      expect.objectContaining({
        about: 'TOKENS_FILE',
        message: expect.stringContaining('only ~ and $HOME are replaced') as string,
      }),
    ]);
  },
);

test('a gateway before the model: for the providers whose client can be sent there', () => {
  write({ LLM_BASE_URL: 'https://llm.example.com' });
  expect(load().llm).toMatchObject({ baseUrl: 'https://llm.example.com', caFile: undefined });
  write({ LLM_BASE_URL: 'https://llm.example.com', LLM_PROVIDER: 'google-gemini' });
  expect(problems()).toEqual([expect.objectContaining({ about: 'LLM_BASE_URL' })]);
});

test('a file in UTF-16 is one problem, which says so; a byte order mark of UTF-8 and CRLF are none', () => {
  const text = write({});
  for (const bytes of [Buffer.from(`\uFEFF${text}`, 'utf16le'), Buffer.from(`\uFEFF${text}`, 'utf16le').swap16()]) {
    writeFileSync(file, bytes);
    expect(problems()).toEqual([expect.objectContaining({ about: file, message: 'is UTF-16 text' })]);
  }
  writeFileSync(file, `\uFEFF${text.replaceAll('\n', '\r\n')}`);
  expect(problems()).toEqual([]);
});

test('a name set twice is an error, even by export and with the same value', () => {
  write({}, 'export GCP_PROJECT=unit-project\n');
  expect(problems()).toEqual([expect.objectContaining({ about: 'GCP_PROJECT', message: 'is set twice in the file' })]);
});

test('a commented line is no second one', () => {
  write({}, '# GCP_PROJECT=other\n');
  expect(problems()).toEqual([]);
});

test('an unknown name is an error; those of the tools are not', () => {
  write({}, 'GKE_CONTEX=x\n');
  expect(problems()).toEqual([
    expect.objectContaining({ about: 'GKE_CONTEX', message: 'is not a setting of this runbook' }),
  ]);
  write({}, 'KUBECONFIG=/k\nDOCKER_HOST=unix:///d\nCLOUDSDK_CONFIG=/c\n');
  expect(problems()).toEqual([]);
});

test('the environment wins over the file, the file over the default', () => {
  write({ API_REPLICAS: '3', NAMESPACE: 'from-file' });
  expect(load({ NAMESPACE: 'from-env' })).toMatchObject({ apiReplicas: 3, gke: { namespace: 'from-env' } });
  expect(problems({ GCP_PROJECT: 'X' }).map((p) => p.about)).toEqual(['GCP_PROJECT']);
});

test('the profile only sets defaults: staging the plan’s own, and a line of one’s own wins', () => {
  write({ PROFILE: 'staging' });
  const plain = load();
  write();
  expect(load()).toEqual(plain);
  write({ PROFILE: 'production' });
  expect(load()).toEqual({ ...plain, profile: 'production', apiReplicas: 3, ingressReplicas: 2 });
  expect(load({ PROFILE: 'staging' })).toEqual(plain);
  expect(load({ API_REPLICAS: '4' })).toMatchObject({ profile: 'production', apiReplicas: 4 });
  write({ PROFILE: 'production', API_REPLICAS: '2' });
  expect(load().apiReplicas).toBe(2);
});

test('the example has no line that would win over a profile', () => {
  writeFileSync(file, exampleFile());
  expect(load({ PROFILE: 'production', ACME_EMAIL: 'ops@kubently.io' }).apiReplicas).toBe(3);
});

test('the value of a secret setting is in no message and no print', () => {
  write({ GITHUB_TOKEN: 'ghp_settings-0001', ANTHROPIC_API_KEY: 'sk-settings-0001', LLM_PROVIDER: 'x' });
  expect(explain(new BadInput(problems()))).not.toMatch(/settings-0001/);
  write({ GITHUB_TOKEN: 'ghp_settings-0001', ANTHROPIC_API_KEY: 'sk-settings-0001' });
  const given = load();
  expect(JSON.stringify(given)).not.toContain('settings-0001');
  expect(given.llm.keys['ANTHROPIC_API_KEY']?.reveal()).toBe('sk-settings-0001');
  expect(given.images.token?.reveal()).toBe('ghp_settings-0001');
});

test('children get the listed environment only, the environment over the file', () => {
  write({ ANTHROPIC_API_KEY: 'sk-settings-0002' }, 'KUBECONFIG=/from/file\nDOCKER_CONFIG=/d\n');
  const { childEnvironment } = load({
    PATH: '/usr/bin',
    HOME: '/home/u',
    KUBECONFIG: '/from/env',
    https_proxy: 'http://p',
    NAMESPACE: 'kubently',
    AWS_SECRET_ACCESS_KEY: 'aws-secret-0001',
    GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES: '1',
    GOOGLE_API_KEY: 'key-of-the-model',
    DOCKER_CONTEXT: 'colima',
    FROM: '2.3',
  });
  const { PATH, ...rest } = childEnvironment;
  expect(rest).toEqual({
    HOME: '/home/u',
    KUBECONFIG: '/from/env',
    DOCKER_CONFIG: '/d',
    https_proxy: 'http://p',
    AWS_SECRET_ACCESS_KEY: 'aws-secret-0001',
    GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES: '1',
    DOCKER_CONTEXT: 'colima',
  });
  expect(scrub('by aws-secret-0001')).toBe('by [REDACTED]');
  expect(PATH).toMatch(/\/\.tools\/bin:\/usr\/bin$/);
});

test('several remotes, with their namespaces and releases', () => {
  write({ REMOTE_CLUSTERS: 'a=ctx-a, b=ctx/b/ns-b/kubently-b,c=arn:aws:eks:x' });
  expect(problems()).not.toEqual([]);
  write({ REMOTE_CLUSTERS: 'a=ctx-a, b=ctx-b/ns-b/kubently-b' });
  expect(load().remotes).toEqual([
    { id: 'a', context: 'ctx-a', namespace: 'kubently-remote', release: 'kubently-remote' },
    { id: 'b', context: 'ctx-b', namespace: 'ns-b', release: 'kubently-b' },
  ]);
});

test('a file that is not there is told with what to do', () => {
  expect(problems()).toEqual([expect.objectContaining({ about: file, message: 'there is no such settings file' })]);
});

test('.env.example is what the table says', () => {
  expect(readFileSync(join(import.meta.dirname, '..', '..', '.env.example'), 'utf8')).toBe(exampleFile());
});

test('the example itself lacks nothing but an own address', () => {
  writeFileSync(file, exampleFile());
  expect(problems().map((p) => p.about)).toEqual(['ACME_EMAIL']);
});
