/** kubectl, always with context and namespace; reads of one moment go out as one call per namespace. */
import DataLoader from 'dataloader';
import { CommandFailed, type Command, type Output, type Run } from '../base/command.ts';
import type { KubeObject } from '../base/kubernetes.ts';
import { Failure } from '../base/failure.ts';
import { checkedObjects, isResource } from '../base/outside-names.ts';
import { revealedJson, Secret } from '../base/secret.ts';
import { commandTag } from '../base/tag.ts';
import { targetFlags, type Target } from '../base/target.ts';
import type { KubeRead } from '../base/kubernetes.ts';

/** Who owns the fields that the runbook applies. */
export const FIELD_MANAGER = 'kubently-runbook';

/** How often kinds may change under a reader. */
const MOST_TRIES = 5;

/** How long reads of one moment are gathered before they go out together. */
const GATHER_MS = 3;

interface Wanted {
  kind: string;
  name: string;
}

/** One cluster's namespace through kubectl. Kinds are written `Deployment.apps`, `Certificate.cert-manager.io`, `Secret`. */
export class Kubectl {
  readonly target: Target;
  readonly #run: Run;
  readonly #reads: DataLoader<Wanted, KubeObject | undefined, string>;

  /** @param moment true where all reads are of one moment: an object is read once */
  constructor(run: Run, target: Target, cached = false) {
    this.target = target;
    this.#run = run;
    this.#reads = new DataLoader((wanted) => this.#getAll(wanted), {
      cache: cached,
      cacheKeyFn: ({ kind, name }) => `${kind}/${name}`,
      batchScheduleFn: (send) => setTimeout(send, GATHER_MS),
    });
  }

  /** The object, or undefined where it, its namespace or its kind is not there. @throws CommandFailed when the cluster does not answer */
  get(kind: string, name: string): Promise<KubeObject | undefined> {
    return this.#reads.load({ kind, name });
  }

  async #getAll(wanted: readonly Wanted[]): Promise<(KubeObject | undefined)[]> {
    try {
      const found = await this.#getTogether(wanted);
      return wanted.map((w) => found.find((o) => o.kind === kindOf(w.kind) && o.metadata.name === w.name));
    } catch (error) {
      if (!isUnknownKind(error)) throw error;
      // One unknown kind (its CRD is not installed yet) fails the whole call: ask for each alone.
      if (wanted.length === 1) return [undefined];
      return (await Promise.all(wanted.map((w) => this.#getAll([w])))).flat();
    }
  }

  async #getTogether(wanted: readonly Wanted[]): Promise<KubeObject[]> {
    const names = [...new Set(wanted.map((w) => `${w.kind}/${w.name}`))];
    const output = await this.#read(['get', ...names, '--ignore-not-found', '-o', 'json'], {
      sensitive: wanted.some((w) => w.kind === 'Secret'),
      read: { ...this.target, reads: 'objects', names },
    });
    return itemsOf(output);
  }

  /** All objects of a kind in the namespace, by label selector; none where the kind is not known. */
  async list(kind: string, selector?: string): Promise<KubeObject[]> {
    try {
      const output = await this.#read(['get', kind, ...(selector ? ['--selector', selector] : []), '-o', 'json'], {
        sensitive: kind === 'Secret',
        read: { ...this.target, reads: 'list', kind, selector, everywhere: false },
      });
      return itemsOf(output);
    } catch (error) {
      if (isUnknownKind(error)) return [];
      throw error;
    }
  }

  /** When the object's fields were last changed, in milliseconds since the epoch, as the API server has it; undefined where it is not there. */
  async changedAt(kind: string, name: string): Promise<number | undefined> {
    const times = '-o=jsonpath={.metadata.managedFields[*].time}';
    const { stdout } = await this.#read(['get', kind, name, '--show-managed-fields', '--ignore-not-found', times], {
      read: { ...this.target, reads: 'times', name: `${kind}/${name}` },
    });
    const all = stdout.split(' ').filter(Boolean).map(Date.parse);
    return all.length === 0 ? undefined : Math.max(...all);
  }

  /** Who has written fields of the object, by the names of the field managers; none where it is not there. */
  async managers(kind: string, name: string): Promise<string[]> {
    const path = '-o=jsonpath={.metadata.managedFields[*].manager}';
    const { stdout } = await this.#read(['get', kind, name, '--show-managed-fields', '--ignore-not-found', path]);
    return [...new Set(stdout.split(' ').filter(Boolean))];
  }

  /** All objects of a kind in every namespace; none where the kind is not known. */
  async listAll(kind: string): Promise<KubeObject[]> {
    try {
      const output = await this.#read(['get', kind, '--all-namespaces', '-o', 'json'], {
        sensitive: kind === 'Secret',
        read: { ...this.target, reads: 'list', kind, selector: undefined, everywhere: true },
      });
      return itemsOf(output);
    } catch (error) {
      if (isUnknownKind(error)) return [];
      throw error;
    }
  }

  /** Every object that could be deleted, of whatever kind: of the namespace, or of the cluster outside all namespaces. */
  async everything(scope: 'namespace' | 'cluster'): Promise<KubeObject[]> {
    for (let tries = 1; ; tries++) {
      const namespaced = `--namespaced=${scope === 'namespace'}`;
      const { stdout } = await this.#read(['api-resources', namespaced, '--verbs=list,delete', '-o', 'name']);
      const kinds = stdout.split('\n').filter((k) => isResource(k) && !/^events(\.|$)/.test(k));
      try {
        return itemsOf(await this.#read(['get', kinds.join(','), '-o', 'json'], { sensitive: true }));
      } catch (error) {
        // A kind that goes between the two calls (CRDs in a removal).
        if (tries === MOST_TRIES || !isGoneKind(error)) throw error;
      }
    }
  }

  /** The API server's answer to GET path (a Service's proxy, /readyz). */
  async raw(path: string): Promise<string> {
    return (await this.#read(['get', '--raw', path], { read: { ...this.target, reads: 'path', path } })).stdout;
  }

  /** The last lines of a pod's log, or of a workload's pods; empty where there are none yet. */
  async logs(of: readonly string[], lines = 50): Promise<string> {
    try {
      return (await this.#read(['logs', ...of, '--tail', String(lines), '--prefix'])).stdout;
    } catch (error) {
      return error instanceof CommandFailed ? error.stderr : '';
    }
  }

  /** What `kubectl describe` says about the objects of the kinds with these labels; it shows no Secret's value. */
  async describe(kinds: string, selector: string): Promise<string> {
    return (await this.#read(['describe', kinds, '--selector', selector])).stdout;
  }

  /** Server-side apply by stdin, so that no Secret reaches a command line or an annotation. */
  async apply(objects: readonly KubeObject[], manager: string = FIELD_MANAGER): Promise<void> {
    await this.#apply(objects, manager, []);
  }

  /** What the manager's apply would make of the objects, with the server's defaults; nothing is changed. */
  async applyDryRun(objects: readonly KubeObject[], manager: string): Promise<KubeObject[]> {
    const read = { ...this.target, reads: 'dry run', manager } as const;
    return itemsOf(await this.#apply(objects, manager, ['--dry-run=server', '-o', 'json'], { read }));
  }

  /** A server-side dry-run create: proves that the API's webhooks take the object. */
  async createDryRun(object: KubeObject): Promise<void> {
    const read = { ...this.target, reads: 'dry run', manager: undefined } as const;
    await this.#read(['create', '--dry-run=server', '-f', '-'], { input: JSON.stringify(object), read });
  }

  #apply(objects: readonly KubeObject[], manager: string, extra: readonly string[], more: Pick<Command, 'read'> = {}) {
    const sensitive = objects.some((o) => o.kind === 'Secret');
    const text = revealedJson({ apiVersion: 'v1', kind: 'List', items: objects });
    const args = ['apply', '--server-side', '--force-conflicts', '--field-manager', manager, ...extra, '-f', '-'];
    return this.#run({
      binary: 'kubectl',
      args: [...args, ...targetFlags(this.target)],
      mutates: !extra.includes('--dry-run=server'),
      input: sensitive ? new Secret(text) : text,
      ...more,
      ...(sensitive ? { sensitive: 'both' } : {}),
    });
  }

  /** Replaces the object as it was read: refused where it has changed since. */
  async replace(object: KubeObject): Promise<void> {
    const text = revealedJson(object);
    const sensitive = object.kind === 'Secret';
    await this.#run({
      binary: 'kubectl',
      args: ['replace', '-f', '-', ...targetFlags(this.target)],
      mutates: true,
      input: sensitive ? new Secret(text) : text,
      ...(sensitive ? { sensitive: 'both' } : {}),
    });
  }

  /** Deletes what is there, tolerant of what is already gone, and waits until it is gone. */
  async delete(kind: string, name: string, timeoutMs = 120_000): Promise<void> {
    await this.#delete(kind, name, timeoutMs);
  }

  /** The same for a probe of the runbook's own: also when the run was stopped meanwhile. @param wait false: it goes by itself */
  async removeProbe(kind: string, name: string, wait = true): Promise<void> {
    await this.#delete(kind, name, wait ? 120_000 : 0, { whileStopping: true });
  }

  /** @param timeoutMs how long it may take until it is gone; 0: nobody waits for that */
  async #delete(kind: string, name: string, timeoutMs: number, more: Pick<Command, 'whileStopping'> = {}) {
    const waiting = timeoutMs > 0 ? ['--wait', `--timeout=${Math.round(timeoutMs / 1000)}s`] : ['--wait=false'];
    const args = ['delete', `${kind}/${name}`, '--ignore-not-found', ...waiting];
    try {
      await this.#run({
        binary: 'kubectl',
        args: [...args, ...targetFlags(this.target)],
        mutates: true,
        timeoutMs: timeoutMs + 15_000,
        ...more,
      });
    } catch (error) {
      if (!isUnknownKind(error)) throw error;
    }
  }

  /** Any other change, as the plan's command. */
  readonly change = commandTag(async (args) => {
    await this.#run({ binary: 'kubectl', args: [...args, ...targetFlags(this.target)], mutates: true });
  });

  /** A command in a container, which only reads unless it is said to mutate; what it is told in confidence goes by stdin. @returns its stdout */
  async exec(
    pod: string,
    container: string | undefined,
    argv: readonly string[],
    input?: Secret,
    timeoutMs = 30_000,
    mutates = false,
  ): Promise<string> {
    const where = ['exec', '-i', pod, ...(container ? ['--container', container] : [])];
    const args = [...where, ...targetFlags(this.target), '--', ...argv];
    const { stdout } = await this.#run({
      binary: 'kubectl',
      args,
      mutates,
      timeoutMs,
      ...(input ? { input, sensitive: 'both' } : {}),
    });
    return stdout;
  }

  #read(args: readonly string[], more: { sensitive?: boolean; input?: string; read?: KubeRead } = {}) {
    const { sensitive, ...rest } = more;
    return this.#run({
      binary: 'kubectl',
      args: [...args, ...targetFlags(this.target)],
      mutates: false,
      timeoutMs: 30_000,
      ...(sensitive ? { sensitive: 'stdout' } : {}),
      ...rest,
    });
  }
}

