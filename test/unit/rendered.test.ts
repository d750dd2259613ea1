/** A render is read as Helm and the API server will read it. */
import { expect, test } from 'vitest';
import { readRendered } from '../../lib/base/rendered.ts';
import { objectsOf } from '../../lib/clients/helm.ts';

const map = (name: string, data = '{}'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\ndata: ${data}\n`;
const names = (text: string): string[] => readRendered(text).objects.map((o) => `${o.kind}/${o.metadata.name}`);
const told = (text: string): string[] => readRendered(text).unreadable.map((u) => `${u.id} ${u.source}: ${u.message}`);

test('a List is its items, also one in another; items of a typed list take its kind', () => {
  const item = '{ apiVersion: v1, kind: Secret, metadata: { name: in } }';
  const inner = `{ apiVersion: v1, kind: List, items: [${item}] }`;
  expect(names(`apiVersion: v1\nkind: List\nitems: [${item}, ${inner}]\n`)).toEqual(['Secret/in', 'Secret/in']);
  const typed = 'apiVersion: v1\nkind: ConfigMapList\nitems: [{ metadata: { name: a } }]\n';
  expect(readRendered(typed).objects).toEqual([{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }]);
  expect(names('apiVersion: v1\nkind: List\nitems: []\n')).toEqual([]);
});

test('what is only a comment or nothing is no document', () => {
  expect(readRendered(`---\n# Source: k/templates/a.yaml\n---\n${map('a')}---\n`).unreadable).toEqual([]);
});

test.each([
  ['no kind', 'apiVersion: v1\nmetadata: { name: a }\n', 'an object a lacks kind as a text'],
  ['no apiVersion', 'kind: Service\nmetadata: { name: a }\n', 'Service a lacks apiVersion as a text'],
  [
    'no name',
    'apiVersion: v1\nkind: Service\nmetadata: { generateName: a- }\n',
    'Service lacks metadata.name as a text',
  ],
  [
    'a number for a name',
    'apiVersion: v1\nkind: Service\nmetadata: { name: 12 }\n',
    'Service lacks metadata.name as a text',
  ],
  ['a list', '- a\n', 'is a list, and no Kubernetes object'],
  ['text', 'templates\n', 'is plain text, and no Kubernetes object'],
  ['an item that is none', 'apiVersion: v1\nkind: List\nitems: [null]\n', 'is empty, and no Kubernetes object'],
])('%s: told with its template, and what follows is read', (_, document, message) => {
  const text = `---\n# Source: k/templates/odd.yaml\n${document}---\n# Source: k/templates/b.yaml\n${map('b')}`;
  expect(told(text)).toEqual([`no-object k/templates/odd.yaml: ${message}`]);
  expect(names(text)).toEqual(['ConfigMap/b']);
  expect(() => objectsOf(text)).toThrow(`k/templates/odd.yaml: ${message}`);
});

test('broken YAML, an alias without an anchor and a duplicate key are told', () => {
  expect(told('kind: [\n')[0]).toMatch(/^broken-yaml document 1: /);
  expect(told(map('a', '*none'))).toEqual([expect.stringMatching(/^broken-yaml document 1: Unresolved alias/)]);
  const twice = map('a').replace('kind: ConfigMap', 'kind: ConfigMap\nkind: ConfigMap');
  expect(readRendered(twice)).toMatchObject({
    objects: [{ kind: 'ConfigMap' }],
    unreadable: [{ id: 'duplicate-key', object: 'ConfigMap/a' }],
  });
});

test('booleans, merge keys and octals of YAML 1.1; dates and 1:20 stay text, as in Go', () => {
  const data = '{ a: yes, b: "yes", c: off, d: 0644, e: 2026-11-27, f: 1:20, on: x }';
  expect(readRendered(map('a', data)).objects[0]?.['data']).toEqual({
    a: true,
    b: 'yes',
    c: false,
    d: 0o644,
    e: '2026-11-27',
    f: '1:20',
    true: 'x',
  });
  const merged = `x: &x { a: '1', b: '2' }\n${map('a', '{ <<: *x, b: own }')}`;
  expect(readRendered(merged).objects[0]?.['data']).toEqual({ a: '1', b: 'own' });
});
