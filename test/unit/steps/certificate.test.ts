/** Steps 2.6 and 2.7: one Certificate, whose issuer is what the live object says. */
import { beforeEach, expect, test } from 'vitest';
import type { Issuer, Settings } from '../../../lib/settings/settings.ts';
import type { Served } from '../../../lib/clients/tls.ts';
import { step as issued } from '../../../scripts/2.6-tls-certificate.ts';
import { step as production } from '../../../scripts/2.7-production-certificate.ts';
import { FakeCluster, ready } from '../fake-cluster.ts';
import { FakeGoogle } from '../fake-google.ts';
import { contextOf, fakeOutside, settings, type Row, type World } from '../outside.ts';
import type { KubeObject } from '../../../lib/base/kubernetes.ts';
import { undo } from '../undo.ts';

const HOST = 'unit-api.kubently.io';
const ISSUERS = { staging: 'letsencrypt-staging', production: 'letsencrypt-prod' };
const REDIRECT = { status: 308, headers: { location: `https://${HOST}/health` }, body: '' };
/** A certificate with serial number 0A1B2C; only that is read of it. */
const PEM = [
  '-----BEGIN CERTIFICATE-----',
  'MIIBhDCCASqgAwIBAgIDChssMAoGCCqGSM49BAMCMB8xHTAbBgNVBAMMFHVuaXQt',
  'YXBpLmt1YmVudGx5LmlvMCAXDTI2MTEyMzEyMDc1MFoYDzIxMjYxMDMwMTIwNzUw',
  'WjAfMR0wGwYDVQQDDBR1bml0LWFwaS5rdWJlbnRseS5pbzBZMBMGByqGSM49AgEG',
  'CCqGSM49AwEHA0IABGB6i7LgkjMZeJoGX6o0CPRUbaEjb9sepPiO7qN6aWgMgRBv',
  'Tae60LQVC6nc1y3NCHGpB119Hf5Nqg7YdeukSBCjUzBRMB0GA1UdDgQWBBTWdoGB',
  '/3b6i0NerfMuFjIFnjNMQTAfBgNVHSMEGDAWgBTWdoGB/3b6i0NerfMuFjIFnjNM',
  'QTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCVdjrTzS3FMrtz',
  'i/4sDLP0JFgRQ5IR0ITgWxE8gS8BcwIgXoAvNFdnaArCqECkNI7SsMirspMRqB7r',
  '0pgm/Aoo11M=',
  '-----END CERTIFICATE-----',
].join('\n');
let cluster: FakeCluster;

/** What cert-manager makes of a Certificate: it is ready, and its Secret says by whom. */
function certManager(object: KubeObject): KubeObject {
  if (object.kind !== 'Certificate') return object;
  const { issuerRef } = object['spec'] as { issuerRef: { name: string } };
  const annotations = { 'cert-manager.io/issuer-name': issuerRef.name };
  const metadata = { name: 'kubently-api-tls', namespace: 'kubently', annotations };
  const data = { 'tls.crt': Buffer.from(PEM).toString('base64') };
  cluster.objects = cluster.objects.filter((o) => o.kind !== 'Secret');
  cluster.objects.push({ apiVersion: 'v1', kind: 'Secret', metadata, data });
  return ready(object);
}

beforeEach(() => {
  cluster = new FakeCluster('gke-context');
  cluster.controllers = certManager;
});

function make({
  given = settings(),
  seen = {},
  looking = false,
  nameServers = {},
  log = '',
  rows = [],
}: {
  given?: Settings;
  seen?: Partial<Served>;
  looking?: boolean;
  nameServers?: Record<string, string[]>;
  log?: string;
  rows?: Row[];
} = {}) {
  const served: Served = {
    trusted: true,
    refusal: undefined,
    subjectAltNames: [HOST],
    issuer: 'CN=R3',
    notBefore: new Date('2026-01-01'),
    notAfter: new Date('2026-04-01'),
    serialNumber: '0A1B2C',
    protocol: 'TLSv1.3',
    ...seen,
  };
  // Asking takes time too, so that a wait for ten minutes is over after some rounds.
  const slow: World = {
    command: () => {
      outside.clock.advance(5000);
      return undefined;
    },
  };
  const outside = fakeOutside({
    worlds: [slow, cluster, google],
    nameServers,
    rows: [
      ...rows,
      { binary: 'kubectl', args: (a) => a[0] === 'logs' && a[1] === 'deployment/cert-manager', answer: log },
      { binary: 'kubectl', args: (a) => a[0] === 'patch' && a.includes('--subresource=status'), answer: '' },
    ],
    served: { [HOST]: () => served },
    http: { [`GET http://${HOST}/health`]: REDIRECT },
  });
  return { outside, ctx: contextOf(outside, given, looking) };
}

