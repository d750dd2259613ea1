/** Every way in which settings and flags can be wrong: one line that names the setting, a remedy, status 2, and no command run. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BadInput, explain } from '../../lib/base/failure.ts';
import { operate } from '../../scripts/operate.ts';
import type { Selection } from '../../lib/runner/select.ts';
import { ROWS } from '../../lib/settings/settings-table.ts';
import { fakeOutside, temporaryFolder, type FakeOutside } from './outside.ts';
import { writeSettings } from './settings-file.ts';

const world = vi.hoisted(() => ({ outside: undefined as FakeOutside | undefined }));
vi.mock('../../lib/context.ts', async (real) => ({
  ...(await real<typeof import('../../lib/context.ts')>()),
  realOutside: () => world.outside,
}));

interface Case {
  /** Lines changed; undefined: the line is missing. */
  set?: Record<string, string | undefined>;
  /** Further lines, as they stand. */
  more?: string;
  env?: Record<string, string>;
  what?: string;
  flags?: Selection;
}

const set = (name: string, value: string | undefined): Case => ({ set: { [name]: value } });
/** Case, the setting that is named, and a part of the cause. */
type Row = [Case, string, string];

const MISSING: Row[] = ROWS.filter((r) => r.kind === 'required').flatMap(({ name }): Row[] => [
  [set(name, undefined), name, 'is not set'],
  [set(name, ''), name, 'is not set'],
]);
const EMPTY: Row[] = ROWS.filter((r) => r.kind === 'default').map(({ name }): Row => [
  set(name, ''),
  name,
  'is empty; without the line it has its default',
]);

