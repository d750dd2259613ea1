import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import {
  CommandFailed,
  endChildren,
  isTransient,
  pasteable,
  readOnly,
  realFollow,
  realRun,
  type Command,
} from '../../lib/base/command.ts';
import { explain } from '../../lib/base/failure.ts';
import { Secret } from '../../lib/base/secret.ts';
import { temporaryFolder } from './outside.ts';

const ENVIRONMENT = {
  PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
  HOME: temporaryFolder(),
};
const run = realRun(ENVIRONMENT);
const node = (script: string, more: Partial<Command> = {}): Command => ({
  binary: 'node',
  args: ['-e', script],
  mutates: false,
  ...more,
});

async function failure(command: Command): Promise<CommandFailed> {
  const error: unknown = await run(command).then(
    () => new Error('it did not fail'),
    (e: unknown) => e,
  );
  if (error instanceof CommandFailed) return error;
  throw error;
}

test('stdout and stderr come apart', async () => {
  expect(await run(node('console.log("out"); console.error("err")'))).toEqual({ stdout: 'out\n', stderr: 'err\n' });
});

test('a child gets the listed environment and its own, nothing else', async () => {
  process.env['UNIT_LEAK'] = 'leaked';
  const { stdout } = await run(
    node('console.log(JSON.stringify(process.env))', { env: { TOKEN: new Secret('env-secret-0001'), PLAIN: 'x' } }),
  );
  const env = JSON.parse(stdout) as Record<string, string>;
  expect(env).toMatchObject({ ...ENVIRONMENT, TOKEN: 'env-secret-0001', PLAIN: 'x' });
  // What the shell sets for itself.
  const own = new Set([...Object.keys(ENVIRONMENT), 'TOKEN', 'PLAIN', '_', 'PWD', 'SHLVL', 'OLDPWD']);
  expect(Object.keys(env).filter((k) => !own.has(k))).toEqual([]);
  delete process.env['UNIT_LEAK'];
});

test('arguments arrive as they are, whatever the shell would make of them', async () => {
  const odd = ['a b', '$(id)', '`id`', '*', "it's", '"q"', '', '\\', ';|&', 'ünï'];
  const { stdout } = await run({
    binary: 'node',
    args: ['-p', 'JSON.stringify(process.argv.slice(1))', '--', ...odd],
    mutates: false,
  });
  expect(JSON.parse(stdout)).toEqual(odd);
});

test('input goes by stdin, boxed or not, and is empty when there is none', async () => {
  const cat = 'process.stdin.pipe(process.stdout)';
  expect((await run(node(cat, { input: new Secret('stdin-secret-0001') }))).stdout).toBe('stdin-secret-0001');
  expect((await run(node(cat, { input: 'plain' }))).stdout).toBe('plain');
  // An open pipe would hold a program that reads to its end until the timeout.
  expect((await run(node(cat, { timeoutMs: 3000 }))).stdout).toBe('');
});

test('a failure says status, last words and the line to paste', async () => {
  const error = await failure({ binary: 'git', args: ['-C', '/nonexistent dir', 'status'], mutates: false });
  expect(error.exitCode).toBe(128);
  expect(error.message).toBe('git -C failed (status 128)');
  expect(error.parts.command).toBe("git -C '/nonexistent dir' status");
  expect(explain(error)).toContain('cannot change to');
});

test('a program that is not there is told with its remedy', async () => {
  const error = await failure({
    binary: 'gcloud',
    args: ['version'],
    mutates: false,
    env: { PATH: '/nonexistent' },
  });
  expect(error.exitCode).toBe(127);
  expect(error.parts.next).toContain('install gcloud');
});

test('too late is worded as such', async () => {
  const error = await failure(node('setTimeout(() => {}, 60_000)', { timeoutMs: 300 }));
  expect(error.message).toMatch(/^node -e gave no answer within \d+ s$/);
  expect(error.message).not.toContain('SIGTERM');
});

test('a child that is killed otherwise did not time out', async () => {
  const error = await failure(node('process.kill(process.pid, "SIGKILL"); setTimeout(() => {}, 9000)'));
  expect(error.message).toContain('failed');
});

