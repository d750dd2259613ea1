/** Files of CA certificates that the settings name: what is wrong with one, before anything trusts it. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Common name of the CA that `make dev-certs` makes; no deployment may trust it. */
export const DEVELOPMENT_CA = 'Kubently development CA';

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** The file's certificates. @throws where one cannot be read */
export function readCertificates(path: string): X509Certificate[] {
  return (readFileSync(path, 'utf8').match(BLOCK) ?? []).map((pem) => new X509Certificate(pem));
}

/**
 * Why a deployment may not trust this file, in words; undefined when it may.
 * @param now milliseconds since 1970
 */
export function trustFileProblem(path: string, now: number): string | undefined {
  let certificates: X509Certificate[];
  try {
    certificates = readCertificates(path);
  } catch (error) {
    return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (certificates.length === 0) return 'holds no certificate (PEM)';
  const development = certificates.some((c) => subjectLines(c).includes(`CN=${DEVELOPMENT_CA}`));
  if (development) return `holds the ${DEVELOPMENT_CA}, which is for this machine only (make dev)`;
  const valid = certificates.some((c) => c.validToDate.getTime() > now);
  return valid ? undefined : 'holds only expired certificates';
}

/** Node has undefined for an empty subject; its types do not know. */
function subjectLines({ subject }: X509Certificate): string[] {
  return (subject as string | undefined)?.split('\n') ?? [];
}
