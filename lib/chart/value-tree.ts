/** Helm values as a tree: leaves by path, read, set and removed without changing the original. */

export type Values = Record<string, unknown>;
export type Path = readonly (string | number)[];

export interface Leaf {
  path: Path;
  value: unknown;
}

const isMap = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Scalars, nulls and empty collections, with their paths. */
export function leaves(value: unknown, path: Path = []): Leaf[] {
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? value.map((v, i) => [i, v])
    : isMap(value)
      ? Object.entries(value)
      : [];
  return entries.length === 0 ? [{ path, value }] : entries.flatMap(([key, v]) => leaves(v, [...path, key]));
}

/** `ingress.hosts[0].host`, `ingress.annotations["cert-manager.io/issuer"]`. */
export function written(path: Path): string {
  return path
    .map((key, i) => {
      if (typeof key === 'number') return `[${key}]`;
      return /^[\w-]+$/.test(key) ? `${i === 0 ? '' : '.'}${key}` : `["${key}"]`;
    })
    .join('');
}

/** The value at a path, or undefined. */
export function at(tree: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (node, key) =>
      typeof node === 'object' && node !== null ? (node as Record<string | number, unknown>)[key] : undefined,
    tree,
  );
}

/** The tree with one leaf set; undefined removes it, and with it maps that become empty. */
export function withLeaf(tree: Values, path: Path, value: unknown): Values {
  return (changed(tree, path, value) ?? {}) as Values;
}

function changed(node: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value;
  if (Array.isArray(node)) return node.map((item: unknown, i) => (i === key ? changed(item, rest, value) : item));
  const map: Values = isMap(node) ? { ...node } : {};
  const next = changed(map[key], rest, value);
  if (next !== undefined) map[key] = next;
  else Reflect.deleteProperty(map, key);
  return Object.keys(map).length === 0 ? undefined : map;
}

/** Maps merged deeply, later ones first; lists and scalars are replaced, as helm does. */
export function merged(...trees: readonly Values[]): Values {
  return trees.reduce<Values>((into, tree) => {
    const result = { ...into };
    for (const [key, value] of Object.entries(tree)) {
      const old = result[key];
      result[key] = isMap(old) && isMap(value) ? merged(old, value) : value;
    }
    return result;
  }, {});
}
