/** The runbook's own HTTPS: verified, whatever the shell says. */
import { createServer as createPlain } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { realHttp } from '../../lib/base/http.ts';
import { testCa } from '../tls/scratch.ts';

let server: Server;

beforeEach(async () => {
  const { cert, key } = await (await testCa()).sign(['localhost']);
  server = createServer({ cert, key }, (_, answer) => answer.end('yes'));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
});

afterEach(() => {
  vi.unstubAllEnvs();
  server.close();
});

test.each(['', '0'])('a CA that nobody knows is refused with NODE_TLS_REJECT_UNAUTHORIZED=%s', async (value) => {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', value);
  const { port } = server.address() as AddressInfo;
  await expect(realHttp()({ url: `https://localhost:${port}/` })).rejects.toMatchObject({
    code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  });
});

test('a body without an end is not read beyond 32 MB', async () => {
  const endless = createPlain((_, answer) => {
    const more = (): void => {
      while (answer.write('x'.repeat(65_536)));
    };
    answer.on('drain', more);
    more();
  });
  await new Promise<void>((listening) => endless.listen(0, '127.0.0.1', listening));
  const { port } = endless.address() as AddressInfo;
  await expect(realHttp()({ url: `http://127.0.0.1:${port}/` })).rejects.toThrow(
    `127.0.0.1:${port} answers with more than 32 MB`,
  );
  endless.closeAllConnections();
  endless.close();
});

test('a body is sent as JSON, a text as it stands', async () => {
  const seen: string[] = [];
  const own = createPlain((asked, answer) => {
    asked.on('data', (part: Buffer) => seen.push(`${asked.headers['content-type'] ?? ''}: ${part.toString()}`));
    asked.on('end', () => answer.end());
  });
  await new Promise<void>((listening) => own.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${(own.address() as AddressInfo).port}/`;
  await realHttp()({ method: 'POST', url, body: { a: 1 } });
  await realHttp()({ method: 'POST', url, text: '-----BEGIN\nü' });
  own.close();
  expect(seen).toEqual(['application/json: {"a":1}', 'text/plain: -----BEGIN\nü']);
});
