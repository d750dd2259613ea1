/** Every setting once: its type and check, the plan's own value, a comment, and whether it may be empty. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { STEP } from '../base/plan-steps.ts';
import {
  certificates,
  dnsName,
  expandHome,
  https,
  isFile,
  key,
  label,
  oneOf,
  orUnset,
  path,
  release,
  remotes,
  secretFile,
  trustFile,
  word,
} from './setting-types.ts';

interface Setting<T extends z.ZodType = z.ZodType> {
  type: T;
  /** The value in .env.example; the default where the kind is `default`. */
  example: string;
  comment: string;
  /** `required`: no default. `default`: the example is the default. `optional`: empty means not set. */
  kind: 'required' | 'default' | 'optional';
  secret?: true;
  /** The default with PROFILE=production, where it is another one. */
  production?: string;
}

export type SettingRow = Setting & { name: string };

const required = <T extends z.ZodType>(type: T, example: string, comment: string): Setting<T> => ({
  type,
  example,
  comment,
  kind: 'required',
});
const byDefault = <T extends z.ZodType>(type: T, example: string, comment: string): Setting<T> => ({
  type,
  example,
  comment,
  kind: 'default',
});
const byProfile = <T extends z.ZodType>(type: T, staging: string, production: string, comment: string): Setting<T> => ({
  ...byDefault(type, staging, `${comment}; with PROFILE=production ${production}`),
  production,
});
const optional = <T extends z.ZodType>(type: T, comment: string): Setting<T> => ({
  type,
  example: '',
  comment,
  kind: 'optional',
});
const secret = <T extends z.ZodType>(type: T, comment: string): Setting<T> => ({
  ...optional(type, comment),
  secret: true,
});

/** Plain http only inside the cluster: a Service by its short name, or NAME.NAMESPACE.svc. */
const SERVICE_URL = /^http:\/\/([a-z0-9-]+|[a-z0-9-]+\.[a-z0-9-]+\.svc(\.cluster\.local)?)(:\d+)?(\/.*)?$/;
/** https anywhere, plain http to a Service of the cluster alone. */
const httpsOrService = z
  .url({ protocol: /^https?$/, error: 'must be an http(s):// URL' })
  .refine((u) => !u.endsWith('/'), 'must not end with a slash')
  // It stands in values, ConfigMaps and on the screen, and paths are put behind it.
  .refine((u) => isPlain(URL.parse(u)), 'must hold neither a user nor a password, nor anything after "?" or "#"')
  .refine(
    (u) => !u.startsWith('http:') || u.endsWith('/') || (SERVICE_URL.test(u) && !/^http:\/\/localhost\b/.test(u)),
    'may be plain http only to a Service of the cluster, such as http://kubently-api:8080',
  );

function isPlain(url: URL | null): boolean {
  return url === null || `${url.username}${url.password}${url.search}${url.hash}` === '';
}

const replicas = z
  .string()
  .regex(/^([1-9]|10)$/, 'must be a whole number from 1 to 10')
  .transform(Number);

export const PROFILES = ['staging', 'production'] as const;
export type Profile = (typeof PROFILES)[number];

const profileSettings = {
  PROFILE: byDefault(
    oneOf(PROFILES),
    'staging',
    'staging | production: the defaults of other settings (a line for one of them wins over it), and phase 5 with production',
  ),
};

