/** A2A tasks: one question to the agent each, kept in this process's memory, so not replica-safe (docs/kubently-contract.md 3.7). */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { answer } from './agent.ts';
import type { Identity } from './authentication.ts';
import type { Store } from './store.ts';

const KEPT = 500;

/** Parameters of message/send and message/stream; `metadata` sits beside the message. */
export const MessageParams = z.object({
  message: z.looseObject({
    messageId: z.string(),
    role: z.literal('user'),
    parts: z.array(z.looseObject({ kind: z.string().optional(), text: z.string().optional() })).min(1),
    contextId: z.string().optional(),
  }),
  metadata: z.looseObject({ clusterId: z.string().nullish() }).nullish(),
});
export type MessageParams = z.infer<typeof MessageParams>;

type State = 'submitted' | 'working' | 'completed' | 'failed';
type Artifact = { artifactId: string; name: string; parts: { kind: 'text'; text: string }[] };
export type Task = {
  kind: 'task';
  id: string;
  contextId: string;
  status: { state: State; timestamp: string };
  artifacts: Artifact[];
  history: unknown[];
};

const status = (state: State) => ({ state, timestamp: new Date().toISOString() });

/** The tasks of this process, newest 500. */
export class Tasks {
  readonly #tasks = new Map<string, Task>();

  get(id: string): Task | undefined {
    return this.#tasks.get(id);
  }

  /** A new task for the message, state submitted. */
  submit(params: MessageParams): Task {
    const { message } = params;
    const task: Task = {
      kind: 'task',
      id: randomUUID(),
      contextId: message.contextId ?? randomUUID(),
      status: status('submitted'),
      artifacts: [],
      history: [message],
    };
    this.#tasks.set(task.id, task);
    const [oldest] = this.#tasks.keys();
    if (this.#tasks.size > KEPT && oldest !== undefined) this.#tasks.delete(oldest);
    return task;
  }
}

/** Runs the task to its end and tells each step to `emit`, in the order and shape of a message/stream. */
export async function runTask(
  { store, environment }: { store: Store; environment: NodeJS.ProcessEnv },
  task: Task,
  params: MessageParams,
  identity: Identity,
  emit: (result: unknown) => Promise<void>,
): Promise<void> {
  const ids = { taskId: task.id, contextId: task.contextId };
  const working = (event: 'tool_call' | 'error', text: string) => {
    task.status = status('working');
    const parts = [{ kind: 'text', text }];
    const message = { kind: 'message', messageId: randomUUID(), role: 'agent', parts, ...ids };
    const metadata = { 'kubently/event': event };
    return emit({ kind: 'status-update', ...ids, status: { ...task.status, message }, final: false, metadata });
  };
  await emit(task);

  const question = params.message.parts.map((part) => part.text ?? '').join('\n');
  const clusterId = params.metadata?.clusterId ?? undefined;
  const { state, text } = await answer(store, environment, { question, clusterId, identity }, (cluster, args) =>
    working('tool_call', `kubectl ${args.join(' ')} on ${cluster}`),
  );
  if (state === 'failed') await working('error', text);

  const artifact: Artifact = { artifactId: randomUUID(), name: 'debug_result', parts: [{ kind: 'text', text }] };
  task.artifacts.push(artifact);
  await emit({ kind: 'artifact-update', ...ids, artifact, append: false, lastChunk: true });
  task.status = status(state);
  await emit({ kind: 'status-update', ...ids, status: task.status, final: true });
}
