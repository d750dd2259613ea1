/** Kubently's API as a client uses it (docs/kubently-contract.md section 3). */
import { STEP } from '../base/plan-steps.ts';
import { randomUUID } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import type { Http, HttpAnswer } from '../base/http.ts';
import { oneLine } from '../base/say.ts';
import type { Secret } from '../base/secret.ts';

export interface Executed {
  status: 'success' | 'failure' | 'timeout';
  output: string | null;
  error: string | null;
}

export interface AgentStatus {
  connected: boolean;
  version?: string | null;
}

export interface AgentAnswer {
  state: string;
  text: string;
}

/** The API at one base URL, with one API key. */
export class Kubently {
  readonly url: string;
  readonly #http: Http;
  readonly #key: Secret;

  constructor(http: Http, url: string, key: Secret) {
    this.#http = http;
    this.url = url;
    this.#key = key;
  }

  /** GET /health: 200 healthy with Redis, 503 without. Open to all. */
  async health(): Promise<HttpAnswer> {
    return this.#http({ url: `${this.url}/health` });
  }

  /** Whether the API takes this key. @throws Failure when it answers neither 200 nor 401 */
  async takesKey(): Promise<boolean> {
    const answer = await this.#call('GET', '/debug/clusters');
    if (answer.status !== 200 && answer.status !== 401) throw unexpected(answer, '200 or 401', 'GET /debug/clusters');
    return answer.status === 200;
  }

  /** The status by which an executor with this token is answered; undefined when its stream opens and stays, or nothing answers within 5 s. */
  async executorStatus(id: string, token: Secret): Promise<number | undefined> {
    const headers = { authorization: `Bearer ${token.reveal()}`, 'x-cluster-id': id };
    const request = { url: `${this.url}/executor/stream`, headers, timeoutMs: 5000 };
    return this.#http(request).then(
      ({ status }) => status,
      () => undefined,
    );
  }

  /** Ids of the clusters that the API knows. */
  async clusters(): Promise<string[]> {
    const answer = await this.#call('GET', '/debug/clusters');
    return (json(answer, 200, 'GET /debug/clusters') as { clusters: string[] }).clusters;
  }

  /** The cluster's registration, or undefined where no token is registered. */
  async agent(id: string): Promise<AgentStatus | undefined> {
    const answer = await this.#call('GET', `/admin/agents/${id}/status`);
    return answer.status === 404 ? undefined : (json(answer, 200, `status of ${id}`) as AgentStatus);
  }

  /** Registers an executor's token. @throws Failure when one is registered already (409) or the server refuses it */
  async register(id: string, token: Secret): Promise<void> {
    const answer = await this.#call('POST', `/admin/agents/${id}/token`, { token: token.reveal() });
    if (answer.status !== 200 && answer.status !== 201)
      throw unexpected(answer, '200', `registering the token of ${id}`);
  }

  /** Removes a registration; content where there is none. */
  async unregister(id: string): Promise<void> {
    const answer = await this.#call('DELETE', `/admin/agents/${id}/token`);
    if (answer.status !== 204 && answer.status !== 404) throw unexpected(answer, '204', `removing the token of ${id}`);
  }

  /**
   * Runs `kubectl get …` in the cluster through its executor: the one reliable proof of life (docs/kubently-contract.md 3.3).
   * @param seconds how long the API waits for the outcome, 1 to 30
   */
  async execute(id: string, args: readonly string[], seconds = 10): Promise<Executed> {
    const body = { cluster_id: id, args, namespace: null, timeout_seconds: seconds };
    const answer = await this.#call('POST', '/debug/execute', body, 20_000);
    return json(answer, 200, `a command in ${id}`) as Executed;
  }

  /** Asks the agent by A2A message/send. @returns the task's state and the text of its artifacts */
  async ask(question: string): Promise<AgentAnswer> {
    const message = {
      messageId: randomUUID(),
      role: 'user',
      kind: 'message',
      parts: [{ kind: 'text', text: question }],
    };
    const body = { jsonrpc: '2.0', id: randomUUID(), method: 'message/send', params: { message } };
    const answer = await this.#call('POST', '/a2a/', body, 90_000);
    const { result, error } = json(answer, 200, 'the A2A call') as {
      result?: { status?: { state?: string }; artifacts?: { parts?: { text?: string }[] }[] };
      error?: { message?: string };
    };
    if (error)
      throw new Failure({
        what: `A2A answered an error: ${error.message ?? 'without a text'}`,
        next: 'make logs WHAT=api',
      });
    const text = (result?.artifacts ?? [])
      .flatMap((a) => a.parts ?? [])
      .map((p) => p.text ?? '')
      .join('');
    return { state: result?.status?.state ?? 'unknown', text };
  }

  /** What an API call without a key is answered: it must be a refusal. */
  async withoutKey(path: string): Promise<number> {
    return (await this.#http({ url: this.url + path })).status;
  }

  #call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown, timeoutMs?: number): Promise<HttpAnswer> {
    return this.#http({
      method,
      url: this.url + path,
      headers: { 'x-api-key': this.#key.reveal() },
      body,
      ...(timeoutMs ? { timeoutMs } : {}),
    });
  }
}

function json(answer: HttpAnswer, wanted: number, about: string): unknown {
  if (answer.status !== wanted) throw unexpected(answer, String(wanted), about);
  return JSON.parse(answer.body) as unknown;
}

function unexpected(answer: HttpAnswer, wanted: string, about: string): Failure {
  const next =
    answer.status === 401
      ? `the API key of TOKENS_FILE is not the one that the API knows: ./runbook ${STEP.secrets}`
      : 'the API’s log says more: make logs WHAT=api';
  return new Failure({
    what: `${about}: HTTP ${answer.status}`,
    wanted: `HTTP ${wanted}`,
    found: oneLine(answer.body, 300),
    next,
  });
}