const googleCloudSettings = {
  GCP_PROJECT: required(
    z.string().regex(/^([a-z0-9.]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/, 'is not a Google Cloud project id'),
    'regal-skyline-471806-t6',
    'Project of the GKE cluster, the address and the DNS zone',
  ),
  GCP_REGION: byDefault(
    z.string().regex(/^[a-z]+-[a-z]+\d+$/, 'is not a region such as us-central1'),
    'us-central1',
    'Region of the static IP; the cluster must be in it',
  ),
  DNS_ZONE: required(label, 'kubently-io', 'Cloud DNS managed zone that holds API_HOST'),
  API_HOST: required(dnsName, 'test-api.kubently.io', 'Public DNS name of the API'),
  STATIC_IP_NAME: byDefault(label, 'kubently-ingress-ip', 'Name of the reserved regional address'),
  DNS01_AUTH: byDefault(
    oneOf(['key', 'workload-identity']),
    'key',
    'How cert-manager signs in to Cloud DNS: key | workload-identity (GKE, no key at all)',
  ),
  DNS01_ACCOUNT: byDefault(
    z.string().regex(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/, 'is not a service account id (6 to 30 characters)'),
    'cert-manager-dns01',
    'Service account for the DNS-01 challenges',
  ),
};

const clustersSettings = {
  GKE_CONTEXT: required(
    word('a context as `kubectl config get-contexts -o name` prints it'),
    'gke_regal-skyline-471806-t6_us-central1_kubently-test-cluster1',
    'kubectl context of the GKE cluster',
  ),
  NAMESPACE: byDefault(label, 'kubently', 'Namespace of the release in the GKE cluster'),
  RELEASE: byDefault(release, 'kubently', 'Helm release there; its name must contain "kubently"'),
  GKE_CLUSTER_ID: byDefault(label, 'gke', "Kubently's id of the GKE cluster"),
  REMOTE_CLUSTERS: required(
    remotes,
    'kind-remote=kind-kubently',
    'id=context[/namespace[/release]], separated by commas; a context that holds a slash stands in double quotes, one with a colon is taken whole without them',
  ),
  GKE_EXECUTOR_API_URL: optional(
    orUnset(httpsOrService),
    'Where the executor in GKE finds the API; empty: https://API_HOST. Plain http is an opt-in with a warning',
  ),
};

const kubentlySettings = {
  KUBENTLY_REPO: required(
    path,
    '~/repos/kubently',
    'Checkout of Kubently: chart, Dockerfiles, CLI; its commit is what gets deployed',
  ),
  IMAGE_REGISTRY: byDefault(
    z
      .string()
      .regex(
        /^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)+$/,
        'must be host/path without a scheme, such as ghcr.io/kubently/kubently',
      ),
    'ghcr.io/kubently/kubently',
    'Images are pushed to IMAGE_REGISTRY/api and /executor',
  ),
  IMAGE_REGISTRY_USER: byDefault(word('a user name'), 'kubently', 'User for the push'),
  GITHUB_TOKEN: secret(
    key,
    'Token for the push (GHCR takes classic tokens with write:packages); empty: the registry takes pushes without',
  ),
  API_REPLICAS: byProfile(
    replicas,
    '2',
    // One for each zone of a regional cluster.
    '3',
    'Replicas of the API',
  ),
  LLM_PROVIDER: byDefault(
    oneOf(['anthropic-claude', 'google-gemini', 'openai']),
    'anthropic-claude',
    'anthropic-claude | google-gemini | openai; its key below must be set for A2A to work',
  ),
  LLM_MODEL: byDefault(
    word('a model name'),
    'claude-sonnet-4-6',
    "The provider's model; the plan's claude-sonnet-4-20250514 is retired",
  ),
  LLM_BASE_URL: optional(
    orUnset(httpsOrService),
    "Where the provider's API is asked instead of at the provider: a gateway, for anthropic-claude (https://llm.example.com) or openai (…/v1)",
  ),
  LLM_CA_FILE: optional(
    orUnset(trustFile),
    "CA (PEM) of LLM_BASE_URL, where it is a private one; the API's pods then trust it alone (SSL_CERT_FILE)",
  ),
  ANTHROPIC_API_KEY: secret(key, 'LLM key'),
  GOOGLE_API_KEY: secret(key, 'LLM key'),
  OPENAI_API_KEY: secret(key, 'LLM key'),
  TOKENS_FILE: optional(
    orUnset(path.refine((f) => !existsSync(f) || isFile(f), 'names a folder or a device, not a file')),
    'Where the generated tokens lie (0600, can be sourced); empty: ~/.kubently-tokens-API_HOST.env',
  ),
};

