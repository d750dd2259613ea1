import { expect, test } from 'vitest';
import { differenceLines, fieldDifferences } from '../../lib/clients/field-differences.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';

const lines = (wanted: unknown, found: unknown, hidden = false): string[] =>
  differenceLines(fieldDifferences('X/x', wanted, found, hidden));

const api = (image: string, env: object[] = []): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'api' },
  spec: { template: { spec: { containers: [{ name: 'api', image, env }] } } },
});

test('a list of named things is compared by name, field by field', () => {
  expect(lines(api('api:2'), api('api:1'))).toEqual(['X/x spec.template.spec.containers[api].image: api:1 → api:2']);
});

test('a named thing that is missing or too much', () => {
  const a = { name: 'a', v: 1 };
  const b = { name: 'b', v: 2 };
  expect(lines({ l: [a] }, { l: [b] })).toEqual([
    'X/x l[a]: nothing → {"name":"a","v":1}',
    'X/x l[b]: {"name":"b","v":2} → nothing',
  ]);
});

test('a list without names is compared whole', () => {
  expect(lines({ l: [1] }, { l: [1, 2] })).toEqual(['X/x l: [1,2] → [1]']);
  expect(lines({ l: [{ name: 'a' }, { name: 'a' }] }, { l: [] })).toHaveLength(1);
});

test.each([
  [
    'redis.auth.password',
    { redis: { auth: { password: 'hunter2-old' } } },
    { redis: { auth: { password: 'hunter2-new' } } },
  ],
  ['api.apiKeys', { api: { apiKeys: ['hunter2-old'] } }, { api: { apiKeys: ['hunter2-new'] } }],
  ['executor.token', { executor: { token: 'hunter2-old' } }, { executor: { token: 'hunter2-new' } }],
])('the value of %s is not told, only that it differs', (path, found, wanted) => {
  expect(lines(wanted, found)).toEqual([`X/x ${path}: (secret, differs)`]);
});

test('an environment variable with the name of a secret is not told either', () => {
  const found = lines(
    api('x', [{ name: 'REDIS_PASSWORD', value: 'hunter2-new' }]),
    api('x', [{ name: 'REDIS_PASSWORD', value: 'hunter2-old' }]),
  );
  expect(found).toEqual(['X/x spec.template.spec.containers[api].env[REDIS_PASSWORD].value: (secret, differs)']);
});

test('the name of a Secret is no secret', () => {
  expect(lines({ api: { existingSecret: 'new' } }, { api: { existingSecret: 'old' } })).toEqual([
    'X/x api.existingSecret: old → new',
  ]);
});

test('a Secret hides everything, also what is new', () => {
  expect(lines({ data: { a: 'x' } }, {}, true)).toEqual(['X/x data: (secret, differs)']);
});

test('a long value is cut, and what differs is still seen; lines become one', () => {
  expect(lines({ a: 'x'.repeat(200) }, {})[0]?.length).toBeLessThan(120);
  const pem = (end: string): string => `-----BEGIN-----\n${'A'.repeat(200)}${end}\n`;
  expect(lines({ a: pem('new') }, { a: pem('old') })).toEqual([
    `X/x a: …${'A'.repeat(20)}old\\n → …${'A'.repeat(20)}new\\n`,
  ]);
});
