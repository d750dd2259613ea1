/** Whom the executor trusts on https (kubently-contract 4): a CA file alone, everybody, or the usual roots. */
import { readFileSync } from 'node:fs';
import { setDefaultCACertificates } from 'node:tls';
import { log } from '../log.ts';
import type { Settings } from './settings.ts';

/** Says once at start how the API will be trusted; plain http is allowed, with a warning. */
export function announceTrust({ apiUrl, verify, caFile }: Settings): void {
  if (apiUrl.startsWith('http://')) {
    if (verify) log.warning(`Using insecure HTTP connection to ${apiUrl} although certificates should be verified`);
    return;
  }
  if (caFile !== undefined) log.info(`HTTPS: trusting only the CA file ${caFile}`);
  else if (verify) log.info('HTTPS: certificates are verified');
  else log.warning('HTTPS: certificate verification is off (KUBENTLY_SSL_VERIFY)');
}

/** Applies the settings to this process's connections; read again before each one. @throws when the CA file cannot be read */
export function applyTrust({ verify, caFile }: Settings): void {
  if (caFile !== undefined) {
    setDefaultCACertificates([readFileSync(caFile, 'utf8')]);
  } else if (!verify) {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  }
}