function kindOf(kind: string): string {
  return kind.split('.')[0] ?? kind;
}

function isUnknownKind(error: unknown): boolean {
  return error instanceof CommandFailed && /doesn't have a resource type|no matches for kind/.test(error.stderr);
}

function isGoneKind(error: unknown): boolean {
  return isUnknownKind(error) || (error instanceof CommandFailed && /could not find the requested/.test(error.stderr));
}

function itemsOf({ stdout, objects }: Output): KubeObject[] {
  if (objects) return checkedObjects(objects);
  if (stdout.trim() === '') return [];
  const parsed = JSON.parse(stdout) as KubeObject & { items?: KubeObject[] };
  return checkedObjects(parsed.kind.endsWith('List') ? (parsed.items ?? []) : [parsed]);
}

/** A Secret's value by key, boxed; undefined where Secret or key is not there. */
export function secretValue(secret: KubeObject | undefined, key: string): Secret | undefined {
  const encoded = (secret?.['data'] as Record<string, string> | undefined)?.[key];
  return encoded === undefined || encoded === '' ? undefined : new Secret(Buffer.from(encoded, 'base64').toString());
}

/** A Secret object of the runbook's, type Opaque. @throws Failure on an empty value, which would be a silent half */
export function secretObject(name: string, namespace: string, values: Readonly<Record<string, Secret>>): KubeObject {
  const data = Object.entries(values).map(([key, value]) => {
    if (value.reveal() === '') throw new Failure({ what: `Secret ${namespace}/${name}: key ${key} would be empty` });
    return [key, new Secret(Buffer.from(value.reveal()).toString('base64'))];
  });
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace, labels: OURS },
    type: 'Opaque',
    data: Object.fromEntries(data),
  };
}

/** The label of what the runbook made itself (beside what Helm made for it). */
export const OURS: Record<string, string> = { 'app.kubernetes.io/managed-by': FIELD_MANAGER };
