/** Zones and CAA records that keep the host from being served or issued for are told before the first change. */
import { expect, test } from 'vitest';
import { zoneProblems } from '../../lib/runner/zone-problems.ts';
import { FakeGoogle } from './fake-google.ts';
import { contextOf, fakeOutside, json, settings, type FakeParts, type World } from './outside.ts';

const OWN = { name: 'kubently-io', dnsName: 'kubently.io.', nameServers: ['ns1.test.', 'ns2.test.'] };
const ACME = {
  email: 'a@example.org',
  staging: 'https://acme-staging-v02.api.letsencrypt.org/directory',
  production: 'https://acme-v02.api.letsencrypt.org/directory',
  caFile: undefined,
};

async function found(google: FakeGoogle, parts: FakeParts = {}, host = 'unit-api.kubently.io'): Promise<string[]> {
  const outside = fakeOutside({ worlds: [google], ...parts });
  const ctx = contextOf(outside, settings({ host, acme: ACME }));
  return (await zoneProblems(ctx, { ...OWN, ...google.ofZone })).map((p) => `${p.about}: ${p.message} → ${p.remedy}`);
}

test('a public zone of its own, without CAA: nothing to tell', async () => {
  expect(await found(new FakeGoogle())).toEqual([]);
});

test('a private zone is no zone that the world asks', async () => {
  const google = new FakeGoogle();
  google.ofZone = { visibility: 'private', nameServers: [] };
  expect(await found(google)).toEqual([expect.stringContaining('zone kubently-io (kubently.io.) is private')]);
});

test('two public zones of one name: the one that public DNS points to is named', async () => {
  const google = new FakeGoogle();
  google.twins = [{ ...OWN, name: 'kubently-new', nameServers: ['ns3.test.', 'ns4.test.'] }];
  expect(await found(google, { nameServers: { 'kubently.io': ['ns3.test', 'NS4.test.'] } })).toEqual([
    'DNS_ZONE: there are 2 public zones of kubently.io., and public DNS points to kubently-new, not to kubently-io → set DNS_ZONE=kubently-new',
  ]);
  expect(await found(google, { nameServers: { 'kubently.io': ['ns1.test', 'ns2.test'] } })).toEqual([]);
});

test('a private twin beside the public zone is none of ours', async () => {
  const google = new FakeGoogle();
  google.twins = [{ ...OWN, name: 'kubently-inside', nameServers: [], visibility: 'private' }];
  expect(await found(google)).toEqual([]);
});

test('a name between zone and host that is delegated away', async () => {
  const google = new FakeGoogle();
  const child: World = {
    request: ({ url }) =>
      url.endsWith('rrsets?name=eu.kubently.io.&type=NS')
        ? json({ rrsets: [{ name: 'eu.kubently.io.', type: 'NS', ttl: 60, rrdatas: ['ns.other.test.'] }] })
        : undefined,
  };
  expect(await found(google, { worlds: [child, google] }, 'api.eu.kubently.io')).toEqual([
    'DNS_ZONE: eu.kubently.io. is delegated to ns.other.test.: records of api.eu.kubently.io in zone kubently-io are never asked for → name the zone of eu.kubently.io. by DNS_ZONE',
  ]);
});

test.each<[string, Record<string, string[]>, number]>([
  ['another authority alone', { 'kubently.io': ['pki.goog'] }, 1],
  ['nobody', { 'kubently.io': [';'] }, 1],
  ['iodef alone, which restricts nobody', { 'kubently.io': [] }, 0],
  ['ours by http-01 alone', { 'kubently.io': ['letsencrypt.org; validationmethods=http-01'] }, 1],
  ['ours', { 'kubently.io': ['pki.goog', 'letsencrypt.org'] }, 0],
  ['ours with parameters', { 'kubently.io': ['letsencrypt.org; validationmethods=http-01,dns-01'] }, 0],
  ['the nearest name decides', { 'kubently.io': ['pki.goog'], 'unit-api.kubently.io': ['letsencrypt.org'] }, 0],
])('CAA: %s', async (_, mayIssue, problems) => {
  const told = await found(new FakeGoogle(), { mayIssue });
  expect(told).toHaveLength(problems);
  if (problems > 0) expect(told[0]).toContain('and not letsencrypt.org by DNS-01 → add one: 0 issue "letsencrypt.org"');
});