const certificateSettings = {
  ACME_EMAIL: required(
    z.email('is not an e-mail address').refine((m) => !m.endsWith('@example.com'), 'is still the placeholder'),
    'you@example.com',
    "Account address at Let's Encrypt (it mails no warnings any more)",
  ),
  TLS_ISSUER: optional(
    orUnset(oneOf(['staging', 'production'])),
    `staging | production pins the issuer; empty: staging first, production by step ${STEP.productionCertificate}`,
  ),
  ACME_STAGING_SERVER: byDefault(
    https,
    'https://acme-staging-v02.api.letsencrypt.org/directory',
    'ACME directory of the staging issuer',
  ),
  ACME_PRODUCTION_SERVER: byDefault(
    https,
    'https://acme-v02.api.letsencrypt.org/directory',
    'ACME directory of the production issuer',
  ),
  ACME_CA_FILE: optional(orUnset(trustFile), 'CA (PEM) of a private ACME directory'),
  TLS_CA_FILE: optional(
    orUnset(trustFile),
    'CA (PEM) that signs the API certificate, where it is a private one: for the executors, the CLI and the checks',
  ),
  TLS_CERT_FILE: optional(
    orUnset(certificates),
    "Your own certificate (PEM: the host's first, then its intermediates); then none is requested by ACME",
  ),
  TLS_KEY_FILE: optional(orUnset(secretFile), 'Its private key (PEM, without a passphrase)'),
  CERT_MANAGER_CHART: byDefault(
    z
      .string()
      .regex(/^(oci:\/\/.+|https:\/\/.+|~?\.{0,2}\/.+)$/, {
        error: 'must be an oci:// or https:// URL, or a path',
        abort: true,
      })
      .transform((place) => (/^(oci|https):/.test(place) ? place : resolve(expandHome(place))))
      .refine((place) => /^(oci|https):/.test(place) || existsSync(place), 'names a path that does not exist'),
    'oci://quay.io/jetstack/charts/cert-manager',
    "Place of cert-manager's chart: registry, mirror or file",
  ),
};

const backupSettings = {
  BACKUP_RECIPIENT: optional(
    z
      .string()
      .transform((text) =>
        text
          .split(',')
          .map((s) => s.trim())
          .filter(Boolean),
      )
      .refine((all) => all.every((r) => /^age1[a-z0-9]{58,}$/.test(r)), 'must be age public keys (age1…)'),
    'age public keys (age1…), separated by commas: whoever has one of their identities can read the backups of `make backup`',
  ),
  BACKUP_IDENTITY: optional(
    orUnset(secretFile),
    'File with the age identity (AGE-SECRET-KEY-…) by which `make restore` reads a backup',
  ),
  BACKUP_BUCKET: optional(
    orUnset(z.string().regex(/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/, "must be a bucket's name alone, without gs://")),
    'Cloud Storage bucket in which `make backup` stores each backup too, off the cluster',
  ),
  BACKUP_KEEP_DAYS: byDefault(
    z
      .string()
      .regex(/^[1-9]\d{0,3}$/, 'must be a whole number of days, from 1 to 9999')
      .transform(Number),
    '30',
    'Backups in the bucket that are older are removed by the next `make backup`',
  ),
};

const networkSettings = {
  INGRESS_CONTROLLER: byDefault(
    oneOf(['traefik', 'existing']),
    'traefik',
    `traefik: installed by step ${STEP.ingressController}; existing: the one that already serves class nginx is used and checked`,
  ),
  INGRESS_REPLICAS: byProfile(replicas, '1', '2', 'Replicas of Traefik, on nodes of their own where there are several'),
  HSTS_INCLUDE_SUBDOMAINS: byDefault(
    oneOf(['true', 'false']).transform((v) => v === 'true'),
    'false',
    'true: browsers keep to https for every name below API_HOST too; false: for API_HOST alone',
  ),
  DNS_SERVER: optional(
    orUnset(z.union([z.ipv4(), z.ipv6()], 'must be an IP address')),
    "Resolver for the runbook's own look-ups; empty: the system's",
  ),
};

