/** An own certificate: what is wrong with its files is told before anything changes; then 2.6 serves it instead of a Certificate. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { ownCertificateProblems } from '../../lib/deployment/certificates/own-certificate.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import { step as issued } from '../../scripts/2.6-tls-certificate.ts';
import { step as production } from '../../scripts/2.7-production-certificate.ts';
import { criterion } from '../../scripts/criteria/03-certificate-by-dns01.ts';
import { makeCertificates } from '../own-certificate.ts';
import { certificate, rsa } from '../tls/certificates.ts';
import { FakeCluster, ready } from './fake-cluster.ts';
import { contextOf, fakeOutside, inputOf, settings, temporaryFolder, type Row } from './outside.ts';

const HOST = 'unit-api.kubently.io';
const DAY_MS = 86_400_000;
let made: string;
let cluster: FakeCluster;

beforeAll(() => {
  made = temporaryFolder();
  makeCertificates(made, HOST);
});

beforeEach(() => {
  cluster = new FakeCluster('gke-context');
});

const read = (name: string): string => readFileSync(join(made, name), 'utf8');

/** Settings whose certificate is of these files. */
function own(cert = read('chain.pem'), key = read('key.pem')): Settings {
  const folder = temporaryFolder();
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  return settings({ tls: { issuer: undefined, caFile: undefined, own: { certFile, keyFile } } });
}

const problems = (given: Settings, now = Date.now()): string[] =>
  ownCertificateProblems(given, now, [read('root.pem')]).map((p) => `${p.about}: ${p.message}`);

test('a whole chain with its key has no problem; no own certificate has none either', () => {
  expect(problems(own())).toEqual([]);
  expect(problems(own(read('chain.pem') + read('root.pem')))).toEqual([]);
  expect(problems(settings())).toEqual([]);
});

