/** A cluster's API server over kept connections. It rejects whatever is not a plain answer: the caller then asks kubectl. */
import { Agent } from 'node:https';
import { realHttp } from '../base/http.ts';
import type { Access } from './kubeconfig.ts';
import type { KubeObject } from '../base/kubernetes.ts';

interface Resource {
  /** Path of the group's version: /api/v1, /apis/apps/v1. */
  base: string;
  plural: string;
  namespaced: boolean;
}

interface Discovered {
  items: {
    metadata?: { name?: string };
    versions: { version: string; resources?: { resource: string; scope: string; responseKind?: { kind: string } }[] }[];
  }[];
}

const DISCOVERY = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const TIMEOUT_MS = 10_000;
const MOST_CONNECTIONS = 6;
const http = realHttp();

export class ApiServer {
  readonly #access: Access;
  readonly #agent: Agent;
  #resources: Promise<Map<string, Resource>> | undefined;

  constructor(access: Access) {
    this.#access = access;
    const { tls, servername } = access;
    const name = servername === undefined ? {} : { servername };
    this.#agent = new Agent({ keepAlive: true, maxSockets: MOST_CONNECTIONS, secureContext: tls, ...name });
  }

  /** @param kind `Deployment.apps`, `Secret`. @returns undefined where the object or its namespace is not there */
  async get(kind: string, namespace: string, name: string): Promise<KubeObject | undefined> {
    const path = pathOf(await this.#resource(kind), namespace);
    const { status, body } = await this.#ask('GET', `${path}/${encodeURIComponent(name)}`);
    const missing = status === 404 && (JSON.parse(body) as { details?: { name?: string } }).details?.name === name;
    return missing ? undefined : objectOf(status, body);
  }

  /** @param namespace undefined: every one */
  async list(kind: string, namespace: string | undefined, selector?: string): Promise<KubeObject[]> {
    const path = pathOf(await this.#resource(kind), namespace);
    const query = selector === undefined ? '' : `?${new URLSearchParams({ labelSelector: selector }).toString()}`;
    const { status, body } = await this.#ask('GET', path + query);
    const { apiVersion, kind: listKind, items } = objectOf(status, body) as KubeObject & { items: KubeObject[] };
    return items.map((item) => ({ ...item, apiVersion, kind: listKind.replace(/List$/, '') }));
  }

  /** What a forced server-side apply by the manager would make of the object, or a create where no manager is given. */
  async dryRun(object: KubeObject, namespace: string, manager: string | undefined): Promise<KubeObject> {
    const [version = '', group = ''] = object.apiVersion.split('/').reverse();
    const resource = await this.#resource(group ? `${object.kind}.${group}` : object.kind);
    if (!resource.base.endsWith(`/${version}`)) throw new Error('not the preferred version');
    const where = object.metadata.namespace ?? namespace;
    if (resource.namespaced && where !== namespace) throw new Error('another namespace');
    const path = pathOf(resource, where);
    const how = 'dryRun=All&fieldValidation=Strict';
    const { status, body } = await (manager === undefined
      ? this.#ask('POST', `${path}?${how}`, object)
      : this.#ask('PATCH', `${path}/${object.metadata.name}?${how}&fieldManager=${manager}&force=true`, object));
    return objectOf(status, body);
  }

  /** The body of GET path. */
  async raw(path: string): Promise<string> {
    const { status, body } = await this.#ask('GET', path);
    if (status !== 200) throw new Error(`HTTP ${status}`);
    return body;
  }

  /** A kind that came with a later CRD is looked for once more. */
  async #resource(kind: string): Promise<Resource> {
    const known = (await (this.#resources ??= this.#discover())).get(kind);
    const found = known ?? (await (this.#resources = this.#discover())).get(kind);
    if (!found) throw new Error(`no kind ${kind}`);
    return found;
  }

  async #discover(): Promise<Map<string, Resource>> {
    const answers = await Promise.all(['/api', '/apis'].map((path) => this.#ask('GET', path, undefined, DISCOVERY)));
    const groups = answers.flatMap(({ status, body }) => (objectOf(status, body) as unknown as Discovered).items);
    const found = new Map<string, Resource>();
    for (const { metadata, versions } of groups)
      // The preferred version comes first.
      for (const { version, resources = [] } of versions)
        for (const { resource, scope, responseKind } of resources) {
          const group = metadata?.name ?? '';
          const key = `${responseKind?.kind ?? ''}${group ? `.${group}` : ''}`;
          const base = group ? `/apis/${group}/${version}` : `/api/${version}`;
          if (!found.has(key)) found.set(key, { base, plural: resource, namespaced: scope === 'Namespaced' });
        }
    return found;
  }

  async #ask(method: 'GET' | 'POST' | 'PATCH', path: string, body?: KubeObject, accept = 'application/json') {
    const token = await this.#access.token();
    const headers = {
      accept,
      ...(token ? { authorization: `Bearer ${token.reveal()}` } : {}),
      ...(method === 'PATCH' ? { 'content-type': 'application/apply-patch+yaml' } : {}),
    };
    return http({ method, url: this.#access.server + path, headers, body, timeoutMs: TIMEOUT_MS, agent: this.#agent });
  }
}

function pathOf({ base, plural, namespaced }: Resource, namespace: string | undefined): string {
  return namespaced && namespace !== undefined ? `${base}/namespaces/${namespace}/${plural}` : `${base}/${plural}`;
}

function objectOf(status: number, body: string): KubeObject {
  if (status !== 200 && status !== 201) throw new Error(`HTTP ${status}`);
  return JSON.parse(body) as KubeObject;
}
