/** Real processes for the tests of sandbox/kubently: Redis, API server, executors, each on a free port, each ended by pid. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const CHECKOUT = resolve(import.meta.dirname, '../../sandbox/kubently');
export const TOKEN = '0123456789abcdef0123456789abcdef';
export const KEY = 'test-key';
const PASSWORD = 'redis-password';

/** A TCP port of the loopback that nobody uses now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export type Running = { child: ChildProcess; log: () => string };

/** Starts a program; its output is collected. */
export function start(command: string, args: string[], env: NodeJS.ProcessEnv): Running {
  const child = spawn(command, args, { env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (text += data.toString()));
  return { child, log: () => text };
}

/** Resolves when the process's output matches; rejects, with that output, when it does not in `ms`. */
export async function until({ log }: Running, pattern: RegExp, ms = 10_000): Promise<void> {
  for (const end = Date.now() + ms; !pattern.test(log());) {
    if (Date.now() > end) throw new Error(`${pattern.source} did not appear in:\n${log()}`);
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

/** Waits for the process to end by itself; resolves to its exit code. */
export async function ended({ child }: Running): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}

/** Ends the process and resolves to its exit code. */
export async function stop({ child }: Running): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  return child.exitCode;
}

const KUBECTL = `#!/bin/sh
case "$*" in
  "get pods -n test-app") printf 'NAME READY STATUS RESTARTS AGE\\nnginx-%s 1/1 Running 0 5s\\n' "$FAKE_CLUSTER";;
  "get namespaces") printf 'NAME STATUS AGE\\ndefault Active 1d\\n'; echo warning >&2;;
  *) echo "error: nothing known about $*" >&2; exit 1;;
esac
`;

/** A Redis and a fake kubectl in a folder of their own. */
export class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'kubently-test-'));
  readonly #running: Running[] = [];
  redisPort = 0;

  async open(): Promise<void> {
    writeFileSync(join(this.folder, 'kubectl'), KUBECTL);
    chmodSync(join(this.folder, 'kubectl'), 0o755);
    this.redisPort = await freePort();
    const args = ['--port', String(this.redisPort), '--bind', '127.0.0.1', '--dir', this.folder, '--save', ''];
    const redis = this.run('redis-server', [...args, '--requirepass', PASSWORD], {});
    await until(redis, /Ready to accept connections/);
  }

  run(command: string, args: string[], env: NodeJS.ProcessEnv): Running {
    const running = start(command, args, env);
    this.#running.push(running);
    return running;
  }

  /** An API server; `env` over a working configuration. */
  api(port: number, env: NodeJS.ProcessEnv = {}): Running {
    return this.run(process.execPath, [join(CHECKOUT, 'kubently/api/main.ts'), '--port', String(port)], {
      REDIS_HOST: '127.0.0.1',
      REDIS_PORT: String(this.redisPort),
      REDIS_PASSWORD: PASSWORD,
      API_KEYS: `tester:${KEY}\nbare-key`,
      SESSION_TTL: '300',
      LLM_PROVIDER: 'anthropic-claude',
      ANTHROPIC_API_KEY: 'dummy',
      ...env,
    });
  }

  executor(apiUrl: string, cluster: string, env: NodeJS.ProcessEnv = {}): Running {
    return this.run(process.execPath, [join(CHECKOUT, 'kubently/executor/main.ts')], {
      PATH: `${this.folder}:${process.env['PATH'] ?? ''}`,
      KUBENTLY_API_URL: apiUrl,
      KUBENTLY_ALLOW_HTTP: 'true',
      CLUSTER_ID: cluster,
      KUBENTLY_TOKEN: TOKEN,
      FAKE_CLUSTER: cluster,
      ...env,
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map(stop));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A client of the API with a valid key; answers status and body (JSON where it is). */
export function client(url: string) {
  return async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = { 'X-API-Key': KEY },
  ) => {
    const response = await fetch(url + path, {
      method,
      headers: { 'Content-Type': 'application/json', ...headers },
      redirect: 'manual',
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = (response.headers.get('content-type') ?? '').includes('json');
    return { status: response.status, headers: response.headers, body: json ? (JSON.parse(text) as unknown) : text };
  };
}
