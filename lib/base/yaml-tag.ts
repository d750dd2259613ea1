/**
 * The yaml tag: what the plan writes as a heredoc, checked. The text is parsed with a placeholder for each `${value}`,
 * and the values are put into the parsed tree, so that no value can change the structure.
 */
import { isAlias, isMap, isScalar, isSeq, parseDocument, Scalar, type Pair } from 'yaml';
import { Failure } from './failure.ts';
import type { KubeObject } from './kubernetes.ts';
import { Secret } from './secret.ts';

/** What may stand in the YAML. A Secret is none of these. */
export type YamlValue = string | number | boolean | readonly YamlValue[] | { readonly [key: string]: YamlValue };

/**
 * One Kubernetes object in YAML. A bare `${value}` keeps its type (an array or a plain object becomes a node); inside
 * quotes or beside other text it is text. Backslashes are YAML's, and common indentation is removed.
 * @returns the object; nothing in it is shared with the values
 * @throws Failure for YAML that does not parse, duplicate keys, aliases, a field that is missing or has the wrong type
 * (apiVersion, kind, metadata.name, namespace, labels, annotations), a value that is a Secret, null, undefined, not
 * finite or no plain object, and a value that would be lost (in a comment)
 */
export function yaml(strings: TemplateStringsArray, ...values: YamlValue[]): KubeObject {
  const tree = new Filling(strings.raw, values).tree();
  if (!isKubernetesObject(tree)) throw refused(faults(tree).join(', '));
  return tree;
}

/** Text with placeholders, and what they stand for. */
class Filling {
  readonly #values: readonly unknown[];
  readonly #used = new Set<number>();
  readonly #text: string;
  readonly #any: RegExp;
  readonly #only: RegExp;

  constructor(raw: readonly string[], values: readonly unknown[]) {
    this.#values = values.map((value) => plain(value));
    // Only JavaScript needs a backslash before these.
    const parts = raw.map((part) => part.replace(/\\(`|\$\{)/g, '$1'));
    // Begins with no hexadecimal digit: it cannot complete an escape such as "\x".
    let token = 'zValue';
    while (parts.some((part) => part.includes(token))) token += 'z';
    this.#text = dedented(parts.reduce((text, part, i) => `${text}${token}${i - 1}_${part}`));
    this.#any = new RegExp(`${token}(\\d+)_`, 'g');
    this.#only = new RegExp(`^${token}(\\d+)_$`);
  }

  tree(): unknown {
    const document = parseDocument(this.#text, { version: '1.2', schema: 'core', uniqueKeys: true, strict: true });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw refused(problem.message.replace(this.#any, (_, i: string) => `\${value ${Number(i) + 1}}`));
    const tree = this.#node(document.contents);
    const lost = this.#values.findIndex((_, i) => !this.#used.has(i));
    if (lost >= 0) throw refused(`value ${lost + 1} stands where it has no effect`);
    return tree;
  }

  #node(node: unknown): unknown {
    if (node === null) return null;
    if (isAlias(node)) throw refused(`the alias *${node.source} is not supported`);
    if (isSeq(node)) return node.items.map((item) => this.#node(item));
    if (isMap(node)) return this.#map(node.items);
    return isScalar(node) ? this.#scalar(node) : undefined;
  }

  #map(pairs: readonly Pair[]): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    for (const { key, value } of pairs) {
      const name = isScalar(key) ? this.#scalar(key) : undefined;
      if (typeof name !== 'string' && typeof name !== 'number' && typeof name !== 'boolean')
        throw refused('a key is not a scalar');
      if (entries.has(String(name))) throw refused(`the key ${JSON.stringify(name)} is there twice`);
      entries.set(String(name), this.#node(value));
    }
    // Makes own properties, of __proto__ too.
    return Object.fromEntries(entries);
  }

  #scalar({ value, type, tag }: Scalar): unknown {
    if (typeof value !== 'string') return value;
    const [, only] = this.#only.exec(value) ?? [];
    if (only !== undefined && type === Scalar.PLAIN && !tag) return this.#value(only);
    return value.replace(this.#any, (_, i: string) => {
      const part = this.#value(i);
      if (typeof part === 'string') return part;
      if (typeof part === 'number' || typeof part === 'boolean') return String(part);
      throw refused(`value ${Number(i) + 1} is no scalar and must stand alone, unquoted`);
    });
  }

  #value(index: string): unknown {
    this.#used.add(Number(index));
    return this.#values[Number(index)];
  }
}

function dedented(text: string): string {
  const [first = '', ...lines] = text.split('\n');
  const indents = lines.filter((line) => line.trim()).map((line) => line.search(/[^ ]/));
  const common = Math.min(...indents, Infinity);
  return [first.trimStart(), ...lines.map((line) => line.slice(common))].join('\n');
}

/** A copy of a value that is scalars, arrays and plain objects throughout. */
function plain(value: unknown): unknown {
  if (value instanceof Secret)
    throw refused('a secret must not be in a template', 'put it into the object that goes to stdin');
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return value.map((one) => plain(one));
  if (isPlainObject(value)) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
  throw refused(
    `a value is ${typeof value === 'object' && value ? 'no plain object' : typeof value === 'number' ? 'not finite' : String(value)}`,
  );
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** What is missing or has the wrong type, by name. */
function faults(tree: unknown): string[] {
  if (!isPlainObject(tree)) return ['it is no object'];
  const found: string[] = [];
  const text = (name: string, value: unknown): void => {
    if (value === undefined || value === null || value === '') found.push(`${name} is missing`);
    else if (typeof value !== 'string') found.push(`${name} is not text`);
  };
  text('apiVersion', tree['apiVersion']);
  text('kind', tree['kind']);
  const metadata = isPlainObject(tree['metadata']) ? tree['metadata'] : {};
  text('metadata.name', metadata['name']);
  if ('namespace' in metadata) text('metadata.namespace', metadata['namespace']);
  for (const field of ['labels', 'annotations'].filter((f) => f in metadata)) {
    const entries = metadata[field];
    if (!isPlainObject(entries)) found.push(`metadata.${field} is no object`);
    else
      for (const [key, value] of Object.entries(entries))
        if (typeof value !== 'string') found.push(`metadata.${field}.${key} is not text`);
  }
  return found;
}

function isKubernetesObject(tree: unknown): tree is KubeObject {
  return faults(tree).length === 0;
}

function refused(what: string, next = 'this is a fault of the runbook: correct the YAML in its script'): Failure {
  const [line = '', ...detail] = what.split('\n');
  return new Failure({ what: `not a Kubernetes object: ${line}`, detail: detail.join('\n') || undefined, next });
}
