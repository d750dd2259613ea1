/** What the runbook means by a release, written once; how a chart spells it is found by fit.ts. */
import { API_KEYS_SECRET, executorTokenSecret, LLM_SECRET, REDIS_SECRET } from './secret-names.ts';

export interface Image {
  repository: string;
  tag: string;
}

export type LlmProvider = 'anthropic-claude' | 'google-gemini' | 'openai';
export type SecurityMode = 'readOnly' | 'extendedReadOnly' | 'fullAccess';

interface CommonReleaseSpec {
  release: string;
  namespace: string;
  clusterId: string;
  securityMode: SecurityMode;
  /** A private CA signs the API's certificate: the executor trusts the file CA_FILE. */
  caFile: boolean;
}

export interface GkeReleaseSpec extends CommonReleaseSpec {
  side: 'gke';
  host: string;
  tlsSecret: string;
  ingressClass: string;
  /** traefik: annotations that it does not honour are reported. existing: which ones are honoured is not known. */
  ingressController?: 'traefik' | 'existing';
  executorApiUrl: string;
  images: { api: Image; executor: Image };
  replicas: number;
  llmProvider: LlmProvider;
  model?: string;
  /** A gateway in place of the provider's own API. */
  llmBaseUrl?: string;
  /** A private CA signs the gateway's certificate: the API trusts the file LLM_CA_FILE. */
  llmCaFile?: boolean;
}

export interface RemoteReleaseSpec extends CommonReleaseSpec {
  side: 'remote';
  apiUrl: string;
  image: Image;
}

export type ReleaseSpec = GkeReleaseSpec | RemoteReleaseSpec;

/** What the runbook puts into a Secret's key. */
export type SecretPurpose = 'redis-password' | 'api-keys' | 'executor-token' | 'llm-key';

/** Where the executor finds the private CA, mounted from a ConfigMap of the runbook (docs/kubently-contract.md 1.5: no value can mount it). */
export const CA_FOLDER = '/etc/kubently/ca';
export const CA_FILE = `${CA_FOLDER}/ca.crt`;
export const CA_CONFIG_MAP = 'kubently-ca-cert';

/** Where the API finds the private CA of the model's gateway, mounted in the same way. */
export const LLM_CA_FOLDER = '/etc/kubently/llm-ca';
export const LLM_CA_FILE = `${LLM_CA_FOLDER}/ca.crt`;
export const LLM_CA_CONFIG_MAP = 'kubently-llm-ca';

/** Names and keys of the Secrets as the runbook means them (docs/kubently-contract.md 1.6); a chart that reads another one gets that. */
export function secretRef(holds: string, release: string): { name: string; key: string } {
  switch (holds) {
    case 'redis-password':
      return { name: REDIS_SECRET, key: 'password' };
    case 'api-keys':
      return { name: API_KEYS_SECRET, key: 'keys' };
    case 'executor-token':
      return { name: executorTokenSecret(release), key: 'token' };
    default:
      return { name: LLM_SECRET, key: holds };
  }
}

/** The env entries that name a provider's model and where its client asks, and the one that holds its key. */
export const LLM_ENV: Record<LlmProvider, { model: string; key: string; baseUrl?: string }> = {
  'anthropic-claude': { model: 'ANTHROPIC_MODEL_NAME', key: 'ANTHROPIC_API_KEY', baseUrl: 'ANTHROPIC_BASE_URL' },
  'google-gemini': { model: 'GOOGLE_MODEL_NAME', key: 'GOOGLE_API_KEY' },
  openai: { model: 'OPENAI_MODEL_NAME', key: 'OPENAI_API_KEY', baseUrl: 'OPENAI_BASE_URL' },
};

/** What the API is told by env entries, by name. */
export function apiEnvironment(spec: GkeReleaseSpec): Record<string, string> {
  const { model, baseUrl } = LLM_ENV[spec.llmProvider];
  return {
    LLM_PROVIDER: spec.llmProvider,
    A2A_EXTERNAL_URL: `https://${spec.host}/a2a/`,
    ...(spec.model === undefined ? {} : { [model]: spec.model }),
    ...(spec.llmBaseUrl === undefined || baseUrl === undefined ? {} : { [baseUrl]: spec.llmBaseUrl }),
    // Python's and OpenSSL's own variable; nothing of the provider's client names a CA.
    ...(spec.llmCaFile ? { SSL_CERT_FILE: LLM_CA_FILE } : {}),
  };
}

/** Why no agent can answer: the chosen provider's key is not set, whatever others are; undefined where it is. */
export function noLlmKey({ provider, keys }: { provider: LlmProvider; keys: object }): string | undefined {
  const { key } = LLM_ENV[provider];
  return key in keys ? undefined : `no LLM key is set (${key})`;
}

/** Which secret an env entry holds, by its name (docs/kubently-contract.md 1.5); undefined for a name the runbook does not know. */
export function secretPurposeOf(name: string): SecretPurpose | undefined {
  if (name === 'REDIS_PASSWORD') return 'redis-password';
  if (name === 'API_KEYS') return 'api-keys';
  if (name === 'EXECUTOR_TOKEN' || name === 'KUBENTLY_TOKEN') return 'executor-token';
  return Object.values(LLM_ENV).some((e) => e.key === name) ? 'llm-key' : undefined;
}

/** Image of the executor on either side. */
export function executorImage(spec: ReleaseSpec): Image {
  return spec.side === 'gke' ? spec.images.executor : spec.image;
}

/** Where the executor is to find the API. */
export function apiUrl(spec: ReleaseSpec): string {
  return spec.side === 'gke' ? spec.executorApiUrl : spec.apiUrl;
}
