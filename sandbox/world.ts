/** Where the rehearsal world lies: folders, names and addresses that its parts share. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** State of the running world, at one fixed place so that a second clone finds it. */
export const STATE = '/var/lib/kubently-sandbox';

/** Sockets and records of running daemons; a reboot empties it. */
export const RUN = '/run/kubently-sandbox';

/** Built parts, kept over sandbox-down; each folder is named by the hash of its pins. */
export const CACHE = join(homedir(), '.cache', 'kubently-sandbox');

/** The docker network `kind` uses the benchmark range (RFC 2544), never a private one. */
export const NETWORK = {
  name: 'kind',
  bridge: 'br-kubently',
  subnet: '198.18.0.0/16',
  /** Containers get addresses from here, so that the fixed ones below stay free. */
  containers: '198.18.1.0/24',
  gateway: '198.18.0.1',
  /** Second address of the bridge: kind redirects port 53 of the gateway to Docker's resolver. */
  dns: '198.18.0.53',
  /** The Google API as pods see it (https). */
  google: '198.18.0.80',
  acmeStaging: '198.18.0.14',
  acmeProduction: '198.18.0.15',
  llm: '198.18.0.16',
} as const;

/** The registry as docker on the host names it, and as the nodes reach it. */
export const REGISTRY = { host: '127.0.0.1:5000', nodes: '198.18.0.1:5000' } as const;

/** The Google API as host tools see it (plain http on loopback), and the names pods use for it. */
export const GOOGLE = {
  endpoint: 'http://127.0.0.1:8085',
  names: ['dns.googleapis.com', 'oauth2.googleapis.com', 'compute.googleapis.com', 'iam.googleapis.com'],
  project: 'regal-skyline-471806-t6',
  region: 'us-central1',
  zone: 'kubently-io',
  domain: 'kubently.io',
  /** Regional addresses are reserved from this block, which no container gets. */
  addresses: '198.18.255.0/24',
} as const;

export const ACME = {
  staging: { host: 'acme-staging.rehearsal.test', url: 'https://acme-staging.rehearsal.test:14000/dir' },
  production: { host: 'acme.rehearsal.test', url: 'https://acme.rehearsal.test:14000/dir' },
} as const;

/** The language model's endpoint, as pods see it and, with its faults, on loopback. */
export const LLM = {
  host: 'llm.rehearsal.test',
  endpoint: 'http://127.0.0.1:8086',
  /** Dummies: nothing outside this machine knows them. */
  keys: { anthropic: 'rehearsal-anthropic-key', openai: 'rehearsal-openai-key' },
  models: { anthropic: ['claude-sonnet-4-6', 'claude-opus-4-6'], openai: ['gpt-5', 'gpt-5-mini'] },
} as const;

/** kind's cluster names, and the kubectl contexts under which the runbook knows them. */
export const CLUSTERS = {
  gke: { name: 'gke', context: 'gke_regal-skyline-471806-t6_us-central1_kubently-test-cluster1' },
  remote: { name: 'kubently', context: 'kind-kubently' },
} as const;

export const API_HOST = 'test-api.kubently.io';

/** Files of the running world. */
export const PATHS = {
  kubeconfig: join(STATE, 'kubeconfig'),
  /** Rehearsal CA: signs the Google API's and the ACME directories' server certificates. */
  ca: join(STATE, 'ca.crt'),
  caKey: join(STATE, 'ca.key'),
  /** What the runbook's TLS_CA_FILE names: both Pebble roots. */
  acmeRoots: join(STATE, 'acme-roots.pem'),
  /** The emulator's request log, one JSON object a line. */
  googleLog: join(STATE, 'google', 'requests.jsonl'),
  googleToken: join(STATE, 'google', 'access-token'),
  checkout: join(STATE, 'kubently'),
  logs: join(STATE, 'logs'),
} as const;
