/** Rendered text, read as Helm and the API server read it: YAML 1.1 with merge keys, lists taken apart, nothing passed over. */
import { parseAllDocuments, type Document, type Tags, type YAMLError } from 'yaml';
import type { KubeObject } from './kubernetes.ts';

/** A document, or a part of one, that is no object as it stands. */
export interface Unreadable {
  id: 'broken-yaml' | 'duplicate-key' | 'no-object';
  /** Kind/name, where the document gives an object all the same. */
  object?: string;
  /** The template it comes from, or `document N` where the text does not say. */
  source: string;
  message: string;
}

/**
 * The objects of rendered YAML, those of a `kind: List` one by one, and what cannot be read. What has a duplicate key is
 * in both: it is read leniently, as Helm does.
 */
export function readRendered(text: string): { objects: KubeObject[]; unreadable: Unreadable[] } {
  const objects: KubeObject[] = [];
  const unreadable: Unreadable[] = [];
  parseAllDocuments(text, HELMS_YAML).forEach((document, i) => {
    const source = sourceOf(text, document, i);
    const { value, error } = valueOf(document);
    const found = error === undefined ? flattened(value) : [];
    const read = found.filter(isObject);
    objects.push(...read);
    const first = read[0];
    const object = first ? { object: `${first.kind}/${first.metadata.name}` } : {};
    unreadable.push(
      ...document.errors.map((e) => ({ ...yamlFault(text, e), ...object, source })),
      ...(error === undefined ? [] : [{ id: 'broken-yaml' as const, source, message: error }]),
      // A syntax error is told already; what was read around it need not be whole.
      ...(document.errors.some((e) => e.code !== 'DUPLICATE_KEY') ? [] : found)
        .filter((item) => !isObject(item))
        .map((item) => ({ id: 'no-object' as const, source, message: notAnObject(item) })),
    );
  });
  return { objects, unreadable };
}

/** Id and message of what a strict reading of YAML does not take. */
export function yamlFault(text: string, error: YAMLError): Pick<Unreadable, 'id' | 'message'> {
  const line = text.slice(0, error.pos[0]).split('\n').length;
  if (error.code !== 'DUPLICATE_KEY') return { id: 'broken-yaml', message: error.message.replace(/\n[^]*/, '') };
  const key = /^[^:\n]*/.exec(text.slice(error.pos[0]))?.[0] ?? '';
  return { id: 'duplicate-key', message: `the key ${key} stands twice (line ${line})` };
}

/** go-yaml's reading: `yes` and `on` are booleans and `<<` merges, but a date stays text and 1:20 is no number. */
const HELMS_YAML = {
  version: '1.1',
  uniqueKeys: true,
  customTags: (tags: Tags): Tags =>
    tags.filter((t) => typeof t === 'string' || (t.format !== 'TIME' && t.tag !== 'tag:yaml.org,2002:timestamp')),
} as const;

/** By which helm template tells the file. */
const SOURCE = '# Source: ';

function sourceOf(text: string, document: Document.Parsed, index: number): string {
  const before = text.slice(0, document.range[1]).split('\n');
  const mark = before.findLast((line) => line.startsWith(SOURCE));
  return mark === undefined ? `document ${index + 1}` : mark.slice(SOURCE.length).trim();
}

/** An alias without an anchor shows only here. */
function valueOf(document: Document.Parsed): { value: unknown; error?: string } {
  try {
    return { value: document.toJS() };
  } catch (error) {
    return { value: undefined, error: error instanceof Error ? error.message : String(error) };
  }
}

/** What has items is a list to the API server, whatever its kind; items without a kind take it from the list. */
function flattened(value: unknown): unknown[] {
  if (value === null || value === undefined) return [];
  if (!isMap(value) || !Array.isArray(value['items'])) return [value];
  const { apiVersion, kind } = value;
  const common = typeof kind === 'string' && kind !== 'List' ? { apiVersion, kind: kind.replace(/List$/, '') } : {};
  return value['items'].flatMap((item: unknown) => (isMap(item) ? flattened({ ...common, ...item }) : [item]));
}

function notAnObject(value: unknown): string {
  if (value === null) return 'is empty, and no Kubernetes object';
  if (!isMap(value)) return `is ${Array.isArray(value) ? 'a list' : 'plain text'}, and no Kubernetes object`;
  const { kind, metadata } = value;
  const lacking = (['apiVersion', 'kind'] as const).filter((key) => typeof value[key] !== 'string');
  const name = isMap(metadata) && typeof metadata['name'] === 'string' ? metadata['name'] : undefined;
  const what = [typeof kind === 'string' ? kind : 'an object', ...(name === undefined ? [] : [name])].join(' ');
  return `${what} lacks ${[...lacking, ...(name === undefined ? ['metadata.name'] : [])].join(' and ')} as a text`;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isObject(value: unknown): value is KubeObject {
  if (!isMap(value) || typeof value['apiVersion'] !== 'string' || typeof value['kind'] !== 'string') return false;
  return isMap(value['metadata']) && typeof value['metadata']['name'] === 'string';
}