test.each<[string, () => Settings, RegExp[]]>([
  ['nothing in it', () => own('no PEM'), [/TLS_CERT_FILE: .* holds no certificate/]],
  [
    'broken PEM',
    () => own('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
    [/TLS_CERT_FILE: .* holds a certificate that cannot be read/],
  ],
  [
    'the wrong order',
    () => own(read('reversed.pem')),
    [
      /TLS_KEY_FILE: .* belongs to certificate 2 of/,
      /is for no name at all, not for unit-api/,
      /certificate 2 did not sign certificate 1/,
    ],
  ],
  ['no intermediate', () => own(read('leaf.pem')), [/leads to no trusted root: CN=Own Intermediate is not known/]],
  ['another key', () => own(undefined, read('root.key')), [/TLS_KEY_FILE: .* does not belong to/]],
  ['no key', () => own(undefined, 'none'), [/TLS_KEY_FILE: .* holds no private key that can be read/]],
  ['another host', () => ({ ...own(), host: 'other.kubently.io' }), [/is for unit-api.kubently.io, not for other/]],
])('%s is told', (_, given, expected) => {
  const found = problems(given());
  expect(found).toHaveLength(expected.length);
  expected.forEach((e, i) => expect(found[i]).toMatch(e));
  expect(found.join()).not.toContain('PRIVATE KEY');
});

test('dates: ended, and not yet valid', () => {
  expect(problems(own(), Date.now() + 91 * DAY_MS)).toEqual([
    expect.stringMatching(/ended \d{4}-.*CN=unit-api/),
    expect.stringMatching(/ended .*CN=Own Intermediate/),
  ]);
  expect(problems(own(), Date.now() - DAY_MS)[0]).toMatch(/is valid from/);
});

test.each([
  ['a key of 1024 bits', rsa(2048, 'SHA-256'), rsa(1024, 'SHA-256'), /has an RSA key of 1024 bits \(CN=api\)/],
  ['a signature by SHA-1', rsa(2048, 'SHA-1'), rsa(2048, 'SHA-256'), /is signed by sha1\S* \(CN=api\)/],
])('%s is told', async (_, by, algorithm, expected) => {
  const issuer = await certificate({ name: 'Old CA', ca: true, algorithm: by });
  const leaf = await certificate({ name: 'api', issuer, names: [HOST], algorithm });
  const found = ownCertificateProblems(own(leaf.cert + issuer.cert, leaf.key), Date.now(), [issuer.cert]);
  expect(found.map((p) => p.message)).toEqual([expect.stringMatching(expected)]);
});

test('a certificate without a subject is told by its dates all the same', async () => {
  const issuer = await certificate({ name: 'Own Root', ca: true });
  const leaf = await certificate({ name: '', issuer, names: [HOST] });
  const found = ownCertificateProblems(own(leaf.cert, leaf.key), Date.now() + 60 * DAY_MS, [issuer.cert]);
  expect(found.map((p) => p.message)).toEqual([expect.stringMatching(/ended \d{4}-\d\d-\d\d \(no subject\)/)]);
});

/** The command by which cert-manager's marks go. */
const unmark: Row = {
  binary: 'kubectl',
  args: (args) => args[0] === 'annotate' && args[2] === 'cert-manager.io/issuer-name-',
  answer: () => {
    const secret = cluster.get('Secret', 'kubently-api-tls');
    if (secret) delete secret.metadata.annotations;
    return '';
  },
};

test('2.6: the Certificate and its marks go first, then the Secret is the files', async () => {
  const given = own();
  const metadata = { name: 'kubently-api-tls', namespace: 'kubently' };
  cluster.objects = [
    ready({ apiVersion: 'cert-manager.io/v1', kind: 'Certificate', metadata }),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...metadata, annotations: { 'cert-manager.io/issuer-name': 'letsencrypt-prod' } },
      data: { 'tls.crt': 'b2xk', 'tls.key': 'b2xk' },
    },
  ];
  const outside = fakeOutside({ worlds: [cluster], rows: [unmark] });
  const ctx = contextOf(outside, given);
  expect(await issued.check(ctx)).toMatchObject({ state: 'differs' });
  await issued.apply(ctx);
  expect(outside.changes.map((c) => c.split(' --')[0])).toEqual([
    'kubectl delete Certificate.cert-manager.io/kubently-api-tls',
    'kubectl annotate secret/kubently-api-tls cert-manager.io/issuer-name-',
    'apply in kubently: Secret/kubently-api-tls',
  ]);
  const applied = outside.commands.find((c) => c.args[0] === 'apply');
  expect(applied?.sensitive).toBe('both');
  expect(applied && inputOf(applied)).toContain('kubernetes.io/tls');
  const again = fakeOutside({ worlds: [cluster] });
  expect(await issued.check(contextOf(again, given, true))).toMatchObject({
    state: 'done',
    reason: expect.stringMatching(/^your own certificate, by CN=Own Intermediate, until \d{4}-/) as string,
  });
  expect(again.changes).toEqual([]);
});

test('2.6 absent, then renewed files: the Secret follows', async () => {
  const outside = fakeOutside({ worlds: [cluster] });
  const given = own();
  expect(await issued.check(contextOf(outside, given))).toMatchObject({ state: 'absent' });
  await issued.apply(contextOf(outside, given));
  const renewed = own(`${read('chain.pem')}\n`);
  expect(await issued.check(contextOf(outside, renewed))).toMatchObject({
    state: 'differs',
    reason: 'Secret kubently-api-tls holds another certificate than TLS_CERT_FILE',
  });
});

test('2.7 is not used, and criterion 3 is not counted as passed', async () => {
  const given = own();
  await issued.apply(contextOf(fakeOutside({ worlds: [cluster] }), given));
  const { X509Certificate } = await import('node:crypto');
  const seen = {
    trusted: true,
    refusal: undefined,
    subjectAltNames: [HOST],
    issuer: 'CN=Own Intermediate',
    notBefore: new Date(),
    notAfter: new Date(),
    serialNumber: new X509Certificate(read('leaf.pem')).serialNumber,
    protocol: 'TLSv1.3',
  };
  const ctx = contextOf(fakeOutside({ worlds: [cluster], served: { [HOST]: () => seen } }), given, true);
  expect(await production.check(ctx)).toEqual({
    state: 'done',
    reason: 'not used: TLS_CERT_FILE is your own certificate',
  });
  expect(await criterion.prove(ctx)).toMatchObject({ state: 'unproven' });
  await expect(
    criterion.prove(
      contextOf(fakeOutside({ worlds: [cluster], served: { [HOST]: () => ({ ...seen, trusted: false }) } }), given),
    ),
  ).rejects.toThrow('timed out');
});
