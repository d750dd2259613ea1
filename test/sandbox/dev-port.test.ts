/** DEV_PORT is refused before anything is built. */
import { createServer, type AddressInfo } from 'node:net';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { portProblem } from '../../sandbox/dev/port.ts';

const never = (): Promise<boolean> => Promise.reject(new Error('not to be asked'));

test.each(['abc', '', '0', '-1', '65536', '8443x', '8 443', '1e3'])('"%s" is no port', async (text) => {
  expect(await portProblem(text, never)).toContain(`DEV_PORT: "${text}" is no port`);
});

test('a port that another program has is refused, our own is not, and a free one is good', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const port = String((server.address() as AddressInfo).port);
  expect(await portProblem(port, () => Promise.resolve(false))).toContain(`another program listens at port ${port}`);
  expect(await portProblem(port, () => Promise.resolve(true))).toBeUndefined();
  await new Promise((resolve) => server.close(resolve));
  expect(await portProblem(port, never)).toBeUndefined();
});

test('make dev ends with status 2 before it looks for docker', async () => {
  const program = join(import.meta.dirname, '../../sandbox/dev/up.ts');
  const env = { ...process.env, DEV_PORT: 'abc', PATH: '/nonexistent' };
  const ended = promisify(execFile)(process.execPath, [program], { env });
  await expect(ended).rejects.toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('is no port') as string,
  });
});
