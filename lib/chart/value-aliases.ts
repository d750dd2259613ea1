/**
 * Every known spelling of what the runbook means (docs/kubently-contract.md 1.3, 1.7, 2). All are offered at once;
 * fit.ts keeps those that the chart at hand reads. A spelling may be left out where a chart refuses unknown keys.
 */
import {
  apiEnvironment,
  apiUrl,
  CA_FILE,
  executorImage,
  secretRef,
  type GkeReleaseSpec,
  type Image,
  type ReleaseSpec,
} from './release-spec.ts';
import type { Values } from './value-tree.ts';

export interface ValueAlias {
  /** What it says, as findings name it. */
  means: string;
  values: Values;
}

const imageOf = ({ repository, tag }: Image): Values => ({ image: { repository, tag, pullPolicy: 'IfNotPresent' } });

/** The spellings of one side, in the order of the contract's tables. */
export function valueAliases(spec: ReleaseSpec): ValueAlias[] {
  return [...executorAliases(spec), ...(spec.side === 'gke' ? gkeAliases(spec) : remoteAliases())];
}

function executorAliases(spec: ReleaseSpec): ValueAlias[] {
  return [
    { means: 'executor', values: { executor: { enabled: true } } },
    { means: 'executor image', values: { executor: imageOf(executorImage(spec)) } },
    { means: 'cluster id', values: { executor: { clusterId: spec.clusterId } } },
    { means: 'API URL of the executor', values: { executor: { apiUrl: apiUrl(spec) } } },
    {
      means: 'executor token Secret',
      values: { executor: { existingSecret: secretRef('executor-token', spec.release).name } },
    },
    { means: 'executor token key', values: { executor: { existingSecretKey: 'token' } } },
    { means: 'security mode', values: { executor: { security: { mode: spec.securityMode } } } },
    { means: 'security mode', values: { kubentlyExecutor: { enabled: true, securityMode: spec.securityMode } } },
    ...(spec.securityMode === 'fullAccess'
      ? [{ means: 'security mode', values: { fullAccessAcknowledged: true } }]
      : []),
    ...(apiUrl(spec).startsWith('https:')
      ? [{ means: 'TLS verification', values: { executor: { env: { KUBENTLY_SSL_VERIFY: 'true' } } } }]
      : []),
    ...(spec.caFile ? [{ means: 'private CA', values: { executor: { env: { KUBENTLY_CA_CERT: CA_FILE } } } }] : []),
    { means: "no TLS of the chart's own", values: { tls: { enabled: false } } },
  ];
}

function gkeAliases(spec: GkeReleaseSpec): ValueAlias[] {
  const env = apiEnvironment(spec);
  return [
    { means: 'API', values: { api: { enabled: true } } },
    { means: 'API replicas', values: { api: { replicaCount: spec.replicas } } },
    { means: 'API image', values: { api: imageOf(spec.images.api) } },
    { means: 'API key Secret', values: { api: { existingSecret: secretRef('api-keys', spec.release).name } } },
    { means: 'API environment', values: { api: { env } } },
    { means: 'Redis', values: { redis: { enabled: true } } },
    { means: 'Redis password', values: { redis: { auth: { enabled: true } } } },
    {
      means: 'Redis password',
      values: { redis: { auth: { existingSecret: secretRef('redis-password', spec.release).name } } },
    },
    { means: 'Ingress', values: { ingress: { enabled: true, className: spec.ingressClass } } },
    {
      means: 'Ingress host',
      values: { ingress: { hosts: [{ host: spec.host, paths: [{ path: '/', pathType: 'Prefix' }] }] } },
    },
    { means: 'Ingress TLS', values: { ingress: { tls: [{ secretName: spec.tlsSecret, hosts: [spec.host] }] } } },
  ];
}

function remoteAliases(): ValueAlias[] {
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
