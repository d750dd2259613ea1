import { expect, test } from 'vitest';
import { step } from '../../../scripts/1.0-static-ip-and-dns.ts';
import { FakeGoogle, IP } from '../fake-google.ts';
import { contextOf, fakeOutside } from '../outside.ts';
import { undo } from '../undo.ts';

const HOST = 'unit-api.kubently.io';
const CREATE_ADDRESS =
  "gcloud compute addresses create kubently-ingress-ip --region=us-central1 --network-tier=PREMIUM '--description=kubently-runbook unit-api.kubently.io' --project unit-project --quiet";
const CREATE_RECORD = `gcloud dns record-sets create ${HOST}. --zone=kubently-io --type=A --ttl=300 --rrdatas=${IP} --project unit-project --quiet`;

function world(
  google: FakeGoogle,
  answers: string[][] = [[IP]],
  seen = ['ns2.test.', 'NS1.test'],
  failing: string[] = [],
) {
  const outside = fakeOutside({
    worlds: [google],
    failing,
    nameServers: { 'kubently.io': seen },
    addresses: {
      [HOST]: () => ['ns1.test.', 'ns2.test.'].map((server) => ({ server, addresses: answers[0] ?? [] })),
    },
  });
  return { outside, ctx: contextOf(outside) };
}

