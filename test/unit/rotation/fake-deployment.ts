/** Kubently as it runs: what API, Redis and executors hold since their last restart, and what they answer. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { ReleaseExtra } from '../../../lib/chart/release-extras.ts';
import type { Command } from '../../../lib/base/command.ts';
import type { HttpAnswer, HttpRequest } from '../../../lib/base/http.ts';
import { Secret } from '../../../lib/base/secret.ts';
import type { Settings } from '../../../lib/settings/settings.ts';
import { changeTokens } from '../../../lib/settings/tokens-file.ts';
import { FakeCluster, rolledOut } from '../fake-cluster.ts';
import { IP } from '../fake-google.ts';
import { inputOf, json, type World } from '../outside.ts';
import type { KubeObject } from '../../../lib/base/kubernetes.ts';

export const FIRST = {
  API_KEY: 'first-api-key-0001',
  REDIS_PASSWORD: 'first-redis-0001',
  GKE_EXECUTOR_TOKEN: 'first-gke-token-0001',
  KIND_REMOTE_EXECUTOR_TOKEN: 'first-kind-token-0001',
};

const restart = (workload: string, namespace: string, secrets: string[]): ReleaseExtra => ({
  kind: 'restart-on-secret-change',
  namespace,
  workload,
  secrets,
  says: '',
});

export const AROUND: Record<'gke' | 'remote', ReleaseExtra[]> = {
  gke: [
    restart('Deployment/kubently-api', 'kubently', [
      'kubently-api-keys',
      'kubently-redis-password',
      'kubently-executor-token',
    ]),
    restart('Deployment/kubently-executor', 'kubently', ['kubently-executor-token']),
    restart('StatefulSet/kubently-redis-master', 'kubently', ['kubently-redis-password']),
  ],
  remote: [restart('Deployment/kubently-remote-executor', 'kubently-remote', ['kubently-remote-executor-token'])],
};

const manifest = (names: readonly string[]): string =>
  names
    .map((n) => `apiVersion: apps/v1\nkind: ${n.split('/')[0] ?? ''}\nmetadata: { name: ${n.split('/')[1] ?? ''} }\n`)
    .join('---\n');

/** The deployment of `settings`, released by hand: each workload reads its Secrets when its annotation changes. */
export class FakeDeployment implements World {
  readonly gke = new FakeCluster('gke-context');
  readonly remote = new FakeCluster('kind-context');
  readonly settings: Settings;
  /** What the running ones hold. */
  apiKeys: string[] = [];
  apiPassword = '';
  redisPasswords: string[] = [];
  tokens = new Map<string, string>();
  executors = new Map<string, string>();
  /** Names of workloads in the order of their restarts. */
  restarts: string[] = [];
  saved = 0;

