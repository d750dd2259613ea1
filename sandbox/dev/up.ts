/** Kubently on this machine, over https: node sandbox/dev/up.ts. Run again, it changes what changed. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { ensureDocker, findDocker } from '../build/docker.ts';
import { part, say } from '../progress.ts';
import { run, until } from '../run.ts';
import { ensureCertificates } from './certificates.ts';
import { compose } from './compose.ts';
import { CLUSTER, FOLDER, PORT, PROJECT } from './folder.ts';
import { ensureImages } from './images.ts';
import { portProblem } from './port.ts';

const URL_HERE = `https://localhost:${PORT}`;

/** The value in a file of one NAME=value line, made at random once; the file is 0600. */
function secret(file: string, name: string, make: () => string): string {
  const path = join(FOLDER, file);
  if (!existsSync(path)) {
    mkdirSync(FOLDER, { recursive: true, mode: 0o700 });
    writeFileSync(path, `${name}=${make()}\n`, { mode: 0o600 });
  }
  return readFileSync(path, 'utf8')
    .trim()
    .slice(name.length + 1);
}

/** One request to the API as a developer makes it: over TLS, trusting only the development CA. */
function ask(method: string, path: string, key: string, body?: unknown): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${URL_HERE}${path}`,
      {
        method,
        ca: readFileSync(join(FOLDER, 'ca.crt')),
        headers: { 'X-API-Key': key, 'Content-Type': 'application/json' },
        signal: AbortSignal.timeout(5000),
      },
      (answer) => {
        text(answer).then((said) => resolve({ status: answer.statusCode ?? 0, body: said }), reject);
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Registers the executor's token and waits until the executor is connected. */
async function connect(key: string, token: string): Promise<void> {
  const { status, body } = await ask('POST', `/admin/agents/${CLUSTER}/token`, key, { token });
  if (status !== 200 && status !== 409) throw new Error(`the token is not taken: ${status} ${body}`);
  await until('the executor is connected', 40, async () => {
    const answer = await ask('GET', `/admin/agents/${CLUSTER}/status`, key).catch(() => ({ status: 0, body: '' }));
    return answer.status === 200 && (JSON.parse(answer.body) as { connected: boolean }).connected;
  });
}

/** Whether an earlier run of this program has the port. */
async function runsAlready(): Promise<boolean> {
  if ((await findDocker()) === undefined) return false;
  return (await run('docker', ['ps', '--quiet', '--filter', `label=com.docker.compose.project=${PROJECT}`])) !== '';
}

const problem = await portProblem(PORT, runsAlready);
if (problem !== undefined) {
  console.error(`make dev: nothing was changed: ${problem}`);
  process.exit(2);
}

try {
  const hex = () => randomBytes(32).toString('hex');
  await part('docker daemon', ensureDocker, ({ host }) => host);
  await part('certificates', ensureCertificates, (what) => what);
  const key = secret('api.env', 'API_KEYS', () => `developer:${hex()}`).split(':')[1] ?? '';
  const token = secret('executor.env', 'KUBENTLY_TOKEN', hex);
  secret('redis.env', 'REDIS_PASSWORD', hex);
  const images = await part('images', ensureImages, ({ api }) => api);
  await part('containers', () => compose(['up', '--detach', '--wait', '--wait-timeout', '60'], images));
  await part('executor', () => connect(key, token));
  const health = await ask('GET', '/health', key);
  say(`${URL_HERE} answers: ${health.body}`);
  process.stdout.write(`
  trust its CA        ${join(FOLDER, 'ca.crt')} (curl --cacert, NODE_EXTRA_CA_CERTS, or the browser's settings)
  API key             in ${join(FOLDER, 'api.env')}, after "developer:"
  try it              curl --cacert ${join(FOLDER, 'ca.crt')} ${URL_HERE}/health
  stop and remove it  make dev-down
`);
} catch (error) {
  console.error(`make dev: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