/** What was waited, in milliseconds, by sleeping. */
const waited = ({ sleeps }: { sleeps: number[] }): number => sleeps.reduce((a, b) => a + b, 0);
const pinned = (issuer: Issuer): Settings => settings({ tls: { issuer, caFile: undefined, own: undefined } });
const issuerNow = (): unknown =>
  (cluster.get('Certificate', 'kubently-api-tls')?.['spec'] as { issuerRef: unknown }).issuerRef;

test('2.6 absent: one Certificate, from staging first', async () => {
  const { outside, ctx } = make();
  expect(await issued.check(ctx)).toMatchObject({ state: 'absent' });
  await issued.apply(ctx);
  expect(outside.changes).toEqual(['apply in kubently: Certificate/kubently-api-tls']);
  expect(issuerNow()).toEqual({ kind: 'ClusterIssuer', group: 'cert-manager.io', name: ISSUERS.staging });
  expect(await issued.check(ctx)).toMatchObject({ state: 'done', reason: 'issued by letsencrypt-staging' });
});

test('2.6 present: done, served as issued, http redirected, nothing changed', async () => {
  await issued.apply(make().ctx);
  const { outside, ctx } = make({ looking: true });
  expect(await issued.check(ctx)).toMatchObject({ state: 'done' });
  expect(await issued.verify(ctx)).toBe(
    `${HOST} serves the certificate of CN=R3 until 2026-04-01 (TLSv1.3, trusted); http answers 308 to https`,
  );
  expect(outside.changes).toEqual([]);
});

test('2.6 never takes production back', async () => {
  await production.apply(make().ctx);
  const { outside, ctx } = make({ looking: true });
  expect(await issued.check(ctx)).toMatchObject({ state: 'done', reason: 'issued by letsencrypt-prod' });
  expect(outside.changes).toEqual([]);
});

test('TLS_ISSUER=staging takes it back on purpose, and 2.7 leaves it', async () => {
  await production.apply(make().ctx);
  const { ctx } = make({ given: pinned('staging') });
  expect(await issued.check(ctx)).toMatchObject({ state: 'differs', reason: 'issuer is production, wanted staging' });
  await issued.apply(ctx);
  expect(issuerNow()).toMatchObject({ name: ISSUERS.staging });
  expect(await production.check(ctx)).toMatchObject({ state: 'done' });
});

test('2.7: from staging to production, the same object', async () => {
  await issued.apply(make().ctx);
  const { outside, ctx } = make();
  expect(await production.check(ctx)).toMatchObject({
    state: 'differs',
    reason: 'issuer is staging, wanted production',
  });
  await production.apply(ctx);
  expect(outside.changes).toEqual(['apply in kubently: Certificate/kubently-api-tls']);
  expect(await production.check(ctx)).toEqual({ state: 'done', reason: 'issued by letsencrypt-prod' });
  expect(await production.verify(ctx)).toContain('trusted');
});

/** What cert-manager makes of a Certificate that it cannot issue: the chain down to its Challenge. */
function chain(parts: {
  issuing?: object;
  failed?: object;
  request?: object;
  order?: object;
  challenge?: object;
  changed?: boolean;
}) {
  const own = (kind: string, name: string, owner: string, status: object): KubeObject => ({
    apiVersion: `${kind === 'CertificateRequest' ? '' : 'acme.'}cert-manager.io/v1`,
    kind,
    metadata: { name, namespace: 'kubently', uid: kind, ownerReferences: [{ uid: owner }] },
    status,
  });
  cluster.objects = cluster.objects.filter((o) => !['CertificateRequest', 'Order', 'Challenge'].includes(o.kind));
  cluster.objects.push(own('CertificateRequest', 'r', 'Certificate', parts.request ?? {}));
  // Another Certificate's chain, newer and worse: it must not be taken for this one's.
  cluster.objects.push(own('Order', 'other', 'another', { state: 'errored', reason: 'not this one' }));
  if (parts.order) cluster.objects.push(own('Order', 'o', 'CertificateRequest', parts.order));
  if (parts.challenge) cluster.objects.push(own('Challenge', 'c', 'Order', parts.challenge));
  cluster.controllers = (o) => ({
    ...o,
    metadata: { ...o.metadata, uid: 'Certificate', generation: 1 },
    status: {
      ...parts.failed,
      conditions: [
        { type: 'Ready', status: 'False', reason: 'DoesNotExist' },
        ...(parts.issuing ? [{ type: 'Issuing', observedGeneration: 1, ...parts.issuing }] : []),
      ],
    },
  });
}