const MALFORMED: Row[] = [
  [set('BACKUP_BUCKET', 'gs://kubently-backups'), 'BACKUP_BUCKET', 'without gs://'],
  [set('BACKUP_KEEP_DAYS', '1w'), 'BACKUP_KEEP_DAYS', 'must be a whole number of days'],
  [set('PROFILE', 'Production'), 'PROFILE', 'must be staging or production'],
  [set('GCP_PROJECT', 'Unit_Project'), 'GCP_PROJECT', 'is not a Google Cloud project id'],
  [set('GCP_PROJECT', 'p'), 'GCP_PROJECT', 'is not a Google Cloud project id'],
  [set('GCP_REGION', 'us-central1-a'), 'GCP_REGION', 'is not a region such as us-central1'],
  [set('DNS_ZONE', 'kubently.io'), 'DNS_ZONE', 'must be lower-case letters, digits and hyphens'],
  [set('API_HOST', 'https://api.kubently.io'), 'API_HOST', 'no scheme, port or path'],
  [set('API_HOST', 'api.kubently.io:443'), 'API_HOST', 'is not a DNS name'],
  [set('API_HOST', 'API.kubently.io'), 'API_HOST', 'lower case'],
  [set('API_HOST', 'localhost'), 'API_HOST', 'is not a DNS name'],
  [set('STATIC_IP_NAME', 'ip_1'), 'STATIC_IP_NAME', 'must be lower-case'],
  [set('DNS01_AUTH', 'password'), 'DNS01_AUTH', 'must be key or workload-identity'],
  [set('DNS01_ACCOUNT', 'short'), 'DNS01_ACCOUNT', 'is not a service account id'],
  [set('DNS01_ACCOUNT', 'a@b.iam.gserviceaccount.com'), 'DNS01_ACCOUNT', 'is not a service account id'],
  [set('GKE_CONTEXT', 'my context'), 'GKE_CONTEXT', 'kubectl config get-contexts'],
  [{ env: { GKE_CONTEXT: '   ' } }, 'GKE_CONTEXT', 'kubectl config get-contexts'],
  [set('NAMESPACE', 'Kubently'), 'NAMESPACE', 'must be lower-case'],
  [set('NAMESPACE', 'n'.repeat(64)), 'NAMESPACE', 'at most 63'],
  [set('RELEASE', 'prod'), 'RELEASE', 'must contain "kubently"'],
  [set('RELEASE', `kubently-${'x'.repeat(50)}`), 'RELEASE', 'at most 53 characters'],
  [set('GKE_CLUSTER_ID', 'GKE'), 'GKE_CLUSTER_ID', 'must be lower-case'],
  [set('REMOTE_CLUSTERS', 'kind-remote'), 'REMOTE_CLUSTERS', 'has the form id=context[/namespace[/release]]'],
  [set('REMOTE_CLUSTERS', 'a='), 'REMOTE_CLUSTERS', 'has the form'],
  [set('REMOTE_CLUSTERS', '=ctx'), 'REMOTE_CLUSTERS', 'id must be lower-case'],
  [set('REMOTE_CLUSTERS', 'a=c1,'), 'REMOTE_CLUSTERS', 'has the form'],
  [set('REMOTE_CLUSTERS', 'a=c1;b=c2/N'), 'REMOTE_CLUSTERS', 'namespace must be lower-case'],
  [set('REMOTE_CLUSTERS', 'a=c/ns/prod'), 'REMOTE_CLUSTERS', 'release must contain "kubently"'],
  [set('REMOTE_CLUSTERS', 'a=c/ns/kubently/more'), 'REMOTE_CLUSTERS', 'has the form'],
  [set('REMOTE_CLUSTERS', 'a=c1,a=c2'), 'REMOTE_CLUSTERS', 'has the cluster id "a" twice'],
  [set('REMOTE_CLUSTERS', 'gke=c1'), 'REMOTE_CLUSTERS', 'has the cluster id "gke" twice'],
  [set('REMOTE_CLUSTERS', 'a=unit-gke/other/kubently'), 'REMOTE_CLUSTERS', 'has the release unit-gke/kubently twice'],
  [set('REMOTE_CLUSTERS', 'a=c/n1,b=c/n2'), 'REMOTE_CLUSTERS', 'has the release c/kubently-remote twice'],
  [set('LLM_BASE_URL', 'llm.example.com'), 'LLM_BASE_URL', 'must be an http(s):// URL'],
  [set('LLM_BASE_URL', 'https://user:pa55@llm.example.com'), 'LLM_BASE_URL', 'neither a user nor a password'],
  [set('LLM_BASE_URL', 'https://llm.example.com?key=x'), 'LLM_BASE_URL', 'nor anything after "?" or "#"'],
  [set('LLM_BASE_URL', 'http://llm.example.com'), 'LLM_BASE_URL', 'may be plain http only to a Service'],
  [set('LLM_CA_FILE', '/none-such.pem'), 'LLM_CA_FILE', 'does not exist'],
  [set('GKE_EXECUTOR_API_URL', 'kubently-api:8080'), 'GKE_EXECUTOR_API_URL', 'must be an http(s):// URL'],
  [set('GKE_EXECUTOR_API_URL', 'http://kubently-api:8080/'), 'GKE_EXECUTOR_API_URL', 'must not end with a slash'],
  [set('IMAGE_REGISTRY', 'https://ghcr.io/kubently'), 'IMAGE_REGISTRY', 'without a scheme'],
  [set('IMAGE_REGISTRY', 'ghcr.io'), 'IMAGE_REGISTRY', 'must be host/path'],
  [set('IMAGE_REGISTRY', 'ghcr.io/Kubently'), 'IMAGE_REGISTRY', 'must be host/path'],
  [set('IMAGE_REGISTRY_USER', 'two words'), 'IMAGE_REGISTRY_USER', 'must be a user name, one word'],
  [set('GITHUB_TOKEN', "'ghp_bad-input 1'"), 'GITHUB_TOKEN', 'holds a blank or a line break'],
  [set('ANTHROPIC_API_KEY', '"sk-bad-input\n1"'), 'ANTHROPIC_API_KEY', 'holds a blank or a line break'],
  [set('API_REPLICAS', '0'), 'API_REPLICAS', 'must be a whole number from 1 to 10'],
  [set('API_REPLICAS', '11'), 'API_REPLICAS', 'must be a whole number from 1 to 10'],
  [set('API_REPLICAS', 'two'), 'API_REPLICAS', 'must be a whole number from 1 to 10'],
  [set('API_REPLICAS', '1e0'), 'API_REPLICAS', 'must be a whole number from 1 to 10'],
  [set('LLM_PROVIDER', 'anthropic'), 'LLM_PROVIDER', 'must be anthropic-claude or google-gemini or openai'],
  [set('LLM_MODEL', 'claude sonnet'), 'LLM_MODEL', 'must be a model name, one word'],
  [set('TOKENS_FILE', '/tmp'), 'TOKENS_FILE', 'names a folder or a device, not a file'],
  [set('ACME_EMAIL', 'ops'), 'ACME_EMAIL', 'is not an e-mail address'],
  [set('ACME_EMAIL', 'you@example.com'), 'ACME_EMAIL', 'is still the placeholder'],
  [set('TLS_ISSUER', 'letsencrypt-prod'), 'TLS_ISSUER', 'must be staging or production'],
  [set('ACME_STAGING_SERVER', 'acme.test/dir'), 'ACME_STAGING_SERVER', 'must be an https:// URL'],
  [set('ACME_PRODUCTION_SERVER', 'http://acme.test/dir'), 'ACME_PRODUCTION_SERVER', 'must be an https:// URL'],
  [set('ACME_CA_FILE', '/nonexistent/ca.pem'), 'ACME_CA_FILE', 'does not exist'],
  [set('ACME_CA_FILE', '/tmp'), 'ACME_CA_FILE', 'is a folder'],
  [set('ACME_CA_FILE', '/dev/zero'), 'ACME_CA_FILE', 'is no plain file'],
  [set('TLS_CA_FILE', '/tmp'), 'TLS_CA_FILE', 'is a folder'],
  [set('TLS_CA_FILE', '/etc/hostname'), 'TLS_CA_FILE', 'names a file without a PEM certificate'],
  [
    set('CERT_MANAGER_CHART', 'jetstack/cert-manager'),
    'CERT_MANAGER_CHART',
    'must be an oci:// or https:// URL, or a path',
  ],
  [set('CERT_MANAGER_CHART', '~/nonexistent.tgz'), 'CERT_MANAGER_CHART', 'names a path that does not exist'],
  [set('TLS_CERT_FILE', '/nonexistent/tls.pem'), 'TLS_CERT_FILE', 'does not exist'],
  [set('TLS_CERT_FILE', '/tmp'), 'TLS_CERT_FILE', 'is a folder'],
  [set('TLS_CERT_FILE', '/dev/zero'), 'TLS_CERT_FILE', 'is no plain file'],
  [set('BACKUP_RECIPIENT', 'ssh-ed25519 AAAA'), 'BACKUP_RECIPIENT', 'must be age public keys'],
  [set('BACKUP_IDENTITY', '/nonexistent/age.key'), 'BACKUP_IDENTITY', 'does not exist'],
  [set('BACKUP_IDENTITY', '/tmp'), 'BACKUP_IDENTITY', 'is a folder'],
  [set('BACKUP_IDENTITY', '/dev/zero'), 'BACKUP_IDENTITY', 'is no plain file'],
  [set('INGRESS_CONTROLLER', 'nginx'), 'INGRESS_CONTROLLER', 'must be traefik or existing'],
  [set('HSTS_INCLUDE_SUBDOMAINS', 'yes'), 'HSTS_INCLUDE_SUBDOMAINS', 'must be true or false'],
  [set('DNS_SERVER', 'dns.google'), 'DNS_SERVER', 'must be an IP address'],
  [set('DNS_SERVER', '8.8.8.256'), 'DNS_SERVER', 'must be an IP address'],
  [{ env: { API_REPLICAS: 'many' } }, 'API_REPLICAS', 'must be a whole number'],
];

