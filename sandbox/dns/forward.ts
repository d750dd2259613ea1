/** Questions about the rest of the world, passed on to the machine's own resolver. */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';

const TIMEOUT_MS = 3000;

/** The machine's resolvers by /etc/resolv.conf, less the server itself (`own`). */
export function systemResolvers(own: string, file = '/etc/resolv.conf'): string[] {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  const servers = [...text.matchAll(/^nameserver\s+(\S+)/gm)].map(([, address = '']) => address);
  return servers.filter((address) => address !== own);
}

/** The resolver's raw reply to a raw query over UDP. Rejects after 3 s. */
export function forwardUdp(query: Buffer, resolver: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(resolver.includes(':') ? 'udp6' : 'udp4');
    const timer = setTimeout(() => end(new Error(`${resolver} does not answer`)), TIMEOUT_MS);
    const end = (result: Buffer | Error) => {
      clearTimeout(timer);
      socket.close();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    socket.once('message', end);
    socket.once('error', end);
    socket.connect(53, resolver, () => socket.send(query));
  });
}

/** The resolver's raw reply to a raw query over TCP, both without their length. Rejects after 3 s of silence. */
export function forwardTcp(query: Buffer, resolver: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(53, resolver);
    let received = Buffer.alloc(0);
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`${resolver} does not answer`)));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`${resolver} closed the connection`)));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const length = received.length < 2 ? Infinity : received.readUInt16BE(0);
      if (received.length < length + 2) return;
      resolve(received.subarray(2, length + 2));
      socket.destroy();
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    socket.write(Buffer.concat([length, query]));
  });
}