test('absent: the address, then its record, by the plan’s commands', async () => {
  const { outside, ctx } = world(new FakeGoogle());
  expect(await step.check(ctx)).toMatchObject({ state: 'absent' });
  await step.apply(ctx);
  expect(outside.changes).toEqual([CREATE_ADDRESS, CREATE_RECORD]);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test('an address without its record: only the record is made', async () => {
  const google = new FakeGoogle().reserved();
  google.record = undefined;
  const { outside, ctx } = world(google);
  expect(await step.check(ctx)).toMatchObject({ state: 'absent' });
  await step.apply(ctx);
  expect(outside.changes).toEqual([CREATE_RECORD]);
});

test('present: done, and nothing is changed by check, apply and verify', async () => {
  const { outside, ctx } = world(new FakeGoogle().reserved());
  expect(await step.check(ctx)).toMatchObject({ state: 'done', reason: `A record is ${IP}, as reserved` });
  await step.apply(ctx);
  expect(await step.verify(ctx)).toBe(`2 name servers of kubently.io. answer ${IP}; public DNS points there`);
  expect(outside.changes).toEqual([]);
});

test('a record of somebody else is left alone, and the command to change it is told', async () => {
  const google = new FakeGoogle().reserved();
  google.record = { name: `${HOST}.`, type: 'A', ttl: 300, rrdatas: ['198.51.100.1'] };
  const { outside, ctx } = world(google);
  const found = await step.check(ctx);
  expect(found).toMatchObject({
    state: 'conflict',
    reason: `A record is 198.51.100.1, reserved is ${IP}`,
  });
  expect(found).toHaveProperty('next', expect.stringContaining(`--rrdatas=${IP}`));
  expect(outside.changes).toEqual([]);
});

test('a record without any reserved address is a conflict too', async () => {
  const google = new FakeGoogle().reserved('198.51.100.1');
  google.address = undefined;
  expect(await step.check(world(google).ctx)).toMatchObject({ state: 'conflict' });
});

test.each([
  [{ addressType: 'INTERNAL', address: '10.128.0.9' }, 'is an INTERNAL address'],
  [{ address: '2600:1900::1' }, 'an A record takes an IPv4 address'],
  [{ networkTier: 'STANDARD' }, 'is of network tier STANDARD'],
])('an address that cannot serve the world (%j) is a conflict', async (changed, reason) => {
  const google = new FakeGoogle().reserved();
  google.record = undefined;
  Object.assign(google.address ?? {}, changed);
  expect(await step.check(world(google).ctx)).toMatchObject({
    state: 'conflict',
    reason: expect.stringContaining(reason) as string,
    next: expect.stringContaining('STATIC_IP_NAME') as string,
  });
});

test('an address of that name outside all regions is noticed before anything is reserved', async () => {
  const google = new FakeGoogle();
  google.global = { name: 'kubently-ingress-ip', address: '198.51.100.9', addressType: 'EXTERNAL' };
  expect(await step.check(world(google).ctx)).toMatchObject({
    state: 'conflict',
    reason: expect.stringContaining('is reserved outside all regions') as string,
  });
});

test('an alias at the name of the challenge is noticed: no TXT record can stand beside it', async () => {
  const google = new FakeGoogle().reserved();
  google.besideChallenge = [
    { name: `_acme-challenge.${HOST}.`, type: 'CNAME', ttl: 60, rrdatas: ['acme.other.test.'] },
  ];
  expect(await step.check(world(google).ctx)).toMatchObject({
    state: 'conflict',
    reason: expect.stringContaining(`_acme-challenge.${HOST}. is an alias`) as string,
    next: expect.stringContaining(`delete _acme-challenge.${HOST}. --zone=kubently-io --type=CNAME`) as string,
  });
});

test.each([
  ['1 . alpn=h2', 'done'],
  ['1 . alpn=h2 ipv4hint=198.51.100.9', 'conflict'],
  ['0 other.test.', 'conflict'],
])('an HTTPS record "%s" at the host: %s', async (record, state) => {
  const google = new FakeGoogle().reserved();
  google.beside = [{ name: `${HOST}.`, type: 'HTTPS', ttl: 300, rrdatas: [record] }];
  expect(await step.check(world(google).ctx)).toMatchObject({ state });
});

test('DNSSEC that resolvers find broken ends verify within half a minute, and names the DS record', async () => {
  const { outside, ctx } = world(new FakeGoogle().reserved(), [[IP]], [], ['kubently.io']);
  await expect(step.verify(ctx)).rejects.toMatchObject({
    name: 'Failure',
    message: expect.stringContaining('DNSSEC of zone kubently-io is off') as string,
    parts: { next: expect.stringContaining('DS record') as string },
  });
  expect(outside.sleeps.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(32_000);
});

test.each([
  ['CNAME', 'other.test.', 'is an alias of other.test.'],
  ['NS', 'ns.other.test.', 'is delegated to ns.other.test.'],
  ['AAAA', '2001:db8::1', 'has an AAAA record 2001:db8::1'],
])('a %s at the host is noticed before anything is reserved', async (type, to, reason) => {
  const google = new FakeGoogle();
  google.beside = [{ name: `${HOST}.`, type, ttl: 300, rrdatas: [to] }];
  expect(await step.check(world(google).ctx)).toMatchObject({
    state: 'conflict',
    reason: expect.stringContaining(reason) as string,
    next: expect.stringContaining(`--type=${type}`) as string,
  });
});

test('verify waits for the last name server and says which one is late', async () => {
  const { outside, ctx } = world(new FakeGoogle().reserved(), [['198.51.100.1']]);
  await expect(step.verify(ctx)).rejects.toMatchObject({
    name: 'TimedOut',
    parts: { found: 'ns1.test. answers 198.51.100.1; ns2.test. answers 198.51.100.1' },
  });
  expect(outside.sleeps.reduce((a, b) => a + b, 0)).toBe(180_000);
});

test('a zone that is delegated to others ends verify within seconds, and names both', async () => {
  const { outside, ctx } = world(new FakeGoogle().reserved(), [[IP]], ['ns1.registrar.test']);
  await expect(step.verify(ctx)).rejects.toMatchObject({
    name: 'Failure',
    message:
      'delegation of the zone: kubently.io. is delegated to ns1.registrar.test, and its zone kubently-io is served by ns1.test., ns2.test.',
    parts: { next: expect.stringContaining('at the registrar of kubently.io.') as string },
  });
  expect(outside.sleeps.reduce((a, b) => a + b, 0)).toBe(4000);
});

test.each([
  ['nobody answers for the zone', []],
  ['a change of the delegation is under way', ['ns1.test']],
])('%s: that is waited for', async (_, seen) => {
  await expect(step.verify(world(new FakeGoogle().reserved(), [[IP]], seen).ctx)).rejects.toMatchObject({
    name: 'TimedOut',
  });
});

test('undo leaves what is retained, and asks for nothing where nothing is', async () => {
  const google = new FakeGoogle().reserved();
  const { outside, ctx } = world(google);
  await undo(
    step,
    ctx,
    new Map([
      ['record', 'KEEP=dns'],
      ['address', 'KEEP=dns'],
    ]),
  );
  google.record = undefined;
  google.address = undefined;
  await undo(step, ctx);
  expect(outside.changes).toEqual([]);
});

test('undo takes the stray record of a challenge too', async () => {
  const google = new FakeGoogle();
  google.challenge = { name: `_acme-challenge.${HOST}.`, type: 'TXT', ttl: 60, rrdatas: ['"x"'] };
  await undo(step, world(google).ctx);
  expect(google.challenge).toBeUndefined();
});

test('undo does not release an address that a load balancer still holds', async () => {
  const google = new FakeGoogle().reserved();
  Object.assign(google.address ?? {}, { status: 'IN_USE' });
  const { outside, ctx } = world(google);
  await expect(undo(step, ctx)).rejects.toMatchObject({
    name: 'TimedOut',
    parts: { found: 'a load balancer still holds it' },
  });
  expect(outside.changes.filter((c) => c.includes('addresses'))).toEqual([]);
});

test('undo removes the record before the address', async () => {
  const { outside, ctx } = world(new FakeGoogle().reserved());
  await undo(step, ctx);
  expect(outside.changes.map((c) => c.split(' ').slice(1, 4).join(' '))).toEqual([
    'dns record-sets delete',
    'compute addresses delete',
  ]);
});
