/** An API server that restarts: what is sent again, what is told, and when it is given up. */
import { expect, test } from 'vitest';
import { CommandFailed, type Command } from '../../lib/base/command.ts';
import { Failure } from '../../lib/base/failure.ts';
import { outlasting } from '../../lib/runner/api-server-outage.ts';
import { Kubectl } from '../../lib/clients/kubectl.ts';
import { waitFor } from '../../lib/base/wait.ts';
import { fails, fakeOutside } from './outside.ts';

const AT = { context: 'gke-context', namespace: 'kubently' };
const REFUSED = 'The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?';
const POD = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } };

/** A cluster whose API server is away from one time to another, in milliseconds after the start. */
function world(from: number, to: number, says = REFUSED) {
  const told: string[] = [];
  const answer = (command: Command): string => {
    const at = inner.clock.now() - began;
    if (at >= from && at < to) return fails(says)(command);
    return command.args[0] === 'get' && command.args[1] !== '--raw' ? JSON.stringify(POD) : 'ok';
  };
  const inner = fakeOutside({
    rows: [
      { binary: 'kubectl', args: () => true, answer },
      { binary: 'helm', args: () => true, answer },
    ],
  });
  const began = inner.clock.now();
  const outside = outlasting(inner, (text) => told.push(text));
  return { inner, outside, told, kube: new Kubectl(outside.run, AT) };
}

const helm = (...args: string[]): Command => ({
  binary: 'helm',
  args: [...args, '--kube-context', 'gke-context', '--namespace', 'kubently'],
  mutates: args[0] !== 'history',
});

test('while it answers nothing is added', async () => {
  const { inner, kube, told } = world(-1, -1);
  await kube.get('Pod', 'a');
  expect(inner.commands).toHaveLength(1);
  expect(inner.sleeps).toEqual([]);
  expect(told).toEqual([]);
});

test('a read is sent again once it is ready; the operator is told once what is waited for, and how it ended', async () => {
  const { inner, kube, told } = world(1000, 10_000);
  await kube.raw('/readyz');
  inner.clock.advance(1000);
  const [pod, text] = await Promise.all([kube.get('Pod', 'a'), kube.raw('/version')]);
  expect(pod?.metadata.name).toBe('a');
  expect(text).toBe('ok');
  expect(told).toEqual([
    `the API server of gke-context does not answer, waiting for it at most 45 s: ${REFUSED}`,
    'the API server of gke-context answers again, after 10 s',
  ]);
  expect(inner.sleeps).toEqual([2000, 2000, 2000, 2000, 2000]);
});

test.each([
  ['a server-side apply', (k: Kubectl) => k.apply([POD])],
  ['a delete of what may be gone', (k: Kubectl) => k.delete('Pod', 'a')],
])('%s is sent again', async (_, change) => {
  const { inner, kube } = world(1000, 5000);
  await kube.raw('/readyz');
  inner.clock.advance(1000);
  await change(kube);
  expect(inner.changes).toHaveLength(2);
});

test.each([
  ['a replace', (k: Kubectl) => k.replace(POD)],
  ['another change', (k: Kubectl) => k.change`rollout restart deployment/a`],
  ['a command that changes what a pod holds', (k: Kubectl) => k.exec('a', undefined, ['x'], undefined, 1000, true)],
])('%s is not sent twice, and waits where the outage is known', async (_, change) => {
  const { inner, kube, told } = world(1000, 5000);
  await kube.raw('/readyz');
  inner.clock.advance(1000);
  await expect(change(kube)).rejects.toBeInstanceOf(CommandFailed);
  expect(inner.changes).toHaveLength(1);
  const known = kube.raw('/version');
  while (told.length === 0) await Promise.resolve();
  await Promise.all([known, change(kube)]);
  expect(inner.changes).toHaveLength(2);
});

