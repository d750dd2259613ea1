/** Steps 2.6 and 2.7: one Certificate, whose issuer is what the live object says. */
import { beforeEach, expect, test } from 'vitest';
import type { KubeObject } from '../../../lib/kubectl.ts';
import type { Issuer, Settings } from '../../../lib/settings.ts';
import type { Served } from '../../../lib/tls.ts';
import { step as issued } from '../../../scripts/2.6-tls-certificate.ts';
import { step as production } from '../../../scripts/2.7-production-certificate.ts';
import { FakeCluster, ready } from '../fake-cluster.ts';
import { contextOf, fakeOutside, settings, type World } from '../outside.ts';

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
}: { given?: Settings; seen?: Partial<Served>; looking?: boolean } = {}) {
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
    worlds: [slow, cluster],
    served: { [HOST]: () => served },
    http: { [`GET http://${HOST}/health`]: REDIRECT },
  });
  return { outside, ctx: contextOf(outside, given, looking) };
}

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

test('an issue that goes on waiting says what the Challenge says', async () => {
  cluster.controllers = (o) => ready(o, 'False');
  const metadata = { name: 'c', namespace: 'kubently' };
  cluster.objects = [
    {
      apiVersion: 'acme.cert-manager.io/v1',
      kind: 'Challenge',
      metadata,
      status: { reason: 'Waiting for DNS-01 propagation' },
    },
  ];
  await expect(issued.apply(make().ctx)).rejects.toMatchObject({
    name: 'TimedOut',
    parts: { found: 'Waiting for DNS-01 propagation' },
  });
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
