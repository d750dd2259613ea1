import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { createConnection } from 'node:net';
import { decode, encode, streamDecode, streamEncode, type DecodedPacket, type Packet } from 'dns-packet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { View } from '../../sandbox/dns/answer.ts';
import { systemResolvers } from '../../sandbox/dns/forward.ts';
import { serveDns, type DnsServer } from '../../sandbox/dns/server.ts';
import { newZone } from '../../sandbox/google/cloud-dns.ts';
import { asOf, latest, withVersion } from '../../sandbox/google/propagation.ts';
import { NAME_SERVERS } from '../../sandbox/google/record-set.ts';

const zone = newZone('1', 'kubently-io', 'kubently.io.', 0);
const long = Array.from({ length: 8 }, (_, index) => `"${String(index).repeat(200)}"`);
const records = [
  { name: 'test-api.kubently.io.', type: 'A', ttl: 300, rrdatas: ['198.18.255.10'] },
  { name: '_acme-challenge.test-api.kubently.io.', type: 'TXT', ttl: 60, rrdatas: ['"one"', '"two \\"quoted\\""'] },
  { name: 'long.kubently.io.', type: 'TXT', ttl: 60, rrdatas: long },
  { name: 'alias.kubently.io.', type: 'CNAME', ttl: 60, rrdatas: ['test-api.kubently.io.'] },
  { name: 'deep.below.kubently.io.', type: 'A', ttl: 60, rrdatas: ['198.18.255.11'] },
];
const view: View = {
  zones: [{ dnsName: zone.dnsName, recordSets: [...latest(zone.recordSets), ...records] }],
  fixed: new Map([['dns.googleapis.com', '198.18.0.80']]),
};

let server: DnsServer;
let resolver: Resolver;
beforeAll(async () => {
  server = await serveDns({ host: '127.0.0.1', port: 0, view: () => view, resolvers: [] });
  resolver = new Resolver({ tries: 1, timeout: 2000 });
  resolver.setServers([`127.0.0.1:${server.port}`]);
});
afterAll(() => server.close());

const query = (name: string, type: 'A' | 'TXT' | 'SOA') => ({
  type: 'query' as const,
  id: 7,
  flags: 0x100,
  questions: [{ name, type }],
});

function overUdp(name: string, type: 'A' | 'TXT' | 'SOA'): Promise<DecodedPacket> {
  const socket = createSocket('udp4');
  return new Promise((resolve) => {
    socket.once('message', (raw) => {
      socket.close();
      resolve(decode(raw));
    });
    socket.send(encode(query(name, type)), server.port, '127.0.0.1');
  });
}

function overTcp(name: string, type: 'A' | 'TXT'): Promise<Packet | null> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(server.port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      const all = Buffer.concat(chunks);
      if (all.length >= 2 && all.length >= all.readUInt16BE(0) + 2) {
        socket.destroy();
        resolve(streamDecode(all));
      }
    });
    // In two parts, as a slow client sends it.
    const raw = streamEncode(query(name, type));
    socket.write(raw.subarray(0, 1));
    setTimeout(() => socket.write(raw.subarray(1)), 20);
  });
}

describe('the zone', () => {
  test('answers its records, in any case', async () => {
    expect(await resolver.resolve4('TEST-api.kubently.io', { ttl: true })).toEqual([
      { address: '198.18.255.10', ttl: 300 },
    ]);
    expect(await resolver.resolveNs('kubently.io')).toEqual(NAME_SERVERS.map((name) => name.slice(0, -1)));
    expect(await resolver.resolveSoa('kubently.io')).toMatchObject({
      nsname: 'ns-cloud-a1.googledomains.com',
      minttl: 300,
    });
    expect(await resolver.resolveTxt('_acme-challenge.test-api.kubently.io')).toEqual([['one'], ['two "quoted"']]);
    expect(await resolver.resolve4('alias.kubently.io')).toEqual(['198.18.255.10']);
  });

  test('tells no data from no name, with the SOA in both', async () => {
    await expect(resolver.resolve6('test-api.kubently.io')).rejects.toThrow('ENODATA');
    await expect(resolver.resolve4('below.kubently.io')).rejects.toThrow('ENODATA');
    await expect(resolver.resolve4('nobody.kubently.io')).rejects.toThrow('ENOTFOUND');
    for (const [name, rcode] of [
      ['nobody.kubently.io', 'NXDOMAIN'],
      ['test-api.kubently.io', 'NOERROR'],
    ] as const) {
      const answer = await overUdp(name, 'SOA');
      expect(answer).toMatchObject({
        rcode,
        flag_aa: true,
        answers: [],
        authorities: [{ type: 'SOA', name: 'kubently.io' }],
      });
    }
  });

  test('a long answer is truncated over UDP and whole over TCP', async () => {
    expect(await overUdp('long.kubently.io', 'TXT')).toMatchObject({ flag_tc: true, answers: [] });
    expect((await overTcp('long.kubently.io', 'TXT'))?.answers).toHaveLength(8);
    expect((await resolver.resolveTxt('long.kubently.io')).flat()).toHaveLength(8);
  });
});

describe('other names', () => {
  test('fixed ones have an address and no other data', async () => {
    expect(await resolver.resolve4('dns.googleapis.com')).toEqual(['198.18.0.80']);
    await expect(resolver.resolve6('dns.googleapis.com')).rejects.toThrow('ENODATA');
  });

  test('without a resolver they are refused', async () => {
    expect(await overUdp('example.com', 'A')).toMatchObject({ rcode: 'REFUSED', flag_aa: false });
  });

  test('the machine has resolvers other than the server itself', () => {
    const file = new URL('dns-resolv.conf', import.meta.url).pathname;
    expect(systemResolvers('198.18.0.53', file)).toEqual(['192.0.2.53']);
    expect(systemResolvers('198.18.0.53', '/nonexistent')).toEqual([]);
  });
});

describe('propagation', () => {
  test('a reader sees the value that held at its time; old versions go', () => {
    let versions = withVersion(withVersion<string>([], 'a', 1000), 'b', 2000);
    expect([asOf(versions, 1999), asOf(versions, 2000), asOf(versions, 0)]).toEqual(['a', 'b', 'a']);
    versions = withVersion(versions, 'c', 10_000_000);
    expect(versions.map(({ value }) => value)).toEqual(['b', 'c']);
  });
});
