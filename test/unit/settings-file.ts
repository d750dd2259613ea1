/** The least settings file that loads, written as a test changes it. */
import { writeFileSync } from 'node:fs';

const LEAST: Record<string, string> = {
  GCP_PROJECT: 'unit-project',
  DNS_ZONE: 'kubently-io',
  API_HOST: 'unit-api.kubently.io',
  GKE_CONTEXT: 'unit-gke',
  REMOTE_CLUSTERS: 'kind-remote=unit-kind',
  KUBENTLY_REPO: '~/repos/kubently',
  ACME_EMAIL: 'ops@kubently.io',
};

/** Writes it, with lines changed (undefined: left out) and further text as it stands. @returns the text */
export function writeSettings(path: string, changed: Record<string, string | undefined> = {}, more = ''): string {
  const lines = Object.entries({ ...LEAST, ...changed }).flatMap(([k, v]) => (v === undefined ? [] : [`${k}=${v}\n`]));
  const text = lines.join('') + more;
  writeFileSync(path, text, { mode: 0o600 });
  return text;
}