  constructor(settings: Settings) {
    this.settings = settings;
    const release = (name: string, namespace: string, extras: ReleaseExtra[]) => ({
      name,
      namespace,
      status: 'deployed',
      revision: 1,
      chart: 'kubently-1',
      manifest: manifest(extras.flatMap((a) => (a.kind === 'restart-on-secret-change' ? [a.workload] : []))),
    });
    this.gke.releases = [release('kubently', 'kubently', AROUND.gke)];
    this.remote.releases = [release('kubently-remote', 'kubently-remote', AROUND.remote)];
    this.gke.controllers = (o) => this.#controller(this.gke, o);
    this.remote.controllers = (o) => this.#controller(this.remote, o);
    this.gke.helmUpgrade = (c) => this.#upgraded(this.gke, 'kubently', c);
    this.remote.helmUpgrade = (c) => this.#upgraded(this.remote, 'kubently-remote', c);
    const labels = { 'app.kubernetes.io/instance': 'kubently', 'app.kubernetes.io/component': 'redis' };
    this.gke.objects.push({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'redis-0', namespace: 'kubently', labels },
    });
  }

  /** The tokens file of a deployment that runs with it. */
  async writeFile(): Promise<void> {
    const tokens = Object.fromEntries(Object.entries(FIRST).map(([k, v]) => [k, new Secret(v)]));
    await changeTokens(this.settings, () => tokens, IP);
  }

  /** True when whoever needs it is in step: the API reaches Redis, executors hold their registered tokens. */
  get whole(): boolean {
    return (
      this.redisPasswords.includes(this.apiPassword) &&
      [...this.executors].every(([id, token]) => this.tokens.get(id) === token)
    );
  }

  /** helm with the post-renderer: every workload gets the stamp of the kustomization. */
  #upgraded(cluster: FakeCluster, namespace: string, { args }: Command): void {
    const path = args[args.indexOf('--post-renderer-args') + 1] ?? '';
    const { patches } = parse(readFileSync(path, 'utf8')) as { patches: { patch: string }[] };
    for (const { patch } of patches) {
      const { kind, metadata, spec } = parse(patch) as KubeObject;
      this.#stamp(cluster, kind, metadata.name, namespace, spec);
    }
  }

  #stamp(cluster: FakeCluster, kind: string, name: string, namespace: string, spec: unknown): void {
    const object: KubeObject = { apiVersion: 'apps/v1', kind, metadata: { name, namespace }, spec };
    const made = this.#controller(cluster, { ...cluster.get(kind, name), ...object });
    cluster.objects = [...cluster.objects.filter((o) => o.kind !== kind || o.metadata.name !== name), made];
  }

  #controller(cluster: FakeCluster, object: KubeObject): KubeObject {
    if (object.kind !== 'Deployment' && object.kind !== 'StatefulSet') return object;
    const { name } = object.metadata;
    const before = JSON.stringify(cluster.get(object.kind, name)?.['spec']);
    if (before === JSON.stringify(object['spec'])) return object;
    this.restarts.push(name);
    const read = (secret: string, key: string): string => {
      const data = cluster.get('Secret', secret)?.['data'] as Record<string, string> | undefined;
      return Buffer.from(data?.[key] ?? '', 'base64').toString();
    };
    switch (name) {
      case 'kubently-api':
        this.apiKeys = read('kubently-api-keys', 'keys')
          .split(',')
          .map((entry) => entry.replace(/^cli-user:/, ''));
        this.apiPassword = read('kubently-redis-password', 'password');
        this.tokens.set('gke', read('kubently-executor-token', 'token'));
        break;
      case 'kubently-redis-master':
        this.redisPasswords = [read('kubently-redis-password', 'password')];
        break;
      case 'kubently-executor':
        this.executors.set('gke', read('kubently-executor-token', 'token'));
        break;
      case 'kubently-remote-executor':
        this.executors.set('kind-remote', read('kubently-remote-executor-token', 'token'));
        break;
    }
    return rolledOut(object);
  }

  command = (command: Command): string | undefined => {
    const { args } = command;
    if (args[0] === 'exec') return this.#redis(command);
    const [, kind, name] = /^(Deployment|StatefulSet)\.apps\/(.+)$/.exec(args[1] ?? '') ?? [];
    if (args[0] === 'patch' && kind && name && args.includes('gke-context')) {
      const { spec } = JSON.parse(args[args.indexOf('--patch') + 1] ?? '') as { spec: unknown };
      this.#stamp(this.gke, kind, name, 'kubently', spec);
      return '';
    }
    return this.gke.command(command) ?? this.remote.command(command);
  };

  #redis(command: Command): string {
    const { args } = command;
    const line = args[args.indexOf('-c') + 1] ?? '';
    const argv = args.slice(args.lastIndexOf('sh') + 1);
    const [password = '', ...rest] = inputOf(command).split('\n');
    if (!this.redisPasswords.includes(password)) return 'NOAUTH Authentication required.\n';
    switch (argv.slice(0, 2).join(' ')) {
      case 'PING':
        return 'PONG\n';
      case 'SAVE':
        this.saved++;
        return 'OK\n';
      case 'ACL SETUSER':
        if (!line.includes(' -x ') || !command.mutates) throw new Error('a password on a command line, or unsaid');
        this.redisPasswords.push(rest.join('\n').replace(/^>/, ''));
        return 'OK\n';
    }
    if (argv[0] !== 'EVAL') throw new Error(`not listed: ${argv.join(' ')}`);
    const sha = (text: string | undefined): string =>
      text === undefined ? '-' : createHash('sha1').update(text).digest('hex');
    return argv
      .slice(3)
      .map((key) => `${sha(this.tokens.get(key.replace('executor:token:', '')))}\n`)
      .join('');
  }

  request = ({ method = 'GET', url, headers = {}, body }: HttpRequest): HttpAnswer | undefined => {
    const path = url.startsWith(`https://${this.settings.host}/`) ? new URL(url).pathname : undefined;
    if (path === undefined) return undefined;
    if (path === '/executor/stream') {
      const known = `Bearer ${this.tokens.get(headers['x-cluster-id'] ?? '') ?? ''}`;
      if (headers['authorization'] !== known) return json({ detail: 'no' }, 401);
      throw new Error('no answer within 5 s');
    }
    if (!this.apiKeys.includes(headers['x-api-key'] ?? '')) return json({ detail: 'no' }, 401);
    if (!this.redisPasswords.includes(this.apiPassword)) return json({ error: 'Redis' }, 503);
    if (`${method} ${path}` === 'GET /debug/clusters') return json({ clusters: [...this.tokens.keys()] });
    if (`${method} ${path}` === 'POST /debug/execute') {
      const { cluster_id: id } = body as { cluster_id: string };
      const connected = this.executors.has(id) && this.executors.get(id) === this.tokens.get(id);
      return json({ status: connected ? 'success' : 'timeout', output: connected ? 'kube-system' : null, error: null });
    }
    const id = /^\/admin\/agents\/(.+)\/token$/.exec(path)?.[1] ?? '';
    if (method === 'DELETE') return json({}, this.tokens.delete(id) ? 204 : 404);
    if (method === 'POST' && this.tokens.has(id)) return json({ detail: 'exists' }, 409);
    this.tokens.set(id, (body as { token: string }).token);
    return json({}, 200);
  };
}
