/** The facts of `status` and of the report: the certificate's lifetime, who is connected, which versions run. */
import { expect, test } from 'vitest';
import { certificateObject } from '../../lib/deployment/certificates/certificate.ts';
import { deployedFacts, type DeployedFact } from '../../lib/deployment/kubently/deployed.ts';
import { Secret } from '../../lib/base/secret.ts';
import { changeTokens } from '../../lib/settings/tokens-file.ts';
import { readFacts } from '../../lib/operations/report/facts.ts';
import type { Context } from '../../lib/context.ts';
import { FakeCluster } from './fake-cluster.ts';
import { contextOf, fakeOutside, json } from './outside.ts';
import { checkedOut, checkoutRows } from './released.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const DAY = 86_400_000;

const runs = (name: string, namespace: string, image: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: { template: { spec: { containers: [{ name: 'main', image }] } } },
});

interface World {
  left: number;
  lifetime: number;
  agent?: unknown;
  api?: string;
}

async function world({
  left,
  lifetime,
  agent = { connected: true, version: null },
  api = 'c31127e',
}: World): Promise<Context> {
  const given = checkedOut();
  await changeTokens(given, () => ({ API_KEY: new Secret('deployed-api-key-0001') }), '203.0.113.7');
  const gke = new FakeCluster('gke-context', [
    certificateObject(given, 'production'),
    runs('kubently-api', 'kubently', `127.0.0.1:5000/x/api:${api}`),
    runs('kubently-executor', 'kubently', 'ghcr.io/x/executor:c31127e@sha256:0'),
    runs('cert-manager', 'cert-manager', 'quay.io/jetstack/cert-manager-controller:v1.16.2'),
  ]);
  const status = `GET https://${given.host}/admin/agents`;
  const outside = fakeOutside({
    worlds: [gke, new FakeCluster('kind-context')],
    rows: checkoutRows(given),
    http: { [`${status}/gke/status`]: json(agent), [`${status}/kind-remote/status`]: json({}, 404) },
    served: {
      [given.host]: () => ({
        trusted: true,
        refusal: undefined,
        subjectAltNames: [given.host],
        issuer: 'CN=E7',
        notBefore: new Date(NOW + (left - lifetime) * DAY),
        notAfter: new Date(NOW + left * DAY),
        serialNumber: '1',
        protocol: 'TLSv1.3',
      }),
    },
  });
  return contextOf(outside, given, true);
}

async function facts(given: World): Promise<Record<string, DeployedFact>> {
  const found = await deployedFacts(await world(given));
  return Object.fromEntries(found.map((f) => [f.about, f]));
}

test.each([
  [90, 60, 'fine'],
  [90, 31, 'fine'],
  [90, 29, 'warning'],
  [45, 16, 'fine'],
  [45, 14, 'warning'],
  [6, 2.1, 'fine'],
  [6, 1.9, 'warning'],
])('a certificate of %d days with %d left: %s', async (lifetime, left, grade) => {
  const { certificate } = await facts({ left, lifetime });
  expect(certificate?.grade).toBe(grade);
  expect(certificate?.says).toContain(`letsencrypt-prod (CN=E7), until `);
  expect(certificate?.says).toContain(`of ${lifetime} days left`);
});

test('who is connected, and who is not even registered', async () => {
  const found = await facts({ left: 60, lifetime: 90 });
  expect(found['connected gke']).toMatchObject({ grade: 'fine', says: 'yes' });
  expect(found['connected kind-remote']).toMatchObject({ grade: 'warning', says: 'no token is registered' });
  const away = await facts({ left: 60, lifetime: 90, agent: { connected: false, version: '1.2' } });
  expect(away['connected gke']).toMatchObject({ grade: 'warning', says: 'no, executor 1.2' });
});

test('versions deployed against the versions pinned here', async () => {
  const found = await facts({ left: 60, lifetime: 90, api: 'aaaaaaa' });
  expect(found['version cert-manager']).toMatchObject({
    grade: 'warning',
    says: 'v1.16.2 is deployed, v1.21.2 is pinned here',
  });
  expect(found['version api']?.says).toBe('aaaaaaa is deployed, c31127e is pinned here');
  expect(found['version executor gke']).toMatchObject({ grade: 'fine', says: 'c31127e, as pinned here' });
  expect(found['version Traefik']).toMatchObject({ grade: 'unknown' });
  expect(found['version Traefik']?.says).toMatch(/^not deployed yet; pinned here: v\d/);
});

test('the report tells the same certificate and versions', async () => {
  const found = await readFacts(await world({ left: 60, lifetime: 90 }));
  const value = (section: string, name: string): string | undefined =>
    found.find((f) => f.section === section && f.name === name)?.value;
  expect(value('Certificate', 'Comes from')).toBe('letsencrypt-prod');
  expect(value('Certificate', 'Served by')).toBe('CN=E7');
  expect(value('Certificate', 'Left of its lifetime')).toBe('67 %');
  expect(value('Infrastructure', 'cert-manager')).toBe('quay.io/jetstack/cert-manager-controller:v1.16.2');
  expect(value('Infrastructure', 'Ingress controller')).toBe('one that was there before');
});
