/** A cluster in memory, empty at first, in which whatever is applied or installed runs at once. */
import { statSync } from 'node:fs';
import type { Command, Run } from '../../base/command.ts';
import { objectsOf } from '../../clients/helm.ts';
import { secretOf, type HelmRecord } from '../../clients/helm-record.ts';
import { Secret } from '../../base/secret.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

const CLUSTER_WIDE = /^(Namespace|ClusterIssuer|ClusterRole|ClusterRoleBinding|IngressClass)$/;

export class EmptyCluster {
  readonly #objects = new Map<string, KubeObject>();
  /** Namespaces of charts that are not on this machine: whatever workload is asked for there runs. */
  readonly #imagined = new Set<string>();
  readonly #template: Run;
  readonly #address: string;
  readonly #redis: (argv: readonly string[]) => string;

  /**
   * @param template runs `helm template`
   * @param address what a LoadBalancer is given
   * @param redis answers a redis-cli in a pod
   */
  constructor(template: Run, address: string, redis: (argv: readonly string[]) => string) {
    this.#template = template;
    this.#address = address;
    this.#redis = redis;
  }

  /** Answers a kubectl command line, as far as the runbook uses kubectl. */
  kubectl(command: Command): string {
    const { args } = command;
    const [verb = '', subject = ''] = args;
    const namespace = args[args.indexOf('--namespace') + 1] ?? '';
    switch (verb) {
      case 'get':
        return this.#get(args, namespace);
      case 'apply':
        return this.#apply(command, namespace);
      case 'delete':
        this.#delete(subject, namespace);
        return '';
      case 'exec':
        return this.#redis(args.slice(args.indexOf('--') + 1));
      default:
        return '';
    }
  }

  /** Answers a helm command line. */
  async helm(command: Command): Promise<string> {
    const { args } = command;
    const [verb = '', subject = ''] = args;
    const namespace = args[args.indexOf('--namespace') + 1] ?? '';
    if (verb === 'upgrade') await this.#install(command, args[2] ?? '', args[3] ?? '', namespace);
    if (verb === 'uninstall') this.#objects.delete(keyOf('Secret', namespace, `sh.helm.release.v1.${subject}.v1`));
    return '';
  }

  async #install(command: Command, name: string, chart: string, namespace: string): Promise<void> {
    const text = textOf(command);
    const local = statSync(chart, { throwIfNoEntry: false })?.isDirectory() === true;
    if (!local) this.#imagined.add(namespace);
    const args = ['template', name, chart, '--namespace', namespace, '--values', '-'];
    const manifest = local
      ? (await this.#template({ binary: 'helm', args, mutates: false, input: text, timeoutMs: 60_000 })).stdout
      : '';
    for (const object of objectsOf(manifest)) this.#put(object, namespace);
    const record: HelmRecord = {
      name,
      version: 1,
      info: { status: 'deployed' },
      chart: { metadata: { name, version: '1' } },
      config: JSON.parse(text) as unknown,
      manifest,
    };
    this.#put(secretOf(record, namespace), namespace);
  }

