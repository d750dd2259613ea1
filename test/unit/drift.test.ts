import { expect, test } from 'vitest';
import { drift, fullKind, isNone } from '../../lib/clients/drift.ts';
import { differenceLines } from '../../lib/clients/field-differences.ts';
import { secretObject } from '../../lib/clients/kubectl.ts';
import { Secret } from '../../lib/base/secret.ts';
import { checkOf } from '../../lib/step.ts';
import { FakeCluster } from './fake-cluster.ts';
import { contextOf, fakeOutside } from './outside.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';

const map = (data: object, more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'm', namespace: 'kubently', ...more },
  data,
});

async function found(live: KubeObject[], wanted: KubeObject[]) {
  const outside = fakeOutside({ worlds: [new FakeCluster('gke-context', live)] });
  const ctx = contextOf(outside);
  const result = await drift(ctx.kube(ctx.settings.gke), wanted);
  expect(outside.changes).toEqual([]);
  return { ...result, outside };
}

test('what is missing is absent, and no dry run is asked for it', async () => {
  const { absent, changed, outside } = await found([], [map({ a: '1' })]);
  expect({ absent, changed }).toEqual({ absent: ['ConfigMap/m'], changed: [] });
  expect(outside.commands).toHaveLength(1);
});

test('what is being deleted is as good as absent, however alike', async () => {
  const { absent, changed } = await found(
    [map({ a: '1' }, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
    [map({ a: '1' })],
  );
  expect({ absent, changed }).toEqual({ absent: ['ConfigMap/m'], changed: [] });
});

test('each field that differs, with both values', async () => {
  const { changed } = await found([map({ a: '1', b: '2' })], [map({ a: '9', b: '2', c: '3' })]);
  expect(differenceLines(changed)).toEqual(['ConfigMap/m data.a: 1 → 9', 'ConfigMap/m data.c: nothing → 3']);
});

test('what others added, and what the server writes, is no difference', async () => {
  const live = map({ a: '1', theirs: 'x' }, { uid: 'u', generation: 4, resourceVersion: '9', managedFields: [{}] });
  const { absent, changed } = await found([{ ...live, status: { x: 1 } }], [map({ a: '1' }, { generation: 5 })]);
  expect(isNone({ absent, changed })).toBe(true);
});

test('a label of the runbook’s own is compared', async () => {
  const { changed } = await found([map({})], [map({}, { labels: { x: 'y' } })]);
  expect(changed).toMatchObject([{ path: 'metadata.labels' }]);
});

test('lists are compared whole', async () => {
  const { changed } = await found([map({ l: [1, 2] })], [map({ l: [1] })]);
  expect(changed).toEqual([{ object: 'ConfigMap/m', path: 'data.l', wanted: [1], found: [1, 2] }]);
});

test('a Secret’s values are never part of the answer', async () => {
  const old = secretObject('s', 'kubently', { token: new Secret('drift-old-0001') });
  const wanted = secretObject('s', 'kubently', { token: new Secret('drift-new-0001') });
  const { changed, outside } = await found([old], [wanted]);
  expect(changed).toEqual([{ object: 'Secret/s', path: 'data.token', wanted: '(hidden)', found: '(hidden)' }]);
  expect(outside.commands.map((c) => c.sensitive)).toEqual(['stdout', 'both']);
});

test('several objects keep their own differences', async () => {
  const two = { ...map({ a: '1' }), metadata: { name: 'n', namespace: 'kubently' } };
  const gone = { ...map({}), metadata: { name: 'gone', namespace: 'kubently' } };
  const { absent, changed } = await found(
    [two, map({ a: '1' })],
    [gone, map({ a: '1' }), { ...two, data: { a: '2' } }],
  );
  expect(absent).toEqual(['ConfigMap/gone']);
  expect(differenceLines(changed)).toEqual(['ConfigMap/n data.a: 1 → 2']);
});

test('as a check: none, missing, different', () => {
  const difference = { object: 'A/b', path: 'spec.x', wanted: 1, found: 2 };
  expect(checkOf({ absent: [], changed: [] }, 'fine')).toEqual({ state: 'done', reason: 'fine' });
  expect(checkOf({ absent: ['A/b'], changed: [] }, '')).toEqual({ state: 'absent', reason: 'missing: A/b' });
  expect(checkOf({ absent: ['A/c'], changed: [difference, difference] }, '')).toMatchObject({
    state: 'differs',
    reason: 'A/b spec.x: 2 → 1 (and 2 more)',
  });
});

test.each([
  ['v1', 'Secret', 'Secret'],
  ['apps/v1', 'Deployment', 'Deployment.apps'],
  ['cert-manager.io/v1', 'Certificate', 'Certificate.cert-manager.io'],
])('%s %s is asked for as %s', (apiVersion, kind, expected) => {
  expect(fullKind({ apiVersion, kind })).toBe(expected);
});