test('stdout stands in for an empty stderr, but not when it may hold a secret', async () => {
  const script = 'console.log("unboxed-in-stdout"); process.exit(3)';
  expect(explain(await failure(node(script)))).toContain('\n    unboxed-in-stdout');
  expect((await failure(node(script, { sensitive: 'stdout' }))).parts.detail).toBe('');
  expect((await failure(node(script, { sensitive: 'both' }))).parts.detail).toContain('may hold a secret');
});

test('the reason on stderr is told however sensitive the command is', async () => {
  const script = 'console.error("why it failed"); process.exit(3)';
  expect((await failure(node(script, { sensitive: 'stdout' }))).parts.detail).toBe('why it failed');
  expect((await failure(node(script, { sensitive: 'both' }))).parts.detail).toBe('why it failed');
});

test('known secrets are scrubbed from it, what could be an unknown one is withheld, the rest is kept', () => {
  new Secret('boxed-secret-0002');
  const command: Command = { binary: 'kubectl', args: ['apply'], mutates: true, sensitive: 'both' };
  const opaque = ['Ab3', 'x9Q'].join('').repeat(8);
  const stderr = `bad boxed-secret-0002 here\nvalue "${opaque}" is no good\n-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\nend`;
  const { detail } = new CommandFailed(command, 1, { stdout: 'never', stderr }, false).parts;
  expect(detail).toBe('bad [REDACTED] here\nvalue "[withheld]" is no good\n[withheld]\nend');
});

test.each([
  [
    'gcloud',
    'ERROR: (gcloud.auth.print-access-token) There was a problem refreshing your current auth tokens: Reauthentication failed. invalid_grant',
    'gcloud auth login',
  ],
  [
    'kubectl',
    'Error from server (Forbidden): secrets "kubently-api" is forbidden: exceeded quota: secrets, requested: count/secrets=1, used: count/secrets=3, limited: count/secrets=3',
    'raise the ResourceQuota',
  ],
  [
    'kubectl',
    'Error from server (Forbidden): pods "x" is forbidden: failed quota: cpu: must specify limits.cpu for: api',
    'LimitRange',
  ],
  [
    'kubectl',
    'Error from server: admission webhook "validate.kyverno.svc-fail" denied the request: resource Secret/kubently/kubently-api was blocked: require-owner: label owner is required',
    'meet the policy',
  ],
  [
    'kubectl',
    'Error from server (Forbidden): admission webhook "validation.gatekeeper.sh" denied the request: [must-have-owner] you must provide labels',
    'meet the policy',
  ],
  [
    'kubectl',
    'Error from server (Forbidden): secrets is forbidden: User "dev" cannot patch resource "secrets" in API group "" in the namespace "kubently"',
    'get the right that is named',
  ],
] as const)('%s is refused where a secret is near (%s): told in its words, with what fits', (binary, stderr, next) => {
  const command: Command = { binary, args: ['x'], mutates: true, sensitive: 'both' };
  const { parts } = new CommandFailed(command, 1, { stdout: '', stderr }, false);
  expect(parts.detail).toBe(stderr);
  expect(parts.next).toContain(next);
});

test('a known secret is scrubbed from error text, stderr and command line', async () => {
  new Secret('boxed-secret-0001');
  const error = await failure(node('console.error("boxed-secret-0001"); process.exit(1)'));
  expect(explain(error) + error.stderr).not.toContain('boxed-secret-0001');
  expect(explain(error)).toContain('[REDACTED]');
});

test('only the last lines are shown', async () => {
  const error = await failure(node('for (let i = 0; i < 99; i++) console.error("line" + i); process.exit(1)'));
  expect(error.parts.detail?.split('\n')).toHaveLength(12);
  expect(error.parts.detail).toMatch(/line98$/);
});

test('a pasted line quotes what the shell would read otherwise', () => {
  expect(pasteable({ binary: 'kubectl', args: ['get', 'pod', '-l', "a=b c'd"], input: 'x' })).toBe(
    "kubectl get pod -l 'a=b c'\\''d' < (stdin)",
  );
});

test('while only looking, a change is refused and a read is not', async () => {
  const looking = readOnly(() => Promise.resolve({ stdout: 'read', stderr: '' }));
  expect(() => looking(node('1', { mutates: true }))).toThrow(/refused while only looking: node -e 1/);
  expect((await looking(node('1'))).stdout).toBe('read');
});