  #get(args: readonly string[], namespace: string): string {
    if (args[1] === '--raw') return '{"status":"healthy"}';
    if (args.includes('--ignore-not-found')) {
      const names = args.slice(1, args.indexOf('--ignore-not-found'));
      return list(names.flatMap((n) => this.#named(n, namespace) ?? []));
    }
    const kind = kindOf(args[1] ?? '');
    const selector = args[2] === '--selector' ? (args[3] ?? '') : '';
    const all = kind === 'Pod' ? this.#podsOf(namespace) : this.#in(namespace).filter((o) => o.kind === kind);
    return list(all.filter((o) => matches(o.metadata.labels, selector)));
  }

  #named(kindAndName: string, namespace: string): KubeObject | undefined {
    const [fullKind = '', name = ''] = kindAndName.split('/');
    const kind = kindOf(fullKind);
    const found = this.#objects.get(keyOf(kind, namespace, name));
    if (found || !this.#imagined.has(namespace) || kind !== 'Deployment') return found;
    return running({ apiVersion: 'apps/v1', kind, metadata: { name, namespace }, spec: { replicas: 1 } });
  }

  #apply(command: Command, namespace: string): string {
    const { items } = JSON.parse(textOf(command)) as { items: KubeObject[] };
    const made = items.map((o) => this.#put(o, namespace));
    return command.mutates ? '' : list(made);
  }

  #put(object: KubeObject, namespace: string): KubeObject {
    const where = object.metadata.namespace ?? namespace;
    const key = keyOf(object.kind, where, object.metadata.name);
    const merged = merge(this.#objects.get(key), { ...object, metadata: { ...object.metadata, namespace: where } });
    const made = this.#controlled(merged as KubeObject);
    this.#objects.set(key, made);
    return made;
  }

  /** What controllers would make of the object in the end. */
  #controlled(object: KubeObject): KubeObject {
    const spec = object['spec'] as { type?: string; secretName?: string; issuerRef?: { name: string } } | undefined;
    const ready = { conditions: [{ type: 'Ready', status: 'True', reason: 'Ready' }] };
    switch (object.kind) {
      case 'Deployment':
      case 'StatefulSet':
        return running(object);
      case 'Service':
        return spec?.type === 'LoadBalancer'
          ? { ...object, status: { loadBalancer: { ingress: [{ ip: this.#address }] } } }
          : object;
      case 'ClusterIssuer':
        return { ...object, status: ready };
      case 'Certificate':
        this.#put(
          {
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: {
              name: spec?.secretName ?? '',
              annotations: { 'cert-manager.io/issuer-name': spec?.issuerRef?.name ?? '' },
            },
          },
          object.metadata.namespace ?? '',
        );
        return { ...object, status: ready };
      default:
        return object;
    }
  }

  #delete(subject: string, namespace: string): void {
    const [kind = '', name = ''] = subject.split('/');
    this.#objects.delete(keyOf(kindOf(kind), namespace, name));
  }

  #in(namespace: string): KubeObject[] {
    return [...this.#objects.values()].filter((o) => o.metadata.namespace === namespace);
  }

  #podsOf(namespace: string): KubeObject[] {
    return this.#in(namespace).flatMap((o): KubeObject[] => {
      const template = (o['spec'] as { template?: { metadata?: { labels?: Record<string, string> } } } | undefined)
        ?.template;
      if (o.kind !== 'Deployment' && o.kind !== 'StatefulSet') return [];
      const metadata = { name: `${o.metadata.name}-0`, namespace, labels: template?.metadata?.labels ?? {} };
      return [{ apiVersion: 'v1', kind: 'Pod', metadata, status: { phase: 'Running' } }];
    });
  }
}

/** The text that a command gets by stdin. */
export function textOf({ input }: Command): string {
  return input instanceof Secret ? input.reveal() : (input ?? '');
}

function running(object: KubeObject): KubeObject {
  const replicas = (object['spec'] as { replicas?: number } | undefined)?.replicas ?? 1;
  return {
    ...object,
    status: { observedGeneration: 1, replicas, updatedReplicas: replicas, readyReplicas: replicas },
  };
}

function keyOf(kind: string, namespace: string, name: string): string {
  return `${CLUSTER_WIDE.test(kind) ? '' : namespace}/${kind}/${name}`;
}

function kindOf(fullKind: string): string {
  return fullKind.split('.')[0] ?? fullKind;
}

function matches(labels: Readonly<Record<string, string>> = {}, selector: string): boolean {
  return (
    selector === '' || selector.split(',').every((pair) => labels[pair.split('=')[0] ?? ''] === pair.split('=')[1])
  );
}

function merge(a: unknown, b: unknown): unknown {
  const maps = [a, b].every((v) => typeof v === 'object' && v !== null && !Array.isArray(v));
  if (!maps) return b;
  const [old, fresh] = [a, b] as [Record<string, unknown>, Record<string, unknown>];
  return {
    ...old,
    ...Object.fromEntries(Object.entries(fresh).map(([k, v]) => [k, k in old ? merge(old[k], v) : v])),
  };
}

function list(items: readonly KubeObject[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}