const FILE: Row[] = [
  [{ more: 'GCP_PROJET=x\n' }, 'GCP_PROJET', 'is not a setting of this runbook'],
  [{ more: 'api_host=x.kubently.io\n' }, 'api_host', 'is not a setting of this runbook'],
  [{ more: 'FROM=2.3\n' }, 'FROM', 'is not a setting of this runbook'],
  [{ more: 'API_HOST=unit-api.kubently.io\n' }, 'API_HOST', 'is set twice in the file'],
  [{ more: 'export DNS_ZONE=other\n' }, 'DNS_ZONE', 'is set twice in the file'],
  [{ more: 'GITHUB_TOKEN=ghp_bad-input#1\n' }, 'GITHUB_TOKEN', 'holds a # without quotes'],
  [{ more: 'NAMESPACE kubently\n' }, 'line 8', 'is no setting: it has no NAME='],
  [{ more: 'NAMESPACE="kubently\n' }, 'NAMESPACE', 'has a quote that is not closed'],
];

const FLAGS: Row[] = [
  [{ what: '2.9' }, '2.9', 'unknown step'],
  [{ what: 'phase5' }, 'phase5', 'has no step with these settings'],
  [{ what: 'undeploy' }, 'undeploy', 'unknown step'],
  [{ flags: { from: '9.9' } }, 'FROM', 'unknown step "9.9"'],
  [{ flags: { from: '' } }, 'FROM', 'unknown step ""'],
  [{ flags: { until: '2' } }, 'UNTIL', 'unknown step "2"'],
  [{ flags: { only: '2.3,,2.5' } }, 'ONLY', 'unknown step ""'],
  [{ flags: { only: '2.3;2.5' } }, 'ONLY', 'unknown step "2.3;2.5"'],
  [{ flags: { from: '3.1', until: '2.1' } }, 'deploy', 'FROM 3.1 comes after UNTIL 2.1'],
  [{ what: 'phase1', flags: { only: '2.3' } }, 'phase1', 'FROM, UNTIL and ONLY leave no step'],
];

