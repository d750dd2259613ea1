/** A cluster as kubectl and helm show it: objects in memory, and only the command lines that the runbook may use. */
import { CommandFailed, type Command } from '../../lib/base/command.ts';
import type { Release, Revision } from '../../lib/clients/helm.ts';
import { secretOf } from '../../lib/clients/helm-record.ts';
import { inputOf, type World } from './outside.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';

const APPLY = ['apply', '--server-side', '--force-conflicts', '--field-manager', 'kubently-runbook'];
const DRY_RUN = ['--dry-run=server', '-o', 'json'];

export interface FakeRelease extends Omit<Release, 'values' | 'manifest' | 'labels'> {
  namespace: string;
  values?: unknown;
  manifest?: string;
  labels?: Record<string, string>;
  history?: (Revision & { manifest: string })[];
}

export class FakeCluster implements World {
  readonly context: string;
  objects: KubeObject[];
  releases: FakeRelease[];
  /** What controllers make of an object that was applied: its status. */
  controllers: (object: KubeObject) => KubeObject = (object) => object;
  /** What helm makes when it upgrades. */
  helmUpgrade: (command: Command) => void = () => undefined;

  constructor(context: string, objects: KubeObject[] = [], releases: FakeRelease[] = []) {
    this.context = context;
    this.objects = objects;
    this.releases = releases;
  }

  command = (command: Command): string | undefined => {
    const { binary, args } = command;
    if (binary === 'helm') return this.#helm(command);
    if (binary !== 'kubectl') return undefined;
    const at = args.indexOf('--context');
    const [, context, flag, namespace = ''] = args.slice(at, at + 4);
    if (at < 0 || context !== this.context || flag !== '--namespace') return undefined;
    return this.#kubectl(command, args.slice(0, at), namespace);
  };

  /** The object, as it is now. */
  get(kind: string, name: string): KubeObject | undefined {
    return this.objects.find((o) => o.kind === kind && o.metadata.name === name);
  }

  #kubectl(command: Command, args: readonly string[], namespace: string): string | undefined {
    const [verb = '', subject = ''] = args;
    const inside = this.objects.filter((o) => (o.metadata.namespace ?? namespace) === namespace).map(running);
    const tail = (n: number): string => args.slice(n).join(' ');
    if (verb === 'get' && args[3] === '--show-managed-fields') {
      const found = inside.find((o) => o.kind === short(subject) && o.metadata.name === args[2]);
      if (args.at(-1)?.endsWith('.manager}')) return (found?.metadata['managers'] as string | undefined) ?? '';
      const changedAt = inside.find((o) => o.kind === subject && o.metadata.name === args[2])?.metadata['changedAt'];
      return typeof changedAt === 'string' ? changedAt : '';
    }
    if (verb === 'get' && args.includes('--ignore-not-found')) {
      const names = args.slice(1, args.indexOf('--ignore-not-found'));
      if (tail(names.length + 1) !== '--ignore-not-found -o json') return undefined;
      const found = names.flatMap((n) => inside.filter((o) => `${o.kind}/${o.metadata.name}` === short(n)));
      return names.length === 1 ? (found[0] ? JSON.stringify(found[0]) : '') : list(found);
    }
    if (verb === 'get' && tail(2) === '--all-namespaces -o json')
      return list(this.objects.filter((o) => o.kind === short(subject)));
    if (verb === 'api-resources' && tail(2) === '--verbs=list,delete -o name')
      return [
        ...new Set(
          this.objects.filter((o) => isNamespaced(o) === (subject === '--namespaced=true')).map((o) => o.kind),
        ),
      ].join('\n');
    if (verb === 'get' && tail(2) === '-o json') {
      const kinds = subject.split(',').map(short);
      return list(inside.filter((o) => kinds.includes(o.kind)));
    }
    if (verb === 'get' && args[2] === '--selector' && tail(4) === '-o json')
      return list(
        [...inside, ...this.#records(namespace)].filter(
          (o) => o.kind === short(subject) && hasLabels(o, args[3] ?? ''),
        ),
      );
    if (verb === 'create' && tail(1) === '--dry-run=server -f -') return '';
    if (verb === 'apply') return this.#apply(command, args);
    if (verb === 'replace' && tail(1) === '-f -') {
      const object = JSON.parse(inputOf(command)) as KubeObject;
      const at = this.objects.findIndex((o) => inside.includes(o) && o.metadata.name === object.metadata.name);
      if (at < 0 || this.objects[at]?.metadata['resourceVersion'] !== object.metadata['resourceVersion'])
        throw new CommandFailed(command, 1, { stdout: '', stderr: 'Error from server (Conflict)' }, false);
      this.objects[at] = object;
      return '';
    }
    if (verb === 'delete' && /^--ignore-not-found (--wait --timeout=\d+s|--wait=false)$/.test(tail(2))) {
      const named = inside.filter((o) => `${o.kind}/${o.metadata.name}` === short(subject));
      const within = named.find((o) => o.kind === 'Namespace')?.metadata.name;
      this.objects = this.objects.filter((o) => !named.includes(o) && (!within || o.metadata.namespace !== within));
      if (within) this.releases = this.releases.filter((r) => r.namespace !== within);
      return '';
    }
    return undefined;
  }

  /** The Secrets in which Helm keeps the releases. */
  #records(namespace: string): KubeObject[] {
    return this.releases
      .filter((r) => r.namespace === namespace)
      .map(({ name, status, revision, chart, values, manifest = '', labels = {} }) => {
        const [, chartName = '', version = ''] = /^(.*?)-(v?\d.*)$/.exec(chart) ?? [];
        const record = { name, version: revision, info: { status }, chart: { metadata: { name: chartName, version } } };
        const secret = secretOf({ ...record, config: values, manifest }, namespace);
        return { ...secret, metadata: { ...secret.metadata, labels: { ...labels, ...secret.metadata.labels } } };
      });
  }

  #apply(command: Command, args: readonly string[]): string | undefined {
    const dryRun = args.includes('--dry-run=server');
    const asHelm = args[4] === 'helm';
    const apply = asHelm ? [...APPLY.slice(0, -1), 'helm'] : APPLY;
    if (args.join(' ') !== [...apply, ...(dryRun ? DRY_RUN : []), '-f', '-'].join(' ')) return undefined;
    if (dryRun === command.mutates) throw new Error('a dry run changes nothing, and an apply does');
    const { items } = JSON.parse(inputOf(command)) as { items: KubeObject[] };
    const merged = items.map((o) => merge(this.get(o.kind, o.metadata.name) ?? {}, o) as KubeObject);
    if (!dryRun)
      for (const object of merged) {
        const made = this.controllers(object);
        const others = this.objects.filter((o) => o.kind !== made.kind || o.metadata.name !== made.metadata.name);
        this.objects = [...others, made];
      }
    return dryRun ? (merged.length === 1 ? JSON.stringify(merged[0]) : list(merged)) : '';
  }

  #helm(command: Command): string | undefined {
    const { args } = command;
    const at = args.indexOf('--kube-context');
    const [, context, flag, namespace] = args.slice(at);
    if (at < 0 || context !== this.context || flag !== '--namespace' || args.length !== at + 4) return undefined;
    const own = args.slice(0, at);
    const here = this.releases.filter((r) => r.namespace === namespace);
    const line = own.join(' ');
    if (own[0] === 'get') {
      const release = here.find((r) => r.name === own[2]);
      if (!release) throw new CommandFailed(command, 1, { stdout: '', stderr: 'Error: release: not found' }, false);
      const revision = Number(own[4]);
      if (own[1] === 'manifest' && own[3] === '--revision')
        return release.history?.find((r) => r.revision === revision)?.manifest ?? '';
    }
    if (own[0] === 'history' && own.slice(2).join(' ') === '-o json')
      return JSON.stringify(here.find((r) => r.name === own[1])?.history ?? []);
    if (own[0] === 'rollback' && own[3] === '--force-conflicts' && own.length === 4) return '';
    if (
      own[0] === 'upgrade' &&
      /--create-namespace --force-conflicts( --post-renderer extras --post-renderer-args \S+)? --values -$/.test(line)
    ) {
      this.helmUpgrade(command);
      return '';
    }
    if (own[0] === 'uninstall' && own.slice(2).join(' ') === '--ignore-not-found --wait --timeout 5m') {
      this.releases = this.releases.filter((r) => r.name !== own[1] || r.namespace !== namespace);
      const kept = (o: KubeObject): boolean =>
        o.metadata.annotations?.['meta.helm.sh/release-name'] !== own[1] || o.kind === 'CustomResourceDefinition';
      this.objects = this.objects.filter(kept);
      return '';
    }
    return undefined;
  }
}