const issuing = { status: 'True' };
const google = new FakeGoogle();
const pending = (challenge: object, seen?: string[]) => {
  chain({ issuing, order: { state: 'pending' }, challenge });
  return make(seen ? { nameServers: { 'kubently.io': seen } } : {});
};

test('an issue that goes on waiting says what the Challenge says', async () => {
  const { ctx } = pending({ presented: true, state: 'pending', reason: 'Waiting for DNS-01 propagation' }, [
    'ns1.test',
    'ns2.test',
  ]);
  await expect(issued.apply(ctx)).rejects.toMatchObject({
    name: 'TimedOut',
    parts: { found: 'Challenge c is pending: Waiting for DNS-01 propagation' },
  });
});

test('a TXT record that does not show while the zone is delegated to others: that is the cause', async () => {
  const { ctx, outside } = pending({ presented: true, state: 'pending', reason: 'not yet propagated' }, [
    'ns1.registrar.test',
  ]);
  await expect(issued.apply(ctx)).rejects.toMatchObject({
    name: 'Failure',
    message: expect.stringContaining('kubently.io. is delegated to ns1.registrar.test') as string,
    parts: { detail: expect.stringContaining('Challenge c is pending: not yet propagated') as string },
  });
  expect(waited(outside)).toBeLessThan(60_000);
});

test.each([
  ['googleapi: Error 403: Forbidden', 'Failure'],
  ['No matching GoogleCloud domain found for domain x', 'Failure'],
  ['googleapi: Error 429: quota', 'TimedOut'],
  ['dial tcp: i/o timeout', 'TimedOut'],
])('the solver cannot present (%s): %s', async (reason, name) => {
  const { ctx, outside } = pending({ presented: false, state: 'pending', reason });
  await expect(issued.apply(ctx)).rejects.toMatchObject({ name });
  if (name === 'Failure') expect(waited(outside)).toBeLessThan(60_000);
});

test('an ACME server that does not answer is told from cert-manager’s own log', async () => {
  chain({ issuing, order: {} });
  const log = `E1 "re-queuing" err="Get \\"https://acme.test/dir\\": connection refused" key="kubently/o"\n`;
  await expect(issued.apply(make({ log }).ctx)).rejects.toMatchObject({
    name: 'TimedOut',
    parts: { found: 'Order o is not taken up yet; Order o: Get "https://acme.test/dir": connection refused' },
  });
});

const REJECTED = 'order is in "errored" state: 400 urn:ietf:params:acme:error:rejectedIdentifier: forbidden by policy';
const LIMITED =
  'Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-01-03 12:00:00 UTC: see https://letsencrypt.org/docs/rate-limits';
/** A Certificate that is there and has failed. */
function failing(message: string, at: string, attempts = 1): void {
  chain({
    issuing: { status: 'False', reason: 'Failed', message },
    failed: { lastFailureTime: at, failedIssuanceAttempts: attempts },
    order: { state: 'errored', reason: message },
  });
  const metadata = { name: 'kubently-api-tls', namespace: 'kubently' };
  const there = cluster.objects.filter((o) => o.kind !== 'Certificate');
  cluster.objects = [
    ...there,
    cluster.controllers({ apiVersion: 'cert-manager.io/v1', kind: 'Certificate', metadata }),
  ];
}

/** The request fails as soon as it is applied, before the runbook has looked again. */
function failsAtOnce(message: string): void {
  failing(message, '2026-01-01T00:00:09Z');
  cluster.objects = cluster.objects.filter((o) => o.kind !== 'Certificate');
}

test('a rejection ends the wait at once: Certificate, Order and what to do', async () => {
  failsAtOnce(REJECTED);
  const { ctx, outside } = make();
  await expect(issued.apply(ctx)).rejects.toMatchObject({
    name: 'Failure',
    message: `Certificate kubently-api-tls by letsencrypt-staging: ${REJECTED}`,
    parts: {
      detail: expect.stringContaining(`Order o is errored: ${REJECTED}`) as string,
      next: expect.stringContaining('mend what is named there') as string,
    },
  });
  expect(outside.changes).toEqual(['apply in kubently: Certificate/kubently-api-tls']);
});

const RESET =
  'kubectl patch Certificate.cert-manager.io/kubently-api-tls --subresource=status --type=merge --patch \'{"status":{"lastFailureTime":null,"failedIssuanceAttempts":null}}\' --context gke-context --namespace kubently';

