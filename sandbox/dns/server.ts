/** The rehearsal's name server, over UDP and TCP. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket as Connection } from 'node:net';
import {
  AUTHORITATIVE_ANSWER,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
  decode,
  encode,
  type DecodedPacket,
  type Packet,
} from 'dns-packet';
import { reply, type View } from './answer.ts';
import { forwardTcp, forwardUdp } from './forward.ts';

/** Where the server listens and what it knows. */
export interface DnsOptions {
  host: string;
  /** 0 takes a free one, the same for UDP and TCP. */
  port: number;
  /** Asked for each query, so that changes are served at once. */
  view: () => View;
  /** Resolvers for other names; without any they are refused. */
  resolvers: string[];
}

export interface DnsServer {
  port: number;
  close: () => Promise<void>;
}

const RCODE = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
const IDLE_MS = 10_000;
/** What a UDP client takes that does not say so by EDNS (RFC 1035, 4.2.1). */
const PLAIN_UDP_BYTES = 512;
/** What this server takes (DNS flag day 2020). */
const UDP_BYTES = 1232;

function response(query: DecodedPacket, rcode: keyof typeof RCODE, parts: Packet = {}): Packet {
  const asksEdns = query.additionals?.some(({ type }) => type === 'OPT') === true;
  const flags = RECURSION_AVAILABLE | ((query.flags ?? 0) & RECURSION_DESIRED) | (parts.flags ?? 0) | RCODE[rcode];
  return {
    ...parts,
    id: query.id,
    type: 'response',
    questions: query.questions,
    flags,
    additionals: asksEdns
      ? [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize: UDP_BYTES,
            flags: 0,
            options: [],
            extendedRcode: 0,
            ednsVersion: 0,
            flag_do: false,
          },
        ]
      : [],
  };
}

type Forward = (query: Buffer, resolver: string) => Promise<Buffer>;

/** The raw reply to a raw query, undefined to what is no query. */
async function respond(options: DnsOptions, raw: Buffer, forward: Forward): Promise<Buffer | undefined> {
  let query: DecodedPacket;
  try {
    query = decode(raw);
  } catch {
    return undefined;
  }
  const question = query.questions?.[0];
  if (query.type !== 'query' || question === undefined) return undefined;
  const known = reply(options.view(), question);
  if (known !== undefined) {
    const { rcode, answers, authorities } = known;
    return encode(response(query, rcode, { answers, authorities, flags: AUTHORITATIVE_ANSWER }));
  }
  for (const resolver of options.resolvers) {
    try {
      return await forward(raw, resolver);
    } catch {
      // The next resolver is asked.
    }
  }
  return encode(response(query, options.resolvers.length === 0 ? 'REFUSED' : 'SERVFAIL'));
}

/** The reply as it fits into one datagram: cut to the question, with the TC bit, when it is too long. */
function fitting(raw: Buffer, answer: Buffer): Buffer {
  const query = decode(raw);
  const edns = query.additionals?.find((record) => record.type === 'OPT');
  const limit = edns?.type === 'OPT' ? Math.max(edns.udpPayloadSize, PLAIN_UDP_BYTES) : PLAIN_UDP_BYTES;
  if (answer.length <= limit) return answer;
  return encode(response(query, 'NOERROR', { flags: TRUNCATED_RESPONSE }));
}

async function bindUdp(options: DnsOptions, port: number): Promise<Socket> {
  const socket = createSocket(options.host.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (raw, from) => {
    void respond(options, raw, forwardUdp).then((answer) => {
      if (answer !== undefined) socket.send(fitting(raw, answer), from.port, from.address);
    });
  });
  socket.bind(port, options.host);
  await once(socket, 'listening');
  // A client that has gone (ICMP) is no reason to end.
  socket.on('error', () => undefined);
  return socket;
}

function serveConnection(options: DnsOptions, connection: Connection): void {
  let received = Buffer.alloc(0);
  connection.setTimeout(IDLE_MS, () => connection.destroy());
  connection.on('error', () => connection.destroy());
  connection.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= received.readUInt16BE(0) + 2) {
      const end = received.readUInt16BE(0) + 2;
      const raw = received.subarray(2, end);
      received = received.subarray(end);
      void respond(options, raw, forwardTcp).then((answer) => {
        if (answer === undefined) return connection.destroy();
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        return connection.write(Buffer.concat([length, answer]));
      });
    }
  });
}

/** Starts the server. Throws when the address cannot be listened on. */
export async function serveDns(options: DnsOptions): Promise<DnsServer> {
  const connections = new Set<Connection>();
  const tcp = createServer((connection) => {
    connections.add(connection.once('close', () => connections.delete(connection)));
    serveConnection(options, connection);
  });
  tcp.listen(options.port, options.host);
  await once(tcp, 'listening');
  const bound = tcp.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : options.port;
  const udp = await bindUdp(options, port);
  const close = async () => {
    udp.close();
    for (const connection of connections) connection.destroy();
    await new Promise((closed) => tcp.close(closed));
  };
  return { port, close };
}