/** A pod of which nothing else is said runs. */
function running(object: KubeObject): KubeObject {
  return object.kind === 'Pod' ? { ...object, status: { phase: 'Running', ...(object['status'] as object) } } : object;
}

/** A Deployment whose newest generation runs. */
export function rolledOut(object: KubeObject): KubeObject {
  if (object.kind !== 'Deployment' && object.kind !== 'StatefulSet') return object;
  const replicas = (object['spec'] as { replicas?: number } | undefined)?.replicas ?? 1;
  const { generation = 1 } = object.metadata;
  return {
    ...object,
    metadata: { ...object.metadata, generation },
    status: { observedGeneration: generation, replicas, updatedReplicas: replicas, readyReplicas: replicas },
  };
}

/** A Deployment as helm or the runbook made it, complete. */
export function deployment(name: string, namespace: string, kind = 'Deployment'): KubeObject {
  return rolledOut({ apiVersion: 'apps/v1', kind, metadata: { name, namespace }, spec: { replicas: 1 } });
}

/** The object with condition Ready. */
export function ready(object: KubeObject, status: 'True' | 'False' = 'True'): KubeObject {
  return {
    ...object,
    status: { conditions: [{ type: 'Ready', status, reason: status === 'True' ? 'Ready' : 'Pending' }] },
  };
}

function list(items: readonly KubeObject[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', metadata: {}, items });
}

function isNamespaced({ metadata }: KubeObject): boolean {
  return metadata.namespace !== undefined;
}

/** `Deployment.apps/x` → `Deployment/x`. */
function short(subject: string): string {
  const [kind = '', name] = subject.split('/');
  return [kind.split('.')[0], ...(name === undefined ? [] : [name])].join('/');
}

function hasLabels({ metadata }: KubeObject, selector: string): boolean {
  return selector.split(',').every((pair) => {
    const [key = '', value] = pair.split('=');
    return metadata.labels?.[key] === value;
  });
}

function merge(a: unknown, b: unknown): unknown {
  if (!isMap(a) || !isMap(b)) return b;
  return Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((k) => [k, k in b ? merge(a[k], b[k]) : a[k]]),
  );
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
