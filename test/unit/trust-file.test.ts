import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { trustFileProblem } from '../../lib/settings/trust-file.ts';
import { areGood, makeCertificates } from '../../sandbox/dev/certificates.ts';
import { certificate, LATER } from '../tls/certificates.ts';
import { temporaryFolder } from './outside.ts';

const DAY = 86_400_000;
const now = Date.now();

async function file(...certificates: Promise<{ cert: string }>[]): Promise<string> {
  const path = join(temporaryFolder(), 'trust.pem');
  writeFileSync(path, (await Promise.all(certificates)).map((c) => c.cert).join('\n'));
  return path;
}

const ca = (name: string, until = LATER(30)) => certificate({ name, ca: true, from: LATER(-40), until });

test("a company's CA is taken, also beside its expired predecessor", async () => {
  expect(trustFileProblem(await file(ca('Company CA')), now)).toBeUndefined();
  expect(trustFileProblem(await file(ca('Old CA', LATER(-1)), ca('Company CA')), now)).toBeUndefined();
});

test('a file that nothing can be trusted by is refused', async () => {
  expect(trustFileProblem(await file(), now)).toBe('holds no certificate (PEM)');
  expect(trustFileProblem(await file(ca('Old CA', LATER(-1))), now)).toBe('holds only expired certificates');
  const broken = join(temporaryFolder(), 'broken.pem');
  writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  expect(trustFileProblem(broken, now)).toMatch(/^cannot be read: /);
});

test('the development CA is refused, also beside another', async () => {
  const folder = temporaryFolder();
  await makeCertificates(folder, now);
  expect(trustFileProblem(join(folder, 'ca.crt'), now)).toMatch(/^holds the Kubently development CA/);
  const both = join(folder, 'both.pem');
  writeFileSync(both, (await ca('Company CA')).cert + '\n' + readFileSync(join(folder, 'ca.crt'), 'utf8'));
  expect(trustFileProblem(both, now)).toMatch(/^holds the Kubently development CA/);
});

test('development certificates: names, a year, private, and no key of the CA', async () => {
  const folder = temporaryFolder();
  await makeCertificates(folder, now);
  const [root, leaf] = ['ca.crt', 'server.crt'].map((name) => new X509Certificate(readFileSync(join(folder, name))));
  expect(leaf?.subjectAltName).toBe('DNS:localhost, DNS:nginx, IP Address:127.0.0.1');
  expect(leaf?.checkIssued(root ?? new X509Certificate(''))).toBe(true);
  expect(leaf?.ca).toBe(false);
  expect(root?.ca).toBe(true);
  expect(Math.round(((leaf?.validToDate.getTime() ?? 0) - now) / DAY)).toBe(365);
  expect(statSync(join(folder, 'server.key')).mode & 0o777).toBe(0o600);
  expect(areGood(folder, now)).toBe(true);
  expect(areGood(folder, now + 334 * DAY)).toBe(true);
  expect(areGood(folder, now + 336 * DAY)).toBe(false);
});

test('certificates of different makings are made anew', async () => {
  const [a, b] = [temporaryFolder(), temporaryFolder()];
  await Promise.all([makeCertificates(a, now), makeCertificates(b, now)]);
  writeFileSync(join(a, 'ca.crt'), readFileSync(join(b, 'ca.crt')));
  expect(areGood(a, now)).toBe(false);
});
