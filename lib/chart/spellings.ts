/**
 * Every known spelling of what the runbook means (contract 1.3, 1.7, 2). All are offered at once;
 * fit.ts keeps those that the chart at hand reads. A spelling may be left out where a chart refuses unknown keys.
 */
import {
  apiUrl,
  CA_FILE,
  executorImage,
  LLM_ENV,
  meantSecret,
  type GkeMeaning,
  type Image,
  type Meaning,
} from './meaning.ts';
import type { Values } from './value-tree.ts';

export interface Spelling {
  /** What it says, as findings name it. */
  means: string;
  values: Values;
}

const imageOf = ({ repository, tag }: Image): Values => ({ image: { repository, tag, pullPolicy: 'IfNotPresent' } });

/** The spellings of one side, in the order of the contract's tables. */
export function spellings(meaning: Meaning): Spelling[] {
  return [...executorSpellings(meaning), ...(meaning.side === 'gke' ? gkeSpellings(meaning) : remoteSpellings())];
}

function executorSpellings(meaning: Meaning): Spelling[] {
  return [
    { means: 'executor', values: { executor: { enabled: true } } },
    { means: 'executor image', values: { executor: imageOf(executorImage(meaning)) } },
    { means: 'cluster id', values: { executor: { clusterId: meaning.clusterId } } },
    { means: 'API URL of the executor', values: { executor: { apiUrl: apiUrl(meaning) } } },
    {
      means: 'executor token Secret',
      values: { executor: { existingSecret: meantSecret('executor-token', meaning.release).name } },
    },
    { means: 'executor token key', values: { executor: { existingSecretKey: 'token' } } },
    { means: 'security mode', values: { executor: { security: { mode: meaning.securityMode } } } },
    { means: 'security mode', values: { kubentlyExecutor: { enabled: true, securityMode: meaning.securityMode } } },
    ...(meaning.securityMode === 'fullAccess'
      ? [{ means: 'security mode', values: { fullAccessAcknowledged: true } }]
      : []),
    ...(apiUrl(meaning).startsWith('https:')
      ? [{ means: 'TLS verification', values: { executor: { env: { KUBENTLY_SSL_VERIFY: 'true' } } } }]
      : []),
    ...(meaning.caFile ? [{ means: 'private CA', values: { executor: { env: { KUBENTLY_CA_CERT: CA_FILE } } } }] : []),
    { means: "no TLS of the chart's own", values: { tls: { enabled: false } } },
  ];
}

function gkeSpellings(meaning: GkeMeaning): Spelling[] {
  const env: Record<string, string> = {
    LLM_PROVIDER: meaning.llmProvider,
    A2A_EXTERNAL_URL: `https://${meaning.host}/a2a/`,
    ...(meaning.model === undefined ? {} : { [LLM_ENV[meaning.llmProvider].model]: meaning.model }),
  };
  return [
    { means: 'API', values: { api: { enabled: true } } },
    { means: 'API replicas', values: { api: { replicaCount: meaning.replicas } } },
    { means: 'API image', values: { api: imageOf(meaning.images.api) } },
    { means: 'API key Secret', values: { api: { existingSecret: meantSecret('api-keys', meaning.release).name } } },
    { means: 'API environment', values: { api: { env } } },
    { means: 'Redis', values: { redis: { enabled: true } } },
    { means: 'Redis password', values: { redis: { auth: { enabled: true } } } },
    {
      means: 'Redis password',
      values: { redis: { auth: { existingSecret: meantSecret('redis-password', meaning.release).name } } },
    },
    { means: 'Ingress', values: { ingress: { enabled: true, className: meaning.ingressClass } } },
    {
      means: 'Ingress host',
      values: { ingress: { hosts: [{ host: meaning.host, paths: [{ path: '/', pathType: 'Prefix' }] }] } },
    },
    { means: 'Ingress TLS', values: { ingress: { tls: [{ secretName: meaning.tlsSecret, hosts: [meaning.host] }] } } },
  ];
}

function remoteSpellings(): Spelling[] {
  return [
    { means: 'no API', values: { api: { enabled: false } } },
    { means: 'no API', values: { api: { replicaCount: 0 } } },
    { means: 'no Redis', values: { redis: { enabled: false } } },
    { means: 'no Redis', values: { redis: { auth: { enabled: false } } } },
    // B looks for another Redis once its own is off; with the API at 0 replicas nobody asks it.
    { means: 'no Redis', values: { externalRedis: { url: 'redis://unused.invalid:6379' } } },
    { means: 'no Ingress', values: { ingress: { enabled: false } } },
  ];
}
