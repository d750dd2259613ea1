/** Writes sandbox/.env: the settings with which the runbook is rehearsed. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACME, API_HOST, CLUSTERS, GOOGLE, LLM, NETWORK, PATHS, REGISTRY, STATE } from './world.ts';

export const ENV_FILE = join(import.meta.dirname, '.env');

/** What only the running world knows. */
export interface World {
  dockerHost: string;
  certManagerChart: string;
  repo: string;
  gcloud: Record<string, string>;
}

/** The settings of the rehearsal. The keys and tokens in it are dummies: nothing outside this machine knows them. */
function settings(world: World): Record<string, string> {
  return {
    GCP_PROJECT: GOOGLE.project,
    GCP_REGION: GOOGLE.region,
    DNS_ZONE: GOOGLE.zone,
    API_HOST,
    STATIC_IP_NAME: 'kubently-ingress-ip',
    GKE_CONTEXT: CLUSTERS.gke.context,
    NAMESPACE: 'kubently',
    RELEASE: 'kubently',
    REMOTE_CLUSTERS: `kind-remote=${CLUSTERS.remote.context}`,
    KUBENTLY_REPO: world.repo,
    IMAGE_REGISTRY: `${REGISTRY.host}/kubently/kubently`,
    IMAGE_REGISTRY_USER: 'rehearsal',
    GITHUB_TOKEN: 'rehearsal-registry-token',
    LLM_PROVIDER: 'anthropic-claude',
    ANTHROPIC_API_KEY: LLM.keys.anthropic,
    LLM_BASE_URL: `https://${LLM.host}`,
    LLM_CA_FILE: PATHS.ca,
    TOKENS_FILE: join(STATE, 'tokens.env'),
    ACME_EMAIL: 'operator@rehearsal.test',
    ACME_STAGING_SERVER: ACME.staging.url,
    ACME_PRODUCTION_SERVER: ACME.production.url,
    ACME_CA_FILE: PATHS.ca,
    TLS_CA_FILE: PATHS.acmeRoots,
    CERT_MANAGER_CHART: world.certManagerChart,
    DNS_SERVER: NETWORK.dns,
    KUBECONFIG: PATHS.kubeconfig,
    DOCKER_HOST: world.dockerHost,
    DOCKER_BUILDKIT: '0',
    ...world.gcloud,
  };
}

/** The text of the settings file; in single quotes dotenv and the shell both read a value as it stands. Pure. */
export function environmentText(world: World): string {
  const lines = Object.entries(settings(world)).map(([key, value]) => `${key}='${value}'\n`);
  return `# Written by sandbox/up.ts: the settings of the rehearsal. Changes are lost.\n${lines.join('')}`;
}

/** Writes sandbox/.env (0600). */
export function writeEnvironment(world: World): void {
  rmSync(ENV_FILE, { force: true });
  writeFileSync(ENV_FILE, environmentText(world), { mode: 0o600 });
}
