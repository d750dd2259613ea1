/** The server certificate under which pods meet the emulated API. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../run.ts';

/** A new key and a certificate of the CA for `names` and `address`, both PEM, kept in no file. */
export async function serverCertificate(
  ca: { cert: string; key: string },
  names: readonly string[],
  address: string,
): Promise<{ cert: string; key: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'kubently-google-'));
  try {
    const [cert, key] = [join(folder, 'crt'), join(folder, 'key')];
    const alternatives = [...names.map((name) => `DNS:${name}`), `IP:${address}`].join(',');
    await run('openssl', [
      ...['req', '-x509', '-days', '800', '-CA', ca.cert, '-CAkey', ca.key],
      ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert],
      ...['-subj', `/CN=${names[0] ?? address}`, '-addext', `subjectAltName=${alternatives}`],
      ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'extendedKeyUsage=serverAuth'],
    ]);
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
