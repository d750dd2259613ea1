/** The executor's settings, from its environment (kubently-contract 4), and what it refuses to run with. */

export type Settings = {
  /** No trailing slash: paths are appended to it. */
  apiUrl: string;
  cluster: string;
  token: string;
  /** Only the word true, in any case, means verify. */
  verify: boolean;
  /** Trust exactly this file; wins over `verify`. */
  caFile: string | undefined;
  /** `sha256/BASE64` of public keys (SPKI); one of them must be in the API's chain. Empty: no pinning. */
  pins: string[];
  whitelistFile: string | undefined;
  reportCapabilities: boolean;
  /** Seconds. */
  heartbeatInterval: number;
  version: string;
  pod: string;
};

/** A Service of the executor's own cluster: its short name, or NAME.NAMESPACE.svc. */
const SERVICE = /^(?!localhost$)[a-z]([a-z0-9-]*[a-z0-9])?$|^[a-z0-9-]+\.[a-z0-9-]+\.svc(\.cluster\.local)?$/;
const PIN = /^sha256\/[A-Za-z0-9+/]{43}=$/;

/**
 * Reads the settings.
 * @throws Error naming the required variables that are missing or empty, or what would be insecure:
 * plain http that nobody asked for, verification off in production
 */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const value = (name: string) => environment[name] ?? '';
  const isTrue = (name: string) => value(name).toLowerCase() === 'true';
  const missing = ['KUBENTLY_API_URL', 'CLUSTER_ID', 'KUBENTLY_TOKEN'].filter((name) => value(name) === '');
  if (missing.length > 0) throw new Error(`Missing required environment variables: ${missing.join(', ')}`);
  const settings: Settings = {
    apiUrl: value('KUBENTLY_API_URL'),
    cluster: value('CLUSTER_ID'),
    token: value('KUBENTLY_TOKEN'),
    verify: (environment['KUBENTLY_SSL_VERIFY'] ?? 'true').toLowerCase() === 'true',
    caFile: value('KUBENTLY_CA_CERT') || undefined,
    pins: value('KUBENTLY_CA_PIN')
      .split(/[\s,]+/)
      .filter(Boolean),
    whitelistFile: value('KUBENTLY_WHITELIST_CONFIG') || undefined,
    reportCapabilities: isTrue('KUBENTLY_REPORT_CAPABILITIES'),
    heartbeatInterval: Number(environment['KUBENTLY_HEARTBEAT_INTERVAL'] ?? 300),
    version: environment['EXECUTOR_VERSION'] ?? '1.0.0',
    pod: value('HOSTNAME'),
  };
  const refused = insecure(settings, isTrue('KUBENTLY_ALLOW_HTTP'), value('ENVIRONMENT') === 'production');
  if (refused !== undefined) throw new Error(refused);
  return settings;
}

/** Why these settings may not run. Naming a Service of the cluster is an opt-in by itself: it never leaves the cluster. */
function insecure({ apiUrl, verify, caFile, pins }: Settings, allowHttp: boolean, production: boolean) {
  const url = URL.parse(apiUrl);
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    return `KUBENTLY_API_URL is no https:// URL: ${apiUrl}`;
  const badPin = pins.find((pin) => !PIN.test(pin));
  if (badPin !== undefined)
    return `KUBENTLY_CA_PIN: "${badPin}" is not sha256/ and the base64 of a public key's SHA-256`;
  const plain = url.protocol === 'http:';
  if (plain && pins.length > 0)
    return 'KUBENTLY_CA_PIN is set, and KUBENTLY_API_URL is plain http: there is no key to pin';
  if (plain && !SERVICE.test(url.hostname)) {
    if (!allowHttp)
      return `KUBENTLY_API_URL must be https: ${apiUrl} would send the token in clear (KUBENTLY_ALLOW_HTTP=true allows it, for development)`;
    if (production) return `KUBENTLY_ALLOW_HTTP is not accepted in production: ${apiUrl} would send the token in clear`;
  }
  if (!plain && !verify && caFile === undefined) {
    if (production) return 'KUBENTLY_SSL_VERIFY=false is not accepted in production: name the CA by KUBENTLY_CA_CERT';
    if (pins.length > 0) return 'KUBENTLY_CA_PIN needs verification: KUBENTLY_SSL_VERIFY is false';
  }
  return undefined;
}
