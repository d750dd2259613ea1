/** 5.0: the private CA, made once, renewed by cert-manager, and taken away with what it signed with. */
import { beforeEach, expect, test } from 'vitest';
import { step } from '../../../scripts/5.0-private-ca.ts';
import { testCa } from '../../tls/scratch.ts';
import { FakeCluster, ready } from '../fake-cluster.ts';
import { contextOf, fakeOutside } from '../outside.ts';
import { undo } from '../undo.ts';

const NAME = 'kubently-private-ca';
let cluster: FakeCluster;

beforeEach(() => {
  cluster = new FakeCluster('gke-context');
  cluster.controllers = (o) => ready(o);
});

function secret(pem: string): void {
  const data = { 'tls.crt': Buffer.from(pem).toString('base64') };
  cluster.objects.push({ apiVersion: 'v1', kind: 'Secret', metadata: { name: NAME, namespace: 'kubently' }, data });
}

test('absent: issuers and CA, then done; the evidence is the CA itself', async () => {
  const outside = fakeOutside({ worlds: [cluster] });
  const ctx = contextOf(outside);
  expect(await step.check(ctx)).toMatchObject({ state: 'absent' });
  await step.apply(ctx);
  expect(outside.changes).toEqual([
    `apply in kubently: Issuer/kubently-self-signed, Certificate/${NAME}, Issuer/${NAME}`,
  ]);
  // A renewed CA must be trusted by what the former one signed.
  expect(cluster.get('Certificate', NAME)?.['spec']).toMatchObject({
    isCA: true,
    secretName: NAME,
    privateKey: { rotationPolicy: 'Never' },
    issuerRef: { kind: 'Issuer', name: 'kubently-self-signed' },
  });
  expect(cluster.get('Issuer', NAME)?.['spec']).toEqual({ ca: { secretName: NAME } });
  secret((await testCa()).pem);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
  expect(await step.verify(ctx)).toMatch(/^CN=TLS cases CA signs until \d{4}-\d\d-\d\d, and cert-manager renews it$/);
  expect(outside.changes).toHaveLength(1);
});

test('there, but not ready: it differs, and the wait ends with the reason', async () => {
  const ctx = contextOf(fakeOutside({ worlds: [cluster] }));
  cluster.controllers = (o) => ready(o, o.kind === 'Certificate' ? 'False' : 'True');
  await step.apply(ctx);
  const unready = `Certificate ${NAME} is not ready: Pending`;
  expect(await step.check(ctx)).toMatchObject({ state: 'differs', reason: unready });
  await expect(step.verify(ctx)).rejects.toMatchObject({ name: 'TimedOut', parts: { found: unready } });
});

test('a Secret that holds no CA is told', async () => {
  const ctx = contextOf(fakeOutside({ worlds: [cluster] }));
  await step.apply(ctx);
  await expect(step.verify(ctx)).rejects.toThrow(`Secret ${NAME} holds no CA`);
  secret((await (await testCa()).sign(['localhost'])).cert);
  await expect(step.verify(ctx)).rejects.toThrow('holds no CA');
});

test('undone: nothing of it is left; again: content', async () => {
  const outside = fakeOutside({ worlds: [cluster] });
  const ctx = contextOf(outside);
  await step.apply(ctx);
  secret((await testCa()).pem);
  await undo(step, ctx);
  expect(cluster.objects).toEqual([]);
  await undo(step, ctx);
});
