/** The yaml tag: values never change the structure, and what is no Kubernetes object is refused by name. */
import { expect, test } from 'vitest';
import { yaml, type YamlValue } from '../../lib/base/yaml-tag.ts';
import { Failure } from '../../lib/base/failure.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';
import { Secret } from '../../lib/base/secret.ts';

/** A ConfigMap whose one field is this. */
const field = (value: YamlValue) => yaml`{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, x: ${value}}`['x'];

test('a heredoc of the plan', () => {
  const [name, host, port] = ['api', 'a.example.com', 8080];
  const object: KubeObject = yaml`
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata:
      name: x-${name}
      annotations:
        "${host}/${name}": "${port}"
        text: |
          first ${host}
            second
    spec:
      tls: ${[{ hosts: [host], secretName: 'tls' }]}
      port: ${port}
      on: ${true}   # bare, so it keeps its type
      image: ${host}:${port}
      list: [${1}, "${2}", '${'three'}']
  `;
  expect(object).toEqual({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name: 'x-api',
      annotations: { 'a.example.com/api': '8080', text: 'first a.example.com\n  second\n' },
    },
    spec: {
      tls: [{ hosts: ['a.example.com'], secretName: 'tls' }],
      port: 8080,
      on: true,
      image: 'a.example.com:8080',
      list: [1, '2', 'three'],
    },
  });
});

const HOSTILE = [
  '', ' ', 'a b', "it's", '"', '\'"', 'a\nkind: Secret', 'a\n---\nb', 'k: v', '- x', '{{ .x }}', '{a: b}', '[a', '$(id)', '${x}', '$&',
  '🦊', '--all', '# x', '&a', '*a', '!!int 1', 'true', 'null', '~', '1e3', '0x10', '\\n', '\t', '@', '%', '|', '>', 'zValue0_', '__proto__',
]; // prettier-ignore

test.each(HOSTILE)('%j stays text in each place', (value) => {
  const object = yaml`
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: a}
    bare: ${value}
    part: x-${value}
    single: '${value}'
    double: "${value}\n"
    block: |-
      ${value}
    list:
      - ${value}
    flow: [${value}, {a: ${value}}]
    keys:
      ${value}: 1
  `;
  expect(object).toEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a' },
    bare: value,
    part: `x-${value}`,
    single: value,
    double: `${value}\n`,
    block: value,
    list: [value],
    flow: [value, { a: value }],
    keys: Object.fromEntries([[value, 1]]),
  });
  expect(Object.keys(object['keys'] as object)).toEqual([value]);
});

test('scalars keep their type, and nodes are copies', () => {
  expect([field(0), field(false), field('0'), field([]), field({})]).toEqual([0, false, '0', [], {}]);
  const given = { list: ['a: b'] };
  const got = field(given);
  given.list.push('later');
  expect(got).toEqual({ list: ['a: b'] });
});

test('text that looks like a placeholder stays text', () => {
  const object = yaml`{apiVersion: v1, kind: A, metadata: {name: zValue0_}, x: ${'y'}}`;
  expect([object.metadata.name, object['x']]).toEqual(['zValue0_', 'y']);
});

test('it may begin in the first line, and JavaScript escapes are undone', () => {
  expect(yaml`apiVersion: v1
    kind: A
    metadata:
      name: '\`\${x}'`).toEqual({ apiVersion: 'v1', kind: 'A', metadata: { name: '`${x}' } });
});

test('a Secret neither compiles nor runs', () => {
  const secret = new Secret('hunter2-hunter2');
  // @ts-expect-error a Secret is no YamlValue
  expect(() => field(secret)).toThrow(/secret must not be in a template/);
  // @ts-expect-error nor inside a node
  expect(() => field({ a: [secret] })).toThrow(/secret must not be in a template/);
});

test.each([undefined, null, NaN, Infinity, new Date(), new Map(), Symbol('x'), 1n, () => 1, { a: null }, [undefined]])(
  '%s is refused',
  (value) => {
    expect(() => field(value as YamlValue)).toThrow(Failure);
  },
);

test.each<[string, () => unknown, RegExp]>([
  ['nothing', () => yaml``, /it is no object/],
  ['a list', () => yaml`- a`, /it is no object/],
  ['all that is missing', () => yaml`a: b`, /apiVersion is missing, kind is missing, metadata.name is missing/],
  ['an empty name', () => yaml`{apiVersion: v1, kind: A, metadata: {name: ${''}}}`, /: metadata.name is missing/],
  ['a name that is a number', () => yaml`{apiVersion: v1, kind: A, metadata: {name: ${5}}}`, /name is not text/],
  [
    'a label that is a number',
    () => yaml`{apiVersion: v1, kind: A, metadata: {name: a, labels: {x: ${5}}}}`,
    /metadata.labels.x is not text/,
  ],
  ['a duplicate key', () => yaml`{apiVersion: v1, kind: A, kind: B, metadata: {name: a}}`, /unique/],
  ['a key that a value makes duplicate', () => yaml`{kind: A, ${'kind'}: B}`, /"kind" is there twice/],
  ['a node in text', () => yaml`{kind: x-${['a']}}`, /value 1 is no scalar/],
  ['a node in quotes', () => yaml`{kind: "${{ a: 'b' }}"}`, /value 1 is no scalar/],
  ['a node as a key', () => yaml`{${['a']}: b}`, /key is not a scalar/],
  ['a value in a comment', () => yaml`kind: A # ${'b'}`, /value 1 stands where it has no effect/],
  ['a value as an anchor', () => yaml`kind: &${'a'} A`, /no effect/],
  ['an alias', () => yaml`{a: &x [1], b: *x}`, /alias/],
  ['a value as a tag', () => yaml`kind: !${'a'} A`, /tag/],
  ['a value in an escape', () => yaml`kind: "\x${41}"`, /escape/],
  [
    'two documents',
    () => yaml`
    kind: A
    ---
    kind: B
  `,
    /multiple documents/,
  ],
  ['broken YAML', () => yaml`kind: [${'b'}`, /flow/i],
])('%s is refused', (_, run, words) => {
  expect(run).toThrow(Failure);
  expect(run).toThrow(words);
});
