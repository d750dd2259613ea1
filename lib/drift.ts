/** What applying objects would change, field by field, by a server-side dry run: the server's own answer, with its defaults. */
import { isDeepStrictEqual } from 'node:util';
import { CommandFailed } from './command.ts';
import type { Kubectl, KubeObject } from './kubectl.ts';

export interface Difference {
  /** Kind/name. */
  object: string;
  /** For example spec.replicas. */
  path: string;
  wanted: unknown;
  found: unknown;
}

export interface Drift {
  /** Kind/name of what is not there. */
  absent: string[];
  changed: Difference[];
}

/** Fields that the server writes. */
const SERVERS_OWN = new Set(['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp', 'selfLink']);

/** What applying the objects would create or change. Values of Secrets are never part of the answer. */
export async function drift(kube: Kubectl, objects: readonly KubeObject[]): Promise<Drift> {
  const live = await Promise.all(objects.map((o) => kube.get(fullKind(o), o.metadata.name)));
  const absent = objects.filter((_, i) => live[i] === undefined);
  const present = objects.filter((_, i) => live[i] !== undefined);
  const merged = present.length === 0 ? [] : await kube.applyDryRun(present);
  const changed = present.flatMap((wanted, i) => {
    const found = live[objects.indexOf(wanted)];
    return compare(name(wanted), merged[i], found, wanted.kind === 'Secret');
  });
  return { absent: absent.map(name), changed };
}

/** True when applying the objects would change nothing. */
export function isNone({ absent, changed }: Drift): boolean {
  return absent.length === 0 && changed.length === 0;
}

/** "Deployment/traefik spec.replicas: 1, wanted 2", a line each. */
export function differenceLines(changed: readonly Difference[]): string[] {
  return changed.map((d) => `${d.object} ${d.path}: ${short(d.found)}, wanted ${short(d.wanted)}`);
}

function compare(object: string, wanted: unknown, found: unknown, hidden: boolean): Difference[] {
  const leaves: Difference[] = [];
  const walk = (w: unknown, f: unknown, path: string[]): void => {
    if (isDeepStrictEqual(w, f)) return;
    if (isMap(w) && isMap(f)) {
      for (const key of new Set([...Object.keys(w), ...Object.keys(f)])) {
        if (path[0] === 'metadata' && SERVERS_OWN.has(key)) continue;
        if (path.length === 0 && key === 'status') continue;
        walk(w[key], f[key], [...path, key]);
      }
    } else
      leaves.push({ object, path: path.join('.'), wanted: hidden ? '(hidden)' : w, found: hidden ? '(hidden)' : f });
  };
  walk(wanted, found, []);
  return leaves;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function short(value: unknown): string {
  const text = value === undefined ? 'nothing' : typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function name(o: KubeObject): string {
  return `${o.kind}/${o.metadata.name}`;
}

/** `Deployment.apps`, `Secret`: the kind as kubectl takes it. */
export function fullKind({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): string {
  const [group] = apiVersion.includes('/') ? apiVersion.split('/') : [''];
  return group ? `${kind}.${group}` : kind;
}

/** True for the errors of a dry run whose namespace or kind an earlier step will make. */
export function isNotThereYet(error: unknown): boolean {
  return (
    error instanceof CommandFailed &&
    /NotFound|not found|no matches for kind|doesn't have a resource type/.test(error.stderr)
  );
}
