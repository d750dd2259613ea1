/** The rehearsal CA: made once per cache, since the cert-manager images carry its certificate. */
import { join } from 'node:path';
import { run } from '../run.ts';
import { cached } from './parts.ts';

const SUBJECT = '/O=Kubently rehearsal/CN=Kubently rehearsal CA';
const DAYS = 3650;

/** Returns the paths of the CA's certificate and key (PEM, P-256, ten years). */
export async function rehearsalCa(): Promise<{ cert: string; key: string }> {
  const folder = await cached('ca', { texts: [SUBJECT, String(DAYS)] }, async (making) => {
    const [key, cert] = [join(making, 'ca.key'), join(making, 'ca.crt')];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'];
    const extensions = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
    await run('openssl', [
      ...['req', '-x509', ...kind, '-subj', SUBJECT, '-days', String(DAYS), '-keyout', key, '-out', cert],
      ...extensions.flatMap((extension) => ['-addext', extension]),
    ]);
  });
  return { cert: join(folder, 'ca.crt'), key: join(folder, 'ca.key') };
}
