/** Every setting once: name, the plan's own value, a comment, and whether it may be empty. .env.example and the README's table are checked against it. */
import { STEP } from '../base/plan-steps.ts';

export interface SettingRow {
  name: string;
  /** The value in .env.example; the default where `required` is false and it is not commented out. */
  example: string;
  comment: string;
  /** `required`: no default. `default`: the example is the default. `optional`: empty means not set. */
  kind: 'required' | 'default' | 'optional';
  secret?: true;
}

export interface SettingSection {
  title: string;
  rows: SettingRow[];
}

const required = (name: string, example: string, comment: string): SettingRow => ({
  name,
  example,
  comment,
  kind: 'required',
});
const byDefault = (name: string, example: string, comment: string): SettingRow => ({
  name,
  example,
  comment,
  kind: 'default',
});
const optional = (name: string, comment: string): SettingRow => ({ name, example: '', comment, kind: 'optional' });
const secret = (name: string, comment: string): SettingRow => ({
  name,
  example: '',
  comment,
  kind: 'optional',
  secret: true,
});

export const SECTIONS: readonly SettingSection[] = [
  {
    title: 'Google Cloud',
    rows: [
      required('GCP_PROJECT', 'regal-skyline-471806-t6', 'Project of the GKE cluster, the address and the DNS zone'),
      byDefault('GCP_REGION', 'us-central1', 'Region of the static IP; the cluster must be in it'),
      required('DNS_ZONE', 'kubently-io', 'Cloud DNS managed zone that holds API_HOST'),
      required('API_HOST', 'test-api.kubently.io', 'Public DNS name of the API'),
      byDefault('STATIC_IP_NAME', 'kubently-ingress-ip', 'Name of the reserved regional address'),
      byDefault(
        'DNS01_AUTH',
        'key',
        'How cert-manager signs in to Cloud DNS: key | workload-identity (GKE, no key at all)',
      ),
      byDefault('DNS01_ACCOUNT', 'cert-manager-dns01', 'Service account for the DNS-01 challenges'),
    ],
  },
  {
    title: 'Clusters',
    rows: [
      required(
        'GKE_CONTEXT',
        'gke_regal-skyline-471806-t6_us-central1_kubently-test-cluster1',
        'kubectl context of the GKE cluster',
      ),
      byDefault('NAMESPACE', 'kubently', 'Namespace of the release in the GKE cluster'),
      byDefault('RELEASE', 'kubently', 'Helm release there; its name must contain "kubently"'),
      byDefault('GKE_CLUSTER_ID', 'gke', "Kubently's id of the GKE cluster"),
      required('REMOTE_CLUSTERS', 'kind-remote=kind-kubently', 'id=context[/namespace[/release]], separated by commas'),
      optional(
        'GKE_EXECUTOR_API_URL',
        'Where the executor in GKE finds the API; empty: https://API_HOST. Plain http is an opt-in with a warning',
      ),
    ],
  },
  {
    title: 'Kubently',
    rows: [
      required(
        'KUBENTLY_REPO',
        '~/repos/kubently',
        'Checkout of Kubently: chart, Dockerfiles, CLI; its commit is what gets deployed',
      ),
      byDefault('IMAGE_REGISTRY', 'ghcr.io/kubently/kubently', 'Images are pushed to IMAGE_REGISTRY/api and /executor'),
      byDefault('IMAGE_REGISTRY_USER', 'kubently', 'User for the push'),
      secret(
        'GITHUB_TOKEN',
        'Token for the push (GHCR takes classic tokens with write:packages); empty: the registry takes pushes without',
      ),
      byDefault('API_REPLICAS', '2', 'Replicas of the API'),
      byDefault(
        'LLM_PROVIDER',
        'anthropic-claude',
        'anthropic-claude | google-gemini | openai; its key below must be set for A2A to work',
      ),
      byDefault(
        'LLM_MODEL',
        'claude-sonnet-4-6',
        "The provider's model; the plan's claude-sonnet-4-20250514 is retired",
      ),
      secret('ANTHROPIC_API_KEY', 'LLM key'),
      secret('GOOGLE_API_KEY', 'LLM key'),
      secret('OPENAI_API_KEY', 'LLM key'),
      optional(
        'TOKENS_FILE',
        'Where the generated tokens lie (0600, can be sourced); empty: ~/.kubently-tokens-API_HOST.env',
      ),
    ],
  },
  {
    title: 'Certificates',
    rows: [
      required('ACME_EMAIL', 'you@example.com', "Account address at Let's Encrypt (it mails no warnings any more)"),
      optional(
        'TLS_ISSUER',
        `staging | production pins the issuer; empty: staging first, production by step ${STEP.productionCertificate}`,
      ),
      byDefault(
        'ACME_STAGING_SERVER',
        'https://acme-staging-v02.api.letsencrypt.org/directory',
        'ACME directory of the staging issuer',
      ),
      byDefault(
        'ACME_PRODUCTION_SERVER',
        'https://acme-v02.api.letsencrypt.org/directory',
        'ACME directory of the production issuer',
      ),
      optional('ACME_CA_FILE', 'CA (PEM) of a private ACME directory'),
      optional(
        'TLS_CA_FILE',
        'CA (PEM) that signs the API certificate, where it is a private one: for the executors, the CLI and the checks',
      ),
      optional(
        'TLS_CERT_FILE',
        "Your own certificate (PEM: the host's first, then its intermediates); then none is requested by ACME",
      ),
      optional('TLS_KEY_FILE', 'Its private key (PEM, without a passphrase)'),
      byDefault(
        'CERT_MANAGER_CHART',
        'oci://quay.io/jetstack/charts/cert-manager',
        "Place of cert-manager's chart: registry, mirror or file",
      ),
    ],
  },
  {
    title: 'Backup',
    rows: [
      optional(
        'BACKUP_RECIPIENT',
        'age public keys (age1…), separated by commas: whoever has one of their identities can read the backups of `make backup`',
      ),
      optional(
        'BACKUP_IDENTITY',
        'File with the age identity (AGE-SECRET-KEY-…) by which `make restore` reads a backup',
      ),
    ],
  },
  {
    title: 'Network',
    rows: [
      byDefault(
        'INGRESS_CONTROLLER',
        'traefik',
        `traefik: installed by step ${STEP.ingressController}; existing: the one that already serves class nginx is used and checked`,
      ),
      byDefault(
        'HSTS_INCLUDE_SUBDOMAINS',
        'false',
        'true: browsers keep to https for every name below API_HOST too; false: for API_HOST alone',
      ),
      optional('DNS_SERVER', "Resolver for the runbook's own look-ups; empty: the system's"),
    ],
  },
];

