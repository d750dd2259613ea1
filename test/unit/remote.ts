/** What 3.2 and phase 4 start from: tokens, Redis, an API that answers for its executors. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { HttpAnswer, HttpRequest } from '../../lib/base/http.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import { inputOf, json, type Row, type World } from './outside.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';

export const TOKENS: Record<string, string> = {
  API_KEY: 'unit-api-key',
  REDIS_PASSWORD: 'unit-redis-password',
  GKE_EXECUTOR_TOKEN: 'unit-gke-token',
  KIND_REMOTE_EXECUTOR_TOKEN: 'unit-remote-token',
};

/** Writes the tokens file. */
export function withTokens(given: Settings): Settings {
  writeFileSync(
    given.tokensFile,
    Object.entries(TOKENS)
      .map(([k, v]) => `${k}=${v}\n`)
      .join(''),
  );
  return given;
}

export const REDIS_POD: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'kubently-redis-master-0',
    namespace: 'kubently',
    labels: { 'app.kubernetes.io/instance': 'kubently', 'app.kubernetes.io/component': 'redis' },
  },
};

/** The release's API with its Redis, as far as the runbook uses them; everything else is refused. */
export class FakeKubently implements World {
  readonly host: string;
  /** Tokens in Redis, by cluster id. */
  tokens: Record<string, string> = { gke: 'unit-gke-token', 'kind-remote': 'unit-remote-token' };
  /** What /debug/execute answers. */
  execute: (id: string) => HttpAnswer = () =>
    json({ status: 'success', output: 'default\nkube-system\n', error: null });
  clusters = ['gke', 'kind-remote'];
  health: HttpAnswer = json({ status: 'healthy' }, 200, {
    'strict-transport-security': 'max-age=31536000',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  });
  /** HTTP status of a call without a key. */
  withoutKey = 401;
  answer: { state: string; text: string } = { state: 'completed', text: '' };
  /** What Redis answers to PING without and with the password. */
  pings: [string, string] = ['NOAUTH Authentication required.\n', 'PONG\n'];
  /** Changes by HTTP, which the Outside does not list. */
  changes: string[] = [];

  constructor(host: string) {
    this.host = host;
  }

  request = ({ method = 'GET', url, headers, body }: HttpRequest): HttpAnswer | undefined => {
    const base = `https://${this.host}`;
    if (method === 'GET' && url === `${base}/health`) return this.health;
    if (method === 'GET' && url === `http://${this.host}/health`)
      return { status: 308, headers: { location: `${base}/health` }, body: '' };
    if (headers?.['x-api-key'] !== TOKENS['API_KEY'])
      return url.startsWith(base) ? json({}, this.withoutKey) : undefined;
    if (method === 'GET' && url === `${base}/debug/clusters`) return json({ clusters: this.clusters });
    if (method === 'POST' && url === `${base}/debug/execute`)
      return this.execute((body as { cluster_id: string }).cluster_id);
    if (method === 'POST' && url === `${base}/a2a/`)
      return json({
        result: { status: { state: this.answer.state }, artifacts: [{ parts: [{ text: this.answer.text }] }] },
      });
    const id = new RegExp(`^${base}/admin/agents/([^/]+)/token$`).exec(url)?.[1];
    if (id === undefined || method === 'GET') return undefined;
    this.changes.push(`${method} ${id}`);
    if (method === 'DELETE') return Reflect.deleteProperty(this.tokens, id) ? json('', 204) : undefined;
    this.tokens[id] = (body as { token: string }).token;
    return json({}, 201);
  };

  /** redis-cli in the pod: EVAL of registered(), and PING. */
  rows(): Row[] {
    const inPod = (a: readonly string[]): readonly string[] => (a[0] === 'exec' ? a.slice(a.indexOf('--') + 1) : []);
    const sha = (text: string): string => createHash('sha1').update(text).digest('hex');
    return [
      {
        binary: 'kubectl',
        args: (a) => inPod(a).includes('EVAL'),
        answer: (command) => {
          if (inputOf(command) !== TOKENS['REDIS_PASSWORD']) throw new Error('the password goes by stdin');
          const keys = command.args.filter((a) => a.startsWith('executor:token:')).map((k) => k.slice(15));
          return `${keys.map((id) => (this.tokens[id] === undefined ? '-' : sha(this.tokens[id]))).join('\n')}\n`;
        },
      },
      { binary: 'kubectl', args: (a) => inPod(a).join(' ') === 'redis-cli PING', answer: () => this.pings[0] },
      { binary: 'kubectl', args: (a) => inPod(a).at(-1) === 'PING', answer: () => this.pings[1] },
    ];
  }
}
