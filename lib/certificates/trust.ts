/** What this process trusts: the system's roots, and TLS_CA_FILE beside them (design.md rule 11). */
import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';

const added = new Set<string>();

/** Adds the file to what this process trusts, once; not before it is needed, since that takes 30 ms. */
export function trust(caFile: string | undefined): void {
  if (caFile === undefined || added.has(caFile)) return;
  added.add(caFile);
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(caFile, 'utf8')]);
}

/** PEM of every trusted root. */
export function trustedRoots(caFile: string | undefined): string[] {
  trust(caFile);
  return getCACertificates('default');
}