export const ROWS: readonly SettingRow[] = SECTIONS.flatMap((s) => s.rows);

/** Settings of the tools themselves that may stand in the file too and reach the children (docs/architecture.md rule 9). */
export const PASSED_ON = /^(KUBECONFIG|DOCKER_HOST|DOCKER_CONFIG|DOCKER_BUILDKIT|CLOUDSDK_[A-Z0-9_]+)$/;

/** What children get from the process environment, besides PASSED_ON. */
export const INHERITED =
  /^(PATH|HOME|USER|LANG|TMPDIR|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|NODE_EXTRA_CA_CERTS|GOOGLE_APPLICATION_CREDENTIALS)$/i;

/** The text of .env.example. */
export function exampleFile(): string {
  const head =
    '# Settings of the Kubently runbook. Copy to .env and edit; ENV_FILE=path names another file.\n# The environment wins over this file. Also allowed here: KUBECONFIG, DOCKER_HOST, DOCKER_CONFIG, CLOUDSDK_….\n';
  const sections = SECTIONS.map(
    ({ title, rows }) =>
      `\n# --- ${title} ---\n` +
      rows
        .map((r) => `\n# ${r.comment}${r.kind === 'required' ? ' (required)' : ''}\n${r.name}=${r.example}\n`)
        .join(''),
  );
  return head + sections.join('');
}