const SECTIONS = [
  { title: 'Profile', settings: profileSettings },
  { title: 'Google Cloud', settings: googleCloudSettings },
  { title: 'Clusters', settings: clustersSettings },
  { title: 'Kubently', settings: kubentlySettings },
  { title: 'Certificates', settings: certificateSettings },
  { title: 'Backup', settings: backupSettings },
  { title: 'Network', settings: networkSettings },
];

const ALL = {
  ...profileSettings,
  ...googleCloudSettings,
  ...clustersSettings,
  ...kubentlySettings,
  ...certificateSettings,
  ...backupSettings,
  ...networkSettings,
};

function rowsOf(settings: Readonly<Record<string, Setting>>): SettingRow[] {
  return Object.entries(settings).map(([name, setting]) => ({ name, ...setting }));
}

export const ROWS: readonly SettingRow[] = rowsOf(ALL);

type Types = { [Name in keyof typeof ALL]: (typeof ALL)[Name]['type'] };

/** The values of all settings. */
export const valuesShape = z.object(
  Object.fromEntries(Object.entries(ALL).map(([name, { type }]) => [name, type])) as Types,
);

/** Settings of the tools themselves that may stand in the file too and reach the children (docs/architecture.md rule 9). */
export const PASSED_ON =
  /^(KUBECONFIG|DOCKER_(HOST|CONFIG|BUILDKIT|CONTEXT|TLS|TLS_VERIFY|CERT_PATH|API_VERSION)|BUILDX_(BUILDER|CONFIG)|CLOUDSDK_[A-Z0-9_]+|AWS_(PROFILE|REGION|DEFAULT_REGION|CONFIG_FILE|SHARED_CREDENTIALS_FILE))$/;

/** What children get from the process environment, besides PASSED_ON: where things are, the way out, and by what an operator signs in. */
export const INHERITED = new RegExp(
  `^(${[
    'PATH|HOME|USER|LANG|TMPDIR|XDG_(RUNTIME_DIR|CONFIG_HOME|CACHE_HOME|DATA_HOME)',
    '(https?|no|all)_proxy',
    'SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|NODE_EXTRA_CA_CERTS',
    'GOOGLE_APPLICATION_CREDENTIALS|GOOGLE_EXTERNAL_ACCOUNT_[A-Z_]+|GOOGLE_CLOUD_(UNIVERSE_DOMAIN|QUOTA_PROJECT)',
    'GOOGLE_API_USE_(CLIENT_CERTIFICATE|MTLS_ENDPOINT)',
    // Workload identity federation from AWS, and the exec plugin of EKS's kubeconfigs.
    'AWS_[A-Z0-9_]+',
    // Docker by DOCKER_HOST=ssh://… or such a context.
    'SSH_AUTH_SOCK',
  ].join('|')})$`,
  'i',
);

/** The text of .env.example. */
export function exampleFile(): string {
  const head =
    '# Settings of the Kubently runbook. Copy to .env and edit; ENV_FILE=path names another file.\n# The environment wins over this file. Also allowed here: KUBECONFIG, DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG, CLOUDSDK_…, AWS_PROFILE.\n';
  const sections = SECTIONS.map(
    ({ title, settings }) =>
      `\n# --- ${title} ---\n` +
      rowsOf(settings)
        .map((r) => `\n# ${r.comment}${r.kind === 'required' ? ' (required)' : ''}\n${lineOf(r)}\n`)
        .join(''),
  );
  return head + sections.join('');
}

/** Where the profile chooses, a line would win over it. */
function lineOf({ name, example, production }: SettingRow): string {
  return `${production === undefined ? '' : '# '}${name}=${example}`;
}
