/** The executor's settings, from its environment (kubently-contract 4). */

export type Settings = {
  /** No trailing slash: paths are appended to it. */
  apiUrl: string;
  cluster: string;
  token: string;
  /** Only the word true, in any case, means verify. */
  verify: boolean;
  /** Trust exactly this file; wins over `verify`. */
  caFile: string | undefined;
  whitelistFile: string | undefined;
  reportCapabilities: boolean;
  /** Seconds. */
  heartbeatInterval: number;
  version: string;
  pod: string;
};

/** Reads the settings. @throws Error naming the required variables that are missing or empty */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const value = (name: string) => environment[name] ?? '';
  const missing = ['KUBENTLY_API_URL', 'CLUSTER_ID', 'KUBENTLY_TOKEN'].filter((name) => value(name) === '');
  if (missing.length > 0) throw new Error(`Missing required environment variables: ${missing.join(', ')}`);
  return {
    apiUrl: value('KUBENTLY_API_URL'),
    cluster: value('CLUSTER_ID'),
    token: value('KUBENTLY_TOKEN'),
    verify: (environment['KUBENTLY_SSL_VERIFY'] ?? 'true').toLowerCase() === 'true',
    caFile: value('KUBENTLY_CA_CERT') || undefined,
    whitelistFile: value('KUBENTLY_WHITELIST_CONFIG') || undefined,
    reportCapabilities: value('KUBENTLY_REPORT_CAPABILITIES').toLowerCase() === 'true',
    heartbeatInterval: Number(environment['KUBENTLY_HEARTBEAT_INTERVAL'] ?? 300),
    version: environment['EXECUTOR_VERSION'] ?? '1.0.0',
    pod: value('HOSTNAME'),
  };
}
