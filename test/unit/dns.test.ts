/** Name servers that are not reached, by real sockets on this machine. */
import { createSocket, type Socket } from 'node:dgram';
import { afterEach, expect, test } from 'vitest';
import { NoNameServer, realDns } from '../../lib/clients/dns.ts';
import { contextOf, fakeOutside } from './outside.ts';
import { FakeGoogle, IP } from './fake-google.ts';
import { step } from '../../scripts/1.0-static-ip-and-dns.ts';

let socket: Socket | undefined;
afterEach(() => {
  socket?.close();
  socket = undefined;
});

/** A resolver at 127.0.0.1 that answers every question with this code of DNS (4: NOTIMP, 3: NXDOMAIN). */
async function answering(rcode: number): Promise<string> {
  const made = createSocket('udp4');
  socket = made;
  made.on('message', (question, { port, address }) => {
    const answer = Buffer.from(question);
    answer.writeUInt16BE(0x8180 | rcode, 2);
    made.send(answer, port, address);
  });
  await new Promise<void>((resolve) => made.bind(0, '127.0.0.1', resolve));
  return `127.0.0.1:${made.address().port}`;
}

test('a resolver that does not do what is asked (ENOTIMP) is told with the way out', async () => {
  const server = await answering(4);
  const failure = await realDns(server)
    .addresses('example.com')
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(NoNameServer);
  expect(failure).toMatchObject({
    message: `the resolver ${server} does not answer (ENOTIMP)`,
    parts: { next: expect.stringContaining('DNS_SERVER') as string },
  });
});

test('a name that is not there is no failure', async () => {
  expect(await realDns(await answering(3)).addresses('example.com')).toEqual([]);
});

test('a name without CAA has no issuers; a resolver that fails on a zone says so', async () => {
  expect(await realDns(await answering(3)).mayIssue('example.com')).toBeUndefined();
  socket?.close();
  expect(await realDns(await answering(2)).fails('example.com')).toBe(true);
  socket?.close();
  expect(await realDns(await answering(3)).fails('example.com')).toBe(false);
});

const HOST = 'unit-api.kubently.io';
const blocked = ['ns1.test.', 'ns2.test.'].map((server) => ({ server, addresses: [], unreached: 'ETIMEOUT' }));

function world(resolved: string[]) {
  const outside = fakeOutside({
    worlds: [new FakeGoogle().reserved()],
    nameServers: { 'kubently.io': ['ns1.test', 'ns2.test'] },
    addresses: { [HOST]: () => blocked },
    resolved: { [HOST]: resolved },
  });
  return { outside, ctx: contextOf(outside) };
}

test('a blocked port 53 is told within half a minute, with the setting that helps', async () => {
  const { outside, ctx } = world([]);
  await expect(step.verify(ctx)).rejects.toMatchObject({
    name: 'Failure',
    message: expect.stringContaining('ns1.test. is not reached (ETIMEOUT)') as string,
    parts: { next: expect.stringContaining('DNS_SERVER') as string },
  });
  expect(outside.sleeps.reduce((a, b) => a + b, 0)).toBe(30_000);
});

test('where the zone’s own servers are not reached, the resolver’s word counts', async () => {
  expect(await step.verify(world([IP]).ctx)).toContain(`the resolver answers ${IP}`);
});

test('a resolver that is not reached ends the look at the delegation', async () => {
  const { outside, ctx } = world([IP]);
  ctx.dns.nameServers = () => Promise.reject(new NoNameServer('ECONNREFUSED', undefined));
  await expect(step.verify(ctx)).rejects.toMatchObject({
    message: expect.stringContaining("this machine's resolver does not answer (ECONNREFUSED)") as string,
  });
  expect(outside.sleeps.reduce((a, b) => a + b, 0)).toBe(30_000);
});
