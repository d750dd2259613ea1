/** The runbook's own HTTPS: verified, whatever the shell says. */
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
