/** A certificate from a private CA, as an operator would bring it, made by openssl: node test/own-certificate.ts FOLDER HOST [DAYS] */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes root.pem, chain.pem (the host's certificate, then its intermediate), reversed.pem and key.pem into the folder; a root that is there signs again. */
export function makeCertificates(folder: string, host: string, days = 90): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = (name: string): string => join(folder, name);
  const make = (name: string, subject: string, issuer: string | undefined, extensions: readonly string[]): void => {
    const signer = issuer ? ['-CA', file(`${issuer}.pem`), '-CAkey', file(`${issuer}.key`)] : [];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout', file(`${name}.key`)];
    const named = ['-subj', `/CN=${subject}`, '-days', String(days), '-out', file(`${name}.pem`)];
    const extended = extensions.flatMap((e) => ['-addext', e]);
    execFileSync('openssl', ['req', '-x509', ...kind, ...named, ...signer, ...extended], { stdio: 'pipe' });
  };
  const ca = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign'];
  if (!existsSync(file('root.pem'))) make('root', 'Own Root', undefined, ca);
  make('intermediate', 'Own Intermediate', 'root', ca);
  make('leaf', host, 'intermediate', [`subjectAltName=DNS:${host}`, 'basicConstraints=critical,CA:FALSE']);
  const pem = (name: string): string => readFileSync(file(name), 'utf8');
  writeFileSync(file('chain.pem'), pem('leaf.pem') + pem('intermediate.pem'));
  writeFileSync(file('reversed.pem'), pem('intermediate.pem') + pem('leaf.pem'));
  writeFileSync(file('key.pem'), pem('leaf.key'), { mode: 0o600 });
}

if (import.meta.main) {
  const [folder = '', host = '', days = '90'] = process.argv.slice(2);
  makeCertificates(folder, host, Number(days));
}
