/** Where two values differ, field by field; what may be a secret is never part of the answer. */
import { isDeepStrictEqual } from 'node:util';

export interface Difference {
  /** Kind/name, or `values`. */
  object: string;
  /** For example spec.template.spec.containers[api].image. */
  path: string;
  wanted: unknown;
  found: unknown;
}

const HIDDEN = '(hidden)';
const SHOWN = 80;
const CONTEXT = 20;

/** Fields that the server writes. */
const SERVERS_OWN = new Set(['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp', 'selfLink']);

/** A field or an environment variable that may hold a secret, and the names of Secrets, which are none. */
const SECRET_FIELD = /passw|token|secret|api_?keys?|private_?key|credential/i;
const ONLY_A_NAME = /^(existingSecret(Key)?|.*name)$/i;

/**
 * The fields in which `found` is not as wanted.
 * @param hidden true for a Secret: that a field differs is said, its values are not
 */
export function fieldDifferences(object: string, wanted: unknown, found: unknown, hidden = false): Difference[] {
  const leaves: Difference[] = [];
  const walk = (w: unknown, f: unknown, path: string[]): void => {
    if (isDeepStrictEqual(w, f)) return;
    if (isMap(w) && isMap(f)) {
      for (const key of new Set([...Object.keys(w), ...Object.keys(f)])) {
        if (path[0] === 'metadata' && SERVERS_OWN.has(key)) continue;
        if (path.length === 0 && key === 'status') continue;
        walk(w[key], f[key], [...path, key]);
      }
      return;
    }
    const [wantedByName, foundByName] = [byName(w), byName(f)];
    if (wantedByName && foundByName) {
      for (const name of new Set([...wantedByName.keys(), ...foundByName.keys()]))
        walk(wantedByName.get(name), foundByName.get(name), [...path, `[${name}]`]);
      return;
    }
    const secret = hidden || maySayASecret(path);
    leaves.push({
      object,
      path: path.join('.').replaceAll('.[', '['),
      wanted: secret ? HIDDEN : w,
      found: secret ? HIDDEN : f,
    });
  };
  walk(wanted, found, []);
  return leaves;
}

/** "Deployment/traefik spec.replicas: 1 → 2", a line each. */
export function differenceLines(changed: readonly Difference[]): string[] {
  return changed.map(({ object, path, wanted, found }) => {
    const change = wanted === HIDDEN && found === HIDDEN ? '(secret, differs)' : shortBoth(found, wanted).join(' → ');
    return `${object} ${path}: ${change}`;
  });
}

/** A list's items by their names, as the API server merges them; undefined where they have none. */
function byName(value: unknown): Map<string, unknown> | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const named = new Map(
    value.flatMap((item): [string, unknown][] =>
      isMap(item) && typeof item['name'] === 'string' ? [[item['name'], item]] : [],
    ),
  );
  return named.size === value.length ? named : undefined;
}

function maySayASecret(path: readonly string[]): boolean {
  const last = path.at(-1) ?? '';
  return !ONLY_A_NAME.test(last) && path.some((part) => SECRET_FIELD.test(part) && !ONLY_A_NAME.test(part));
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Both values in a line; what long texts begin with in common is left out. */
function shortBoth(found: unknown, wanted: unknown): [string, string] {
  const [f, w] = [inOneLine(found), inOneLine(wanted)];
  let same = 0;
  while (same < Math.min(f.length, w.length) && f[same] === w[same]) same++;
  const start = Math.max(f.length, w.length) > SHOWN ? Math.max(0, same - CONTEXT) : 0;
  const cut = (text: string): string => {
    const rest = `${start > 0 ? '…' : ''}${text.slice(start)}`;
    return rest.length > SHOWN ? `${rest.slice(0, SHOWN - 1)}…` : rest;
  };
  return [cut(f), cut(w)];
}

function inOneLine(value: unknown): string {
  const text = value === undefined ? 'nothing' : typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll('\n', '\\n');
}
