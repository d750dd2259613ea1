/** The operator's own certificate (TLS_CERT_FILE, TLS_KEY_FILE): what is wrong with it, and the Secret that it becomes. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import type { Context } from '../../context.ts';
import type { Problem } from '../../base/failure.ts';
import { OURS } from '../../clients/kubectl.ts';
import { Secret } from '../../base/secret.ts';
import type { Settings } from '../../settings/settings.ts';
import { absent, differs, done, type Check } from '../../step.ts';
import { readCertificates } from '../../settings/trust-file.ts';
import type { KubeObject } from '../../base/kubernetes.ts';
import { TLS_SECRET } from '../../chart/secret-names.ts';

type Own = NonNullable<Settings['tls']['own']>;

const CERTIFICATE = 'Certificate.cert-manager.io';
/** Below this, OpenSSL and every browser refuse a key. */
const LEAST_RSA_BITS = 2048;
/** By these cert-manager takes a Secret for one that it issued. */
const CERT_MANAGERS = 'cert-manager.io/';

/**
 * Everything wrong with the files, for the preflight; none where no own certificate is set.
 * @param now milliseconds since 1970
 * @param roots PEM of what counts as trusted: the system's, and TLS_CA_FILE (lib/context.ts)
 */
export function ownCertificateProblems(
  { host, tls: { own } }: Pick<Settings, 'host' | 'tls'>,
  now: number,
  roots: readonly string[] = getCACertificates('default'),
): Problem[] {
  if (!own) return [];
  const { chain, broken } = readChain(own);
  const [leaf] = chain;
  if (broken || !leaf) return [broken ?? about(own, 'holds no certificate', 'it must be PEM: BEGIN CERTIFICATE')];
  const names = (leaf.subjectAltName ?? 'no name at all').replaceAll('DNS:', '');
  return [
    ...keyProblems(own, chain),
    ...(leaf.checkHost(host, { subject: 'never' }) === undefined
      ? [about(own, `is for ${names}, not for ${host}`, 'its subjectAltName must name API_HOST')]
      : []),
    ...chain.flatMap((c) => [...dateProblems(own, c, now), ...strengthProblems(own, c)]),
    ...chainProblems(own, chain, roots),
  ];
}

function about({ certFile }: Own, message: string, remedy: string): Problem {
  return { about: 'TLS_CERT_FILE', message: `"${certFile}" ${message}`, remedy };
}

function readChain(own: Own): { chain: X509Certificate[]; broken?: Problem } {
  try {
    return { chain: readCertificates(own.certFile) };
  } catch {
    return { chain: [], broken: about(own, 'holds a certificate that cannot be read', 'openssl x509 -in FILE -text') };
  }
}

function keyProblems({ certFile, keyFile }: Own, chain: readonly X509Certificate[]): Problem[] {
  const problem = (message: string, remedy: string): Problem[] => [
    { about: 'TLS_KEY_FILE', message: `"${keyFile}" ${message}`, remedy },
  ];
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(keyFile));
  } catch {
    // OpenSSL's own words may repeat what it read.
    return problem('holds no private key that can be read', 'it must be PEM, without a passphrase');
  }
  const owner = chain.findIndex((c) => c.checkPrivateKey(key));
  if (owner === 0) return [];
  return owner > 0
    ? problem(
        `belongs to certificate ${owner + 1} of "${certFile}", not to its first`,
        "put the host's certificate first, then its intermediates",
      )
    : problem(`does not belong to "${certFile}"`, 'name the key that the certificate was requested with');
}

function dateProblems(own: Own, certificate: X509Certificate, now: number): Problem[] {
  const subject = oneLine(certificate.subject);
  if (Date.parse(certificate.validTo) <= now)
    return [about(own, `ended ${day(certificate.validTo)} (${subject})`, 'bring its renewal')];
  if (Date.parse(certificate.validFrom) > now)
    return [
      about(own, `is valid from ${day(certificate.validFrom)} on (${subject})`, "wait, or set this machine's clock"),
    ];
  return [];
}