const ALL = [...MISSING, ...EMPTY, ...MALFORMED, ...FILE, ...FLAGS];

let file: string;
let secretsOf: string[];

beforeEach(() => {
  file = join(temporaryFolder(), 'settings.env');
  world.outside = fakeOutside({});
  secretsOf = [];
});

afterEach(() => {
  vi.unstubAllEnvs();
});

async function refused({
  set: changed = {},
  more = '',
  env = {},
  what = 'deploy',
  flags = {},
}: Case): Promise<BadInput> {
  secretsOf = [...writeSettings(file, changed, more).matchAll(/(?:ghp|sk)_?[-\w]+bad-input/g)].map((m) => m[0]);
  return refusal(what, flags, env);
}

async function refusal(what: string, flags: Selection, env: Record<string, string>): Promise<BadInput> {
  for (const name of [...ROWS.map((r) => r.name), 'ENV_FILE']) vi.stubEnv(name, undefined);
  for (const [name, value] of Object.entries({ ENV_FILE: file, ...env })) vi.stubEnv(name, value);
  const ended: unknown = await operate(what, flags).catch((error: unknown) => error);
  expect(ended).toBeInstanceOf(BadInput);
  return ended as BadInput;
}

test.each(ALL)('%j', async (given, about, cause) => {
  const { problems } = await refused(given);
  expect(problems.map((p) => p.about)).toEqual([about]);
  const [problem] = problems;
  expect(problem?.message).toContain(cause);
  expect(problem?.message).not.toContain('\n');
  expect(problem?.remedy).toBeTruthy();
  const text = explain(new BadInput(problems));
  for (const secret of secretsOf) expect(text).not.toContain(secret);
  expect(world.outside?.commands).toEqual([]);
  expect(world.outside?.requests).toEqual([]);
});

test('these are at least sixty, and each setting is among them', () => {
  expect(ALL.length).toBeGreaterThanOrEqual(60);
  const named = new Set(ALL.map(([, about]) => about));
  const free = ['KUBENTLY_REPO', 'TLS_KEY_FILE', 'GOOGLE_API_KEY', 'OPENAI_API_KEY'];
  expect(ROWS.map((r) => r.name).filter((n) => !named.has(n) && !free.includes(n))).toEqual([]);
});

test.each([
  ['a file that is not there', () => join(temporaryFolder(), 'none'), 'there is no such settings file'],
  ['a folder', () => temporaryFolder(), 'is a directory'],
])('ENV_FILE is %s', async (_, name, cause) => {
  file = name();
  const { problems } = await refusal('deploy', {}, {});
  expect(problems).toEqual([
    expect.objectContaining({ about: file, remedy: expect.stringContaining('cp .env.example .env') as string }),
  ]);
  expect(problems[0]?.message).toContain(cause);
});

test('an empty ENV_FILE is the default one, not the folder', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'x'));
  vi.spyOn(process, 'cwd').mockReturnValue(folder);
  const { problems } = await refusal('deploy', {}, { ENV_FILE: '' });
  expect(problems[0]?.about).toBe(join(folder, '.env'));
});

test('what is in quotes may hold #, quotes and line breaks', async () => {
  const more =
    "GITHUB_TOKEN='ghp#1'\nOPENAI_API_KEY=\"sk#1\" # a comment\nLLM_MODEL=gpt # another\nNO_SUCH='a\nb # c\n'\n";
  const { problems } = await refused({ more });
  expect(problems.map((p) => p.about)).toEqual(['NO_SUCH']);
});

test('all at once, in file and flags apart', async () => {
  const { problems } = await refused({ set: { API_HOST: 'x', ACME_EMAIL: undefined }, more: 'TYPO=1\n' });
  expect(problems.map((p) => p.about).sort()).toEqual(['ACME_EMAIL', 'API_HOST', 'TYPO']);
  const flags = await refused({ flags: { from: 'a', until: 'b', only: 'c' } });
  expect(flags.problems.map((p) => p.about).sort()).toEqual(['FROM', 'ONLY', 'UNTIL']);
});