test.each([
  ['dial tcp 127.0.0.1:6443: connect: connection refused', true],
  ['The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?', true],
  ['net/http: TLS handshake timeout', true],
  ['HTTPError 503: backend', true],
  ['Error from server (Forbidden): secrets is forbidden', false],
  ['HTTPError 403: denied', false],
])('transient: %s → %s', (stderr, expected) => {
  expect(isTransient(new CommandFailed(node('1'), 1, { stdout: '', stderr }, false))).toBe(expected);
});

test('a followed command gives its lines as they come, its status and its last words', async () => {
  new Secret('followed-secret-0001');
  const lines: string[] = [];
  const follow = realFollow(ENVIRONMENT);
  const script =
    'console.log("one"); console.log("two"); console.error("why followed-secret-0001"); process.exitCode = 3';
  const ended = await follow({ binary: 'node', args: ['-e', script] }, (line) => lines.push(line));
  expect(lines).toEqual(['one', 'two']);
  expect(ended).toEqual({ exitCode: 3, stderr: 'why [REDACTED]' });
});

test('a followed command that cannot start says so; one that goes on is ended with the run', async () => {
  const nowhere = realFollow({ PATH: '/nonexistent' });
  expect(await nowhere({ binary: 'gcloud', args: ['version'] }, () => undefined)).toEqual({
    exitCode: null,
    stderr: expect.stringContaining('ENOENT') as string,
  });
  const args = ['-e', 'console.log("on"); setInterval(() => {}, 1000)'];
  const ended = await realFollow(ENVIRONMENT)({ binary: 'node', args }, () => endChildren('SIGTERM'));
  expect(ended).toEqual({ exitCode: null, stderr: '' });
});

test('kubectl that is forbidden: an API server that just restarted says so, too', () => {
  const command: Command = { binary: 'kubectl', args: ['get', 'pods'], mutates: false };
  const failed = (stderr: string): string => explain(new CommandFailed(command, 1, { stdout: '', stderr }, false));
  expect(failed('Error from server (Forbidden): no')).toContain('has just been restarted');
  expect(failed('Error from server (NotFound): no')).not.toContain('restarted');
});

test('a followed line ends at a line feed alone, and is not endless', async () => {
  const lines: string[] = [];
  const script = 'process.stdout.write("1 a\\rb\\u2028c\\n" + "x".repeat(200000) + "\\n3\\n4 without an end")';
  await realFollow(ENVIRONMENT)({ binary: 'node', args: ['-e', script] }, (line) => lines.push(line));
  expect(lines.map((l) => (l.length > 99 ? l.length : l))).toEqual(['1 a\rb\u2028c', 65_536, '3', '4 without an end']);
});

test('a command that says more than 256 MB is ended', async () => {
  const endless =
    'const more = () => { while (process.stdout.write("x".repeat(1 << 20))); }; process.stdout.on("drain", more); more()';
  await expect(run(node(endless))).rejects.toThrow('node -e says more than 256 MB, and was ended');
});

test('a word without an end is cut in an error', async () => {
  const { stderr } = await failure(node('console.error("x".repeat(1e6)); process.exit(1)'));
  expect(stderr.length).toBeLessThan(5000);
});

test('foreign code gets nothing of ours: no home, no account, no credential', async () => {
  const ours = {
    ...ENVIRONMENT,
    LANG: 'C',
    USER: 'ann',
    KUBECONFIG: '/k',
    DOCKER_HOST: 'unix:///d',
    DOCKER_CONFIG: '/d',
    CLOUDSDK_AUTH_ACCESS_TOKEN: 'ya29.unit',
    CLOUDSDK_CONFIG: '/c',
    GOOGLE_APPLICATION_CREDENTIALS: '/g',
  };
  const show = node('process.stdout.write(JSON.stringify(process.env))', {
    foreign: true,
    env: { HOME: '/tmp/empty' },
  });
  const { stdout } = await realRun(ours)(show);
  const seen = JSON.parse(stdout) as Record<string, string>;
  expect(
    Object.keys(seen)
      .filter((name) => !/^(SHLVL|PWD|_|OLDPWD)$/.test(name))
      .sort(),
  ).toEqual(['HOME', 'LANG', 'PATH']);
  expect(seen['HOME']).toBe('/tmp/empty');
});
