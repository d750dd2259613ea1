/** Names of the Secrets that the releases read (docs/kubently-contract.md 1.6). */

export const TLS_SECRET = 'kubently-api-tls';
export const API_KEYS_SECRET = 'kubently-api-keys';
export const REDIS_SECRET = 'kubently-redis-password';
export const LLM_SECRET = 'kubently-llm-secrets';

/** The executor's token Secret, key `token`: this name works at every shape of the chart that takes one. */
export function executorTokenSecret(release: string): string {
  return `${release}-executor-token`;
}
