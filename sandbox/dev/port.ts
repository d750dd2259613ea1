/** DEV_PORT is looked at before anything is built. */
import { createServer } from 'node:net';

/**
 * Why nginx cannot listen at this port of 127.0.0.1, with what to do; undefined: it can.
 * @param ours whether an earlier `make dev` holds it, asked only where somebody does
 */
export async function portProblem(text: string, ours: () => Promise<boolean>): Promise<string | undefined> {
  const port = Number(text);
  if (!/^[1-9]\d{0,4}$/.test(text) || port > 65535)
    return `DEV_PORT: "${text}" is no port: a whole number from 1 to 65535, for example DEV_PORT=9443`;
  const code = await listening(port);
  if (code === undefined || (code === 'EADDRINUSE' && (await ours()))) return undefined;
  return code === 'EADDRINUSE'
    ? `DEV_PORT: another program listens at port ${text} (ss -tlnp names it): end it, or name another port, for example DEV_PORT=${port === 9443 ? 9444 : 9443}`
    : `DEV_PORT: this user may not listen at port ${text} (${code}): name one above 1023`;
}

/** The error's code; undefined where it worked. */
function listening(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)));
  });
}