test('helm upgrade --install is sent again, helm uninstall is not', async () => {
  const unreachable =
    'Error: kubernetes cluster unreachable: Get "https://10.0.0.1:6443/version": dial tcp 10.0.0.1:6443: connect: connection refused';
  const { inner, outside } = world(1000, 5000, unreachable);
  await outside.run(helm('history', 'x'));
  inner.clock.advance(1000);
  await expect(outside.run(helm('uninstall', 'x'))).rejects.toThrow('helm uninstall failed');
  await outside.run(helm('upgrade', '--install', 'x', 'chart'));
  expect(inner.changes.map((c) => c.split(' ')[1])).toEqual(['uninstall', 'upgrade', 'upgrade']);
});

test('after 45 s it is given up: one line with the cause, at once for all, and for who comes later', async () => {
  const { inner, kube } = world(1000, Infinity);
  await kube.raw('/readyz');
  inner.clock.advance(1000);
  const began = inner.clock.now();
  const both = await Promise.allSettled([kube.raw('/apis'), kube.raw('/version')]);
  for (const ended of both) {
    const reason = ended.status === 'rejected' ? (ended.reason as Failure) : undefined;
    expect(reason?.message).toBe(`the API server of gke-context did not answer for 45 s: ${REFUSED}`);
    expect(reason?.parts.command).toContain('get --raw /readyz --context gke-context');
  }
  expect(inner.clock.now() - began).toBeLessThan(60_000);
  const given = inner.clock.now();
  await expect(kube.get('Pod', 'a')).rejects.toThrow('did not answer for 45 s');
  expect(inner.clock.now()).toBe(given);
});

test('a cluster that never answered is told at once: a wrong context, a preflight', async () => {
  const { inner, kube, told } = world(0, Infinity);
  await expect(kube.raw('/readyz')).rejects.toThrow('kubectl get failed');
  expect([...inner.sleeps, ...told]).toEqual([]);
});

test('a wait ends with the same cause, not at its own end', async () => {
  const { inner, outside, kube } = world(1000, Infinity);
  await kube.raw('/readyz');
  const probe = async () => ({ state: 'pending', reason: (await kube.get('Pod', 'a'))?.kind ?? '' }) as const;
  const waiter = { clock: outside.clock, note: () => undefined };
  await expect(waitFor({ what: 'x', timeoutMs: 600_000, probe, next: '' }, waiter)).rejects.toThrow(
    'the API server of gke-context did not answer for 45 s',
  );
  expect(inner.sleeps.reduce((a, b) => a + b, 0)).toBeLessThan(60_000);
});

test('a server that has just started and knows no rights yet is waited for; one that is ready means what it says', async () => {
  const forbidden = 'Error from server (Forbidden): pods is forbidden: User "u" cannot list resource "pods"';
  const starting = world(1000, 5000, forbidden);
  await starting.kube.raw('/readyz');
  starting.inner.clock.advance(1000);
  expect((await starting.kube.get('Pod', 'a'))?.kind).toBe('Pod');
  expect(starting.told[0]).toContain('has just been started');

  const inner = fakeOutside({
    rows: [
      { binary: 'kubectl', args: (a) => a[1] === '--raw', answer: 'ok' },
      { binary: 'kubectl', args: () => true, answer: fails(forbidden) },
    ],
  });
  const told: string[] = [];
  const kube = new Kubectl(outlasting(inner, (t) => told.push(t)).run, AT);
  await kube.raw('/readyz');
  await expect(kube.list('Pod')).rejects.toBeInstanceOf(CommandFailed);
  expect([...inner.sleeps, ...told]).toEqual([]);
});

test('a server that is ready and does not serve what is asked is given up as well', async () => {
  const inner = fakeOutside({
    rows: [
      { binary: 'kubectl', args: (a) => a[1] === '--raw', answer: 'ok' },
      {
        binary: 'kubectl',
        args: () => true,
        answer: fails(
          'Error from server (ServiceUnavailable): the server is currently unable to handle the request (get pods.metrics.k8s.io)',
        ),
      },
    ],
  });
  const kube = new Kubectl(outlasting(inner, () => undefined).run, AT);
  await kube.raw('/readyz');
  await expect(kube.list('Pod')).rejects.toThrow('did not answer for 45 s: Error from server (ServiceUnavailable)');
});

