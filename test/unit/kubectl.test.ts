import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { withReadCache } from '../../lib/context.ts';
import { Kubectl, secretObject, secretValue } from '../../lib/clients/kubectl.ts';
import { Helm } from '../../lib/clients/helm.ts';
import { decode, secretOf } from '../../lib/clients/helm-record.ts';
import { revealedJson, Secret } from '../../lib/base/secret.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';
import { FakeCluster } from './fake-cluster.ts';
import { contextOf, fails, fakeOutside, settings, type Row } from './outside.ts';

const AT = { context: 'gke-context', namespace: 'kubently' };
const SUFFIX = ['--ignore-not-found', '-o', 'json', '--context', 'gke-context', '--namespace', 'kubently'];
const object = (kind: string, name: string) => ({ apiVersion: 'v1', kind, metadata: { name, namespace: 'kubently' } });

test('reads of one moment are one call, each asked for once', async () => {
  const cluster = new FakeCluster('gke-context', [object('ConfigMap', 'a'), object('Secret', 'b')]);
  const outside = fakeOutside({ worlds: [cluster] });
  const kube = contextOf(outside).kube(AT);
  const found = await Promise.all([
    kube.get('ConfigMap', 'a'),
    kube.get('Secret', 'b'),
    kube.get('ConfigMap', 'a'),
    kube.get('Deployment.apps', 'none'),
  ]);
  expect(found.map((o) => o?.metadata.name)).toEqual(['a', 'b', 'a', undefined]);
  expect(outside.commands.map((c) => c.args)).toEqual([
    ['get', 'ConfigMap/a', 'Secret/b', 'Deployment.apps/none', ...SUFFIX],
  ]);
  expect(outside.commands[0]?.sensitive).toBe('stdout');
});

test('the same cluster is asked through one client, another namespace through another', async () => {
  const cluster = new FakeCluster('gke-context');
  const outside = fakeOutside({ worlds: [cluster] });
  const ctx = contextOf(outside);
  await Promise.all([
    ctx.kube(AT).get('Pod', 'a'),
    ctx.kube({ ...AT }).get('Pod', 'b'),
    ctx.inGke('other').get('Pod', 'c'),
  ]);
  expect(outside.commands).toHaveLength(2);
});

test('what was read is not remembered', async () => {
  const cluster = new FakeCluster('gke-context');
  const kube = contextOf(fakeOutside({ worlds: [cluster] })).kube(AT);
  expect(await kube.get('Pod', 'a')).toBeUndefined();
  cluster.objects.push(object('Pod', 'a'));
  expect(await kube.get('Pod', 'a')).toBeDefined();
});

test('a kind that is not installed yet does not hide the others', async () => {
  const rows: Row[] = [
    {
      binary: 'kubectl',
      args: (a) => a[0] === 'get' && a.some((x) => x.startsWith('Certificate')),
      answer: fails(`error: the server doesn't have a resource type "Certificate"`),
    },
    { binary: 'kubectl', args: ['get', 'Pod/a', ...SUFFIX], answer: JSON.stringify(object('Pod', 'a')) },
  ];
  const kube = contextOf(fakeOutside({ rows })).kube(AT);
  const found = await Promise.all([kube.get('Certificate.cert-manager.io', 'c'), kube.get('Pod', 'a')]);
  expect(found.map((o) => o?.metadata.name)).toEqual([undefined, 'a']);
  expect(await kube.list('Certificate.cert-manager.io')).toEqual([]);
});

test('a cluster that does not answer is an error, not an absence', async () => {
  const rows: Row[] = [{ binary: 'kubectl', args: () => true, answer: fails('connection refused') }];
  const kube = contextOf(fakeOutside({ rows })).kube(AT);
  await expect(kube.get('Pod', 'a')).rejects.toThrow(/kubectl get failed/);
  await expect(kube.list('Pod')).rejects.toThrow(/kubectl get failed/);
  await expect(kube.delete('Pod', 'a')).rejects.toThrow(/kubectl delete failed/);
});

test('deleting an object of a kind that is gone is content', async () => {
  const rows: Row[] = [{ binary: 'kubectl', args: () => true, answer: fails('no matches for kind "Certificate"') }];
  await contextOf(fakeOutside({ rows })).kube(AT).delete('Certificate.cert-manager.io', 'c');
});

test.each([
  ['context', { context: ' ', namespace: 'kubently' }],
  ['namespace', { context: 'gke-context', namespace: '' }],
])('a blank %s is refused before anything runs', async (part, target) => {
  const outside = fakeOutside({});
  const kube = new Kubectl(outside.run, target);
  await expect(kube.get('Pod', 'a')).rejects.toThrow(`a call without ${part} was refused`);
  await expect(kube.apply([])).rejects.toThrow('was refused');
  await expect(kube.delete('Pod', 'a')).rejects.toThrow('was refused');
  await expect(new Helm(outside.run, target).change`uninstall x`).rejects.toThrow('was refused');
  expect(outside.commands).toEqual([]);
});

test('a blank project is refused', () => {
  expect(() => contextOf(fakeOutside({}), settings({ project: ' ' }))).toThrow('without a project was refused');
});

