import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { CommandFailed, type Command } from '../../lib/base/command.ts';
import { Helm } from '../../lib/clients/helm.ts';
import { FakeCluster } from './fake-cluster.ts';
import { contextOf, fakeOutside } from './outside.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';

const TARGET = { context: 'gke-context', namespace: 'kubently' };
const IN_PROGRESS = 'Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress';

function record(version: number, status: string, lastDeployed: string): KubeObject {
  const text = JSON.stringify({
    version,
    info: { status, last_deployed: lastDeployed },
    config: { kept: 'as it was' },
  });
  const name = `sh.helm.release.v1.r.v${version}`;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace: TARGET.namespace,
      resourceVersion: '5',
      labels: { owner: 'helm', name: 'r', status, version: String(version) },
    },
    data: { release: Buffer.from(gzipSync(text).toString('base64')).toString('base64') },
  };
}

function opened(secret: KubeObject | undefined): unknown {
  const text = (secret?.['data'] as { release: string }).release;
  return JSON.parse(gunzipSync(Buffer.from(Buffer.from(text, 'base64').toString(), 'base64')).toString());
}

function world(records: KubeObject[]) {
  const cluster = new FakeCluster('gke-context', records);
  const pending = (): boolean => cluster.objects.some((o) => o.metadata.labels?.['status']?.startsWith('pending-'));
  cluster.helmUpgrade = (command: Command) => {
    if (pending()) throw new CommandFailed(command, 1, { stdout: '', stderr: IN_PROGRESS }, false);
  };
  const outside = fakeOutside({ worlds: [cluster] });
  const remarks: string[] = [];
  const ctx = { ...contextOf(outside), remark: (text: string) => void remarks.push(text) };
  return { cluster, outside, ctx, remarks, helm: new Helm(outside.run, TARGET) };
}

test('nothing is pending: one upgrade, nothing read', async () => {
  const { helm, ctx, outside, remarks } = world([record(1, 'deployed', '2025-12-31T00:00:00Z')]);
  await helm.upgrade({ values: {} }, ctx)`upgrade --install r ./chart --create-namespace --force-conflicts`;
  expect(outside.commands).toHaveLength(1);
  expect(remarks).toEqual([]);
});

test('left pending: only its state is changed, then the upgrade is tried again, and it is told', async () => {
  const { helm, ctx, cluster, outside, remarks } = world([
    record(10, 'pending-upgrade', '2025-12-31T00:00:00Z'),
    record(9, 'deployed', '2025-12-30T00:00:00Z'),
  ]);
  await helm.upgrade({ values: {} }, ctx)`upgrade --install r ./chart --create-namespace --force-conflicts`;
  expect(outside.changes.map((c) => c.split(' ').slice(0, 2).join(' '))).toEqual([
    'helm upgrade',
    'kubectl replace',
    'helm upgrade',
  ]);
  expect(opened(cluster.get('Secret', 'sh.helm.release.v1.r.v10'))).toMatchObject({
    version: 10,
    info: { status: 'failed', description: expect.stringContaining('was pending-upgrade') as string },
    config: { kept: 'as it was' },
  });
  expect(opened(cluster.get('Secret', 'sh.helm.release.v1.r.v9'))).toMatchObject({ info: { status: 'deployed' } });
  expect(remarks).toEqual(['release r: revision 10 was left pending-upgrade by a killed helm; marked failed']);
});

test('half uninstalled by a helm that was killed: Helm would never go on; it is marked as failed, and installed over', async () => {
  const { helm, ctx, cluster, outside, remarks } = world([record(3, 'uninstalling', '2025-12-31T00:00:00Z')]);
  cluster.helmUpgrade = (command: Command) => {
    const dying = cluster.objects.some((o) => o.metadata.labels?.['status'] === 'uninstalling');
    const stderr = 'Error: UPGRADE FAILED: "r" has no deployed releases';
    if (dying) throw new CommandFailed(command, 1, { stdout: '', stderr }, false);
  };
  await helm.upgrade({ values: {} }, ctx)`upgrade --install r ./chart --create-namespace --force-conflicts`;
  expect(outside.changes).toHaveLength(3);
  expect(remarks).toEqual(['release r: revision 3 was left uninstalling by a killed helm; marked failed']);
});

test('a young record may be a living helm’s: it gets its time to end', async () => {
  const { helm, ctx, cluster, outside, remarks } = world([record(1, 'pending-install', '2025-12-31T23:59:55Z')]);
  outside.clock.sleep = (ms) => {
    outside.sleeps.push(ms);
    outside.clock.advance(ms);
    if (outside.sleeps.length === 3) cluster.objects = [record(1, 'deployed', '2025-12-31T23:59:55Z')];
    return Promise.resolve();
  };
  await helm.upgrade({ values: {} }, ctx)`upgrade --install r ./chart --create-namespace --force-conflicts`;
  expect(outside.sleeps).toHaveLength(3);
  expect(remarks).toEqual([]);
});

test('a record that changes while it is marked is left alone', async () => {
  const { ctx, cluster, outside } = world([record(1, 'pending-install', '2025-12-31T00:00:00Z')]);
  const run = outside.run;
  outside.run = (command) => {
    const [secret] = cluster.objects;
    if (command.args[0] === 'replace' && secret)
      cluster.objects = [{ ...secret, metadata: { ...secret.metadata, resourceVersion: '6' } }];
    return run(command);
  };
  await expect(
    new Helm(outside.run, TARGET).upgrade(
      { values: {} },
      ctx,
    )`upgrade --install r ./chart --create-namespace --force-conflicts`,
  ).rejects.toThrow('kubectl replace failed');
  expect(opened(cluster.objects[0])).toMatchObject({ info: { status: 'pending-install' } });
});

test('another failure of helm is told as it is', async () => {
  const { helm, ctx, cluster, outside } = world([]);
  cluster.helmUpgrade = (command: Command) => {
    throw new CommandFailed(command, 1, { stdout: '', stderr: 'Error: values do not fit' }, false);
  };
  await expect(
    helm.upgrade({ values: {} }, ctx)`upgrade --install r ./chart --create-namespace --force-conflicts`,
  ).rejects.toThrow('helm upgrade failed');
  expect(outside.commands).toHaveLength(1);
});