test.each([
  'The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?',
  'Unable to connect to the server: EOF',
  'Unable to connect to the server: net/http: TLS handshake timeout',
  'Unable to connect to the server: read tcp 10.0.0.2:44660->10.0.0.1:6443: read: connection reset by peer',
  `E1123 16:10:42.073429   25542 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list: Get \\"https://10.0.0.1:6443/api?timeout=32s\\": EOF"`,
  'error: error validating "STDIN": error validating data: failed to download openapi: Get "https://10.0.0.1:6443/openapi/v2?timeout=32s": dial tcp 10.0.0.1:6443: connect: connection refused; if you choose to ignore these errors, turn validation off with --validate=false',
  'Error: UPGRADE FAILED: Get "https://10.0.0.1:6443/apis/apps/v1/namespaces/x/deployments/y": http2: client connection lost',
  'Error from server: etcdserver: leader changed',
  'Error from server (ServiceUnavailable): apiserver is shutting down',
  'Error from server (TooManyRequests): storage is (re)initializing',
])('an outage: %s', async (says) => {
  const { inner, kube } = world(1000, 3000, says);
  await kube.raw('/readyz');
  inner.clock.advance(1000);
  expect(await kube.raw('/version')).toBe('ok');
});

test.each([
  'Unable to connect to the server: dial tcp: lookup gke.example on 10.0.0.53:53: no such host',
  'Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority',
  'error: context "gke-context" does not exist',
  'Error from server (NotFound): pods "a" not found',
  'Error from server (InternalError): Internal error occurred: failed calling webhook "webhook.cert-manager.io": failed to call webhook: Post "https://cert-manager-webhook.cert-manager.svc:443/validate?timeout=30s": dial tcp 10.96.0.9:443: connect: connection refused',
  'Error from server (ServiceUnavailable): no endpoints available for service "kubently-api:http"',
  'Error from server: error dialing backend: dial tcp 172.18.0.3:10250: connect: connection refused',
  'Error: failed to do request: Head "https://quay.io/v2/jetstack/charts/cert-manager/manifests/v1.21.2": dial tcp 10.0.0.9:443: connect: connection refused',
  'Could not connect to Redis at 127.0.0.1:6379: Connection refused',
])('no outage, told at once: %s', async (says) => {
  const { inner, kube, told } = world(1000, Infinity, says);
  await kube.raw('/readyz');
  inner.clock.advance(1000);
  await expect(kube.raw('/version')).rejects.toBeInstanceOf(CommandFailed);
  expect([...inner.sleeps, ...told]).toEqual([]);
});

test.each([
  'https://',
  'https://x/api ',
  'https://x/apis',
  'The connection to the server ',
  'Unable to connect to the server: ',
])('words of 1 MB that an API server chose take no time: %s again and again', async (words) => {
  const { kube } = world(1000, 10_000, words.repeat(1_000_000 / words.length));
  await kube.raw('/readyz');
  const began = Date.now();
  await kube.get('Pod', 'a').catch(() => undefined);
  expect(Date.now() - began).toBeLessThan(1000);
});

test.each([
  'Get "https://10.0.0.1:6443/api/v1/pods?limit=500": dial tcp 10.0.0.1:6443: connect: connection refused',
  'Error: Kubernetes cluster unreachable: Get "https://10.0.0.1:6443/version": EOF',
  'Unable to connect to the server: net/http: TLS handshake timeout',
  'error: Get \\"http://10.0.0.1/prefix/apis/apps/v1\\": read: connection reset by peer',
])('is an outage: %s', async (says) => {
  const { kube, told, inner } = world(1000, 5000, says);
  await kube.raw('/readyz');
  inner.clock.advance(1000);
  await kube.get('Pod', 'a');
  expect(told).toHaveLength(2);
});

test.each([
  'failed calling webhook: Post "https://webhook.cert-manager.svc:443/mutate?timeout=30s": dial tcp: connection refused',
  'Get "https://registry.test/v2/": EOF',
  'error: unexpected EOF',
])('is none: %s', async (says) => {
  const { kube, told, inner } = world(1000, 5000, says);
  await kube.raw('/readyz');
  inner.clock.advance(1000);
  await expect(kube.get('Pod', 'a')).rejects.toBeInstanceOf(CommandFailed);
  expect(told).toEqual([]);
});