test('while only looking, an apply is refused and a dry run is not', async () => {
  const cluster = new FakeCluster('gke-context', [object('Pod', 'a')]);
  const kube = contextOf(fakeOutside({ worlds: [cluster] }), settings(), true).kube(AT);
  await expect(kube.apply([object('Pod', 'a')])).rejects.toThrow('refused while only looking');
  await expect(kube.delete('Pod', 'a')).rejects.toThrow('refused while only looking');
  expect(await kube.applyDryRun([object('Pod', 'a')], 'kubently-runbook')).toHaveLength(1);
  expect(cluster.objects).toHaveLength(1);
});

test('what is told to a container goes by stdin', async () => {
  const args = [
    'exec',
    '-i',
    'redis-0',
    '--context',
    'gke-context',
    '--namespace',
    'kubently',
    '--',
    'redis-cli',
    'PING',
  ];
  const outside = fakeOutside({ rows: [{ binary: 'kubectl', args, answer: 'PONG\n' }] });
  const password = new Secret('exec-password-0001');
  expect(await contextOf(outside).kube(AT).exec('redis-0', undefined, ['redis-cli', 'PING'], password)).toBe('PONG\n');
  expect(outside.commands[0]).toMatchObject({ input: password, sensitive: 'both', mutates: false });
});

test('Secrets: made from boxes, read into boxes, never half', () => {
  const made = secretObject('s', 'kubently', { token: new Secret('tökén-0001') });
  expect(made).toMatchObject({
    type: 'Opaque',
    metadata: { labels: { 'app.kubernetes.io/managed-by': 'kubently-runbook' } },
  });
  expect(JSON.stringify(made)).not.toContain(Buffer.from('tökén-0001').toString('base64'));
  const sent = JSON.parse(revealedJson(made)) as KubeObject;
  expect(secretValue(sent, 'token')?.reveal()).toBe('tökén-0001');
  expect(secretValue(sent, 'other')).toBeUndefined();
  expect(secretValue(undefined, 'token')).toBeUndefined();
  expect(() => secretObject('s', 'kubently', { token: new Secret('') })).toThrow('key token would be empty');
});

test('in a look of one moment an object is read once', async () => {
  const cluster = new FakeCluster('gke-context', [object('ConfigMap', 'a')]);
  const outside = fakeOutside({ worlds: [cluster] });
  const kube = withReadCache(contextOf(outside)).kube(AT);
  expect(await kube.get('ConfigMap', 'a')).toBeDefined();
  expect(await kube.get('ConfigMap', 'a')).toBeDefined();
  expect(outside.commands).toHaveLength(1);
});

test.each([
  ['Pod', '../../../etc/cron.d/x'],
  ['Pod', '--kubeconfig=evil'],
  ['Pod', 'a b'],
  ['Pod', 'A'],
  ['Pod', '..'],
  ['Pod', 'a'.repeat(254)],
  ['ConfigMap', 'a/b'],
  ['ConfigMap', '..'],
  ['ConfigMap', 'a\nb'],
  ['-f', 'evil.yaml'],
])('a hostile API server names a %s "%s": nothing is done with it', async (kind, name) => {
  const rows: Row[] = [{ binary: 'kubectl', args: (a) => a[0] === 'get', answer: JSON.stringify(object(kind, name)) }];
  const kube = contextOf(fakeOutside({ rows })).kube(AT);
  await expect(kube.list('Pod')).rejects.toThrow('a name that no API server accepts');
});

test('names of other kinds are as wide as Kubernetes has them', async () => {
  const rows: Row[] = [
    {
      binary: 'kubectl',
      args: (a) => a[0] === 'get',
      answer: JSON.stringify(object('ClusterRole', 'system:node:x_Y')),
    },
  ];
  expect(await contextOf(fakeOutside({ rows })).kube(AT).list('ClusterRole')).toHaveLength(1);
});

test('resources of an API server become arguments only where they are names', async () => {
  const rows: Row[] = [
    {
      binary: 'kubectl',
      args: (a) => a[0] === 'api-resources',
      answer: '--kubeconfig=evil\nconfigmaps\nsecrets -f x\ndeployments.apps\n',
    },
    { binary: 'kubectl', args: (a) => a[0] === 'get', answer: '' },
  ];
  const outside = fakeOutside({ rows });
  await contextOf(outside).kube(AT).everything('namespace');
  expect(outside.commands[1]?.args.slice(0, 2)).toEqual(['get', 'configmaps,deployments.apps']);
});

test("a revision of Helm's history that is no number becomes no argument", async () => {
  const record = {
    info: { status: 'deployed' },
    version: 1,
    chart: { metadata: { name: 'k', version: '1' } },
    manifest: '',
  };
  const release = secretOf({ name: 'k', ...record }, 'kubently');
  const rows: Row[] = [
    { binary: 'kubectl', args: (a) => a[0] === 'get', answer: JSON.stringify(release) },
    {
      binary: 'helm',
      args: (a) => a[0] === 'history',
      answer: JSON.stringify([{ revision: '--kubeconfig=evil', updated: '', status: 'deployed', description: '' }]),
    },
  ];
  await expect(new Helm(fakeOutside({ rows }).run, AT).history('k')).rejects.toThrow('expected number');
});

test("a record of Helm's that unpacks into gigabytes is refused, at once", () => {
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024)).toString('base64');
  const record = {
    ...object('Secret', 'sh.helm.release.v1.k.v1'),
    data: { release: Buffer.from(bomb).toString('base64') },
  };
  expect(() => decode(record)).toThrow("Helm's record sh.helm.release.v1.k.v1 cannot be read");
});