/** What clients refuse whoever signed it; a root's own signature is asked by nobody. */
function strengthProblems(
  own: Own,
  { publicKey, signatureAlgorithm = '', subject, issuer }: X509Certificate,
): Problem[] {
  const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? LEAST_RSA_BITS;
  return [
    ...(bits < LEAST_RSA_BITS
      ? [about(own, `has an RSA key of ${bits} bits (${oneLine(subject)})`, `at least ${LEAST_RSA_BITS}, or P-256`)]
      : []),
    ...(/sha1|md5/i.test(signatureAlgorithm) && subject !== issuer
      ? [about(own, `is signed by ${signatureAlgorithm} (${oneLine(subject)})`, 'have it signed with SHA-256')]
      : []),
  ];
}

/** Each certificate must be signed by the next, and the last by a root that is trusted here. */
function chainProblems(own: Own, chain: readonly X509Certificate[], roots: readonly string[]): Problem[] {
  const wrong = chain.findIndex((c, i) => {
    const next = chain[i + 1];
    return next !== undefined && !isSigned(c, next);
  });
  if (wrong >= 0)
    return [
      about(
        own,
        `is out of order: certificate ${wrong + 2} did not sign certificate ${wrong + 1}`,
        "put the host's certificate first, then each one's issuer",
      ),
    ];
  const last = chain.at(-1);
  if (!last || roots.some((pem) => isSigned(last, new X509Certificate(pem)))) return [];
  return [
    about(
      own,
      `leads to no trusted root: ${oneLine(last.issuer)} is not known`,
      'append the missing intermediate; for a private CA, name its root by TLS_CA_FILE',
    ),
  ];
}

function isSigned(certificate: X509Certificate, by: X509Certificate): boolean {
  return certificate.checkIssued(by) && certificate.verify(by.publicKey);
}

/** Whether the Secret that the Ingress serves is made of the files, and nobody else would write it. */
export async function checkOwn(ctx: Context, own: Own): Promise<Check> {
  const kube = ctx.kube(ctx.settings.gke);
  const [certificate, live] = await Promise.all([kube.get(CERTIFICATE, TLS_SECRET), kube.get('Secret', TLS_SECRET)]);
  if (certificate)
    return differs(`cert-manager would overwrite your own certificate: Certificate ${TLS_SECRET} is there`);
  if (!live) return absent(`no Secret ${TLS_SECRET}`);
  const found = live['data'] as Record<string, string>;
  const wanted = dataOf(own);
  const same = found['tls.crt'] === wanted['tls.crt'] && found['tls.key'] === wanted['tls.key'];
  if (!same) return differs(`Secret ${TLS_SECRET} holds another certificate than TLS_CERT_FILE`);
  if (certManagerAnnotations(live).length > 0)
    return differs(`Secret ${TLS_SECRET} is still annotated by cert-manager`);
  const [leaf] = readChain(own).chain;
  return done(`your own certificate, by ${oneLine(leaf?.issuer ?? '')}, until ${day(leaf?.validTo ?? '')}`);
}

/** Puts the files into the Secret, after whatever would write it again is gone; what was served before is served until then. */
export async function applyOwn(ctx: Context, own: Own): Promise<void> {
  const kube = ctx.kube(ctx.settings.gke);
  await kube.delete(CERTIFICATE, TLS_SECRET);
  // Left there, they would make cert-manager take the own certificate for one that it issued (on the way back).
  const stale = certManagerAnnotations(await kube.get('Secret', TLS_SECRET));
  if (stale.length > 0) await kube.change`annotate secret/${TLS_SECRET} ${stale.map((name) => `${name}-`)}`;
  const { namespace } = kube.target;
  const metadata = { name: TLS_SECRET, namespace, labels: OURS };
  await kube.apply([{ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata, data: dataOf(own) }]);
}

/** The Secret's data. The key is boxed on the way, so that no sink shows it. */
function dataOf({ certFile, keyFile }: Own): { 'tls.crt': string; 'tls.key': string } {
  const key = new Secret(readFileSync(keyFile, 'utf8'));
  return {
    'tls.crt': readFileSync(certFile).toString('base64'),
    'tls.key': Buffer.from(key.reveal()).toString('base64'),
  };
}

function certManagerAnnotations(secret: KubeObject | undefined): string[] {
  return Object.keys(secret?.metadata.annotations ?? {}).filter((name) => name.startsWith(CERT_MANAGERS));
}

function day(date: string): string {
  return new Date(date).toISOString().slice(0, 10);
}

/** Node has undefined for an empty name, which is how Let's Encrypt leaves the subject; its types do not know. */
function oneLine(name: string | undefined): string {
  return name?.replaceAll('\n', ', ') ?? 'no subject';
}