test('a back-off of cert-manager is set aside, once, and told', async () => {
  failing(REJECTED, '2025-12-31T23:00:00Z', 3);
  const { ctx, outside } = make();
  const notes: string[] = [];
  await expect(issued.apply({ ...ctx, note: (t) => notes.push(t) })).rejects.toMatchObject({ name: 'TimedOut' });
  expect(outside.changes).toEqual(['apply in kubently: Certificate/kubently-api-tls', RESET]);
  expect(notes).toContain("sets cert-manager's back-off after 3 failed issuances aside");
});

test('a rate limit is not asked again before its end, and its end is told', async () => {
  failing(LIMITED, '2025-12-31T23:30:00Z');
  const { ctx, outside } = make();
  await expect(issued.apply(ctx)).rejects.toMatchObject({
    name: 'Failure',
    parts: { found: LIMITED, next: expect.stringContaining('wait until 2026-01-03T12:00:00.000Z') as string },
  });
  expect(outside.changes).toEqual(['apply in kubently: Certificate/kubently-api-tls']);
  expect(waited(outside)).toBe(0);
});

test.each([
  ['named and over', LIMITED.replace('2026-01-03', '2025-12-30'), '2025-12-29T00:00:00Z'],
  ['unnamed and an hour old', 'urn:ietf:params:acme:error:rateLimited', '2025-12-31T22:59:00Z'],
])('a rate limit that is %s is no reason to wait', async (_, message, at) => {
  failing(message, at);
  const { ctx, outside } = make();
  await expect(issued.apply(ctx)).rejects.toMatchObject({ name: 'TimedOut' });
  expect(outside.changes).toContain(RESET);
});

test('a failure of the Certificate as it was before this change sets no back-off', async () => {
  failing(REJECTED, '2025-12-31T23:00:00Z');
  const old = cluster.controllers;
  cluster.controllers = (o) => ({ ...old(o), metadata: { ...old(o).metadata, generation: 2 } });
  const { ctx, outside } = make();
  await expect(issued.apply(ctx)).rejects.toMatchObject({ name: 'TimedOut' });
  expect(outside.changes).toEqual(['apply in kubently: Certificate/kubently-api-tls']);
});

test('a ready Certificate of the previous issuer is not yet the new one', async () => {
  await issued.apply(make().ctx);
  cluster.controllers = (o) => ready(o);
  await expect(production.apply(make().ctx)).rejects.toMatchObject({ name: 'TimedOut' });
});

test.each<[string, Partial<Served>, string]>([
  ['another name', { subjectAltNames: ['traefik.default'] }, 'the certificate served is for traefik.default'],
  ['an old certificate', { serialNumber: 'FF' }, 'still the previous certificate is served'],
  ['an unknown issuer', { trusted: false, refusal: 'SELF_SIGNED' }, 'the chain is not trusted: SELF_SIGNED'],
])('verify does not take %s', async (_, seen, found) => {
  await production.apply(make().ctx);
  await expect(production.verify(make({ seen }).ctx)).rejects.toMatchObject({ name: 'TimedOut', parts: { found } });
});

test('staging’s untrusted chain is taken, and told', async () => {
  await issued.apply(make().ctx);
  const { ctx } = make({ seen: { trusted: false, refusal: 'UNABLE_TO_GET_ISSUER_CERT' } });
  expect(await issued.verify(ctx)).toContain('not publicly trusted, as staging is');
});

test('undo waits for the challenges; those that nobody cleans up any more are let go', async () => {
  const { outside, ctx } = make({ rows: [{ binary: 'kubectl', args: (a) => a[0] === 'patch', answer: '' }] });
  const challenge = (dnsName: string): KubeObject => ({
    apiVersion: 'acme.cert-manager.io/v1',
    kind: 'Challenge',
    metadata: { name: dnsName.split('.')[0] ?? '', namespace: 'kubently' },
    spec: { dnsName },
  });
  cluster.objects = [challenge(HOST), challenge('theirs.kubently.io')];
  await undo(issued, ctx);
  expect(outside.changes.filter((c) => c.includes('patch'))).toEqual([
    expect.stringContaining('patch challenge.acme.cert-manager.io/unit-api --type=merge'),
  ]);
});

test('undo keeps the Secret of KEEP=certs, and its issuer is the wanted one for the next deploy', async () => {
  const { outside, ctx } = make();
  await production.apply(ctx);
  outside.changes.length = 0;
  await undo(issued, ctx, new Map([['certificates', 'KEEP=certs']]));
  expect(outside.changes.map((c) => c.split(' ')[2])).toEqual(['Certificate.cert-manager.io/kubently-api-tls']);
  await issued.apply(ctx);
  const { issuerRef } = cluster.get('Certificate', 'kubently-api-tls')?.['spec'] as { issuerRef: { name: string } };
  expect(issuerRef.name).toBe(ISSUERS.production);
});
