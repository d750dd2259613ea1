/** A ClientHello by hand, for what no TLS library offers any more: SSL 3.0, RC4, 3DES, export suites, compression. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

export interface Hello {
  /** Highest version offered: 0x0300 is SSL 3.0, 0x0303 TLS 1.2. */
  version: number;
  /** IANA numbers. */
  ciphers: number[];
  /** 0 none, 1 DEFLATE. */
  compression?: number[];
  serverName: string;
}

const ALERTS: Record<number, string> = {
  40: 'handshake failure',
  47: 'illegal parameter',
  70: 'protocol version',
  71: 'insufficient security',
};

/** "refused: protocol version", or "accepted with suite 0xc02f, compression 0" by the server's first record. */
export function answerToHello(host: string, hello: Hello): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: 443, timeout: 10_000 }, () => socket.write(record(hello)));
    let received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 5 || received.length < 5 + received.readUInt16BE(3)) return;
      socket.destroy();
      resolve(spec(received));
    });
    socket.on('end', () => reject(new Error('closed without an answer')));
    socket.on('timeout', () => socket.destroy(new Error('no answer within 10 s')));
    socket.on('error', reject);
  });
}

function spec(answer: Buffer): string {
  const [type] = answer;
  if (type === 21) return `refused: ${ALERTS[answer[6] ?? 0] ?? `alert ${answer[6] ?? '?'}`}`;
  if (type !== 22 || answer[5] !== 2) return `not TLS: ${answer.subarray(0, 20).toString('latin1')}`;
  // Record 5, handshake 4, version 2, random 32, then the session id with its length.
  const after = 43 + 1 + (answer[43] ?? 0);
  return `accepted with suite 0x${answer.readUInt16BE(after).toString(16).padStart(4, '0')}, compression ${answer[after + 2] ?? '?'}`;
}

function record({ version, ciphers, compression = [0], serverName }: Hello): Buffer {
  const name = Buffer.from(serverName);
  const extensions = Buffer.concat([
    extension(0, vector(2, Buffer.concat([Buffer.from([0]), vector(2, name)]))),
    extension(10, vector(2, u16(23, 24, 29))),
    extension(11, vector(1, Buffer.from([0]))),
    extension(13, vector(2, u16(0x0403, 0x0804, 0x0401, 0x0501, 0x0601))),
  ]);
  const body = Buffer.concat([
    u16(version),
    randomBytes(32),
    vector(1, Buffer.alloc(0)),
    vector(2, u16(...ciphers)),
    vector(1, Buffer.from(compression)),
    // SSL 3.0 knows no extensions.
    ...(version > 0x0300 ? [vector(2, extensions)] : []),
  ]);
  const handshake = Buffer.concat([Buffer.from([1, 0]), vector(2, body)]);
  return Buffer.concat([Buffer.from([22]), u16(Math.min(version, 0x0301)), vector(2, handshake)]);
}

function u16(...values: number[]): Buffer {
  const made = Buffer.alloc(2 * values.length);
  values.forEach((value, i) => made.writeUInt16BE(value, 2 * i));
  return made;
}

/** The bytes with their length before them, in `size` bytes. */
function vector(size: 1 | 2, bytes: Buffer): Buffer {
  const length = Buffer.alloc(size);
  length.writeUIntBE(bytes.length, 0, size);
  return Buffer.concat([length, bytes]);
}

function extension(type: number, data: Buffer): Buffer {
  return Buffer.concat([u16(type), vector(2, data)]);
}
