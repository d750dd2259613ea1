/**
 * The rehearsal's agent. Where a base URL is set for the provider, it asks the language model there, with tools that run
 * over the ordinary command path. Without one it follows a fixed rule and knows one question: which pods run in a
 * namespace, on all clusters or on one. Either way the answer is made of real kubectl output.
 */
import type { Identity } from './authentication.ts';
import { runCommand, type Outcome } from './commands.ts';
import { ask, modelOf, type Tool } from './model.ts';
import type { Store } from './store.ts';

const PROVIDER_KEYS: Record<string, string> = {
  'anthropic-claude': 'ANTHROPIC_API_KEY',
  openai: 'OPENAI_API_KEY',
  'google-gemini': 'GOOGLE_API_KEY',
};

/** Anthropic ended the Claude 4.0 models and their predecessors: a question to one of them fails. */
const RETIRED_MODEL = /^claude-(2|3-|instant|sonnet-4-20250514|sonnet-4-0$|opus-4-20250514|opus-4-0$)/;

const TIMEOUT_SECONDS = 20;
const LOADING_MS = 3000;

const UNKNOWN_QUESTION =
  'This rehearsal agent knows one question only: which pods run in a namespace, for example ' +
  '"What pods are running in test-app namespace across all clusters?". It did not understand yours.';

/** Why no model could be asked, in words; undefined when the settings are complete. Read at each question, as in Kubently. */
export function providerProblem(environment: NodeJS.ProcessEnv): string | undefined {
  const provider = environment['LLM_PROVIDER'] ?? '';
  const keyName = PROVIDER_KEYS[provider];
  if (keyName === undefined) {
    const known = Object.keys(PROVIDER_KEYS).join(', ');
    return provider === '' ? `LLM_PROVIDER is not set (${known})` : `Unknown LLM_PROVIDER ${provider} (${known})`;
  }
  if ((environment[keyName] ?? '') === '') return `${keyName} is not set, and LLM_PROVIDER is ${provider}`;
  const model = environment['ANTHROPIC_MODEL_NAME'] ?? '';
  if (provider === 'anthropic-claude' && RETIRED_MODEL.test(model)) {
    return `not_found_error: model ${model} is retired; set ANTHROPIC_MODEL_NAME to a current one`;
  }
  return undefined;
}

/** Namespace and named cluster of a question about pods; undefined for any other question. */
export function understand(question: string): { namespace: string; cluster?: string } | undefined {
  if (!/\bpods?\b/i.test(question)) return undefined;
  const name = `["'\`]?([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)["'\`]?`;
  const namespace =
    new RegExp(`\\b(?:in|of|from)\\s+(?:the\\s+)?(?!(?:the|namespace)\\b)${name}\\s+namespace\\b`).exec(question) ??
    new RegExp(`\\bnamespace\\s+${name}`).exec(question);
  if (namespace?.[1] === undefined) return undefined;
  const cluster =
    new RegExp(`\\bcluster\\s+${name}`).exec(question) ??
    new RegExp(`\\b(?:in|on|of|from)\\s+(?:the\\s+)?(?!(?:the|this|any|all|every|each)\\b)${name}\\s+cluster\\b`).exec(
      question,
    );
  return cluster?.[1] === undefined ? { namespace: namespace[1] } : { namespace: namespace[1], cluster: cluster[1] };
}

/** One cluster's paragraph, from what its kubectl printed. */
export function describePods(cluster: string, namespace: string, outcome: Outcome): string {
  const output = (outcome.output ?? '').trim();
  if (outcome.status !== 'success') {
    return `${cluster}: could not be asked (${outcome.status}): ${outcome.error ?? output}`;
  }
  const [heading, ...rows] = output.split('\n');
  if (heading === undefined || !heading.startsWith('NAME')) {
    return `${cluster}: no pods in namespace ${namespace} (${output})`;
  }
  const pods = rows.map((row) => {
    const [name, ready, status, restarts] = row.split(/\s+/);
    return `  - ${name ?? ''}: ${status ?? ''}, ready ${ready ?? ''}, restarts ${restarts ?? ''}`;
  });
  return [`${cluster}: ${pods.length} pod${pods.length === 1 ? '' : 's'} in namespace ${namespace}`, ...pods].join(
    '\n',
  );
}

const SYSTEM = 'You debug Kubernetes clusters. Look with the tools; answer from what they print.';

let loaded = false;

/** The first question loads the model's libraries, as in Kubently: meanwhile the event loop stands still. */
function loadModel(): void {
  if (loaded) return;
  loaded = true;
  for (const end = Date.now() + LOADING_MS; Date.now() < end;);
}

/** What the model may do. */
function toolsOf(
  store: Store,
  identity: Identity,
  onCommand: (cluster: string, args: string[]) => Promise<void>,
): Tool[] {
  return [
    {
      name: 'list_clusters',
      description: 'The clusters that are known',
      schema: { type: 'object', properties: {}, required: [] },
      run: async () => JSON.stringify({ clusters: await store.clusters() }),
    },
    {
      name: 'execute_kubectl',
      description: 'Runs a read-only kubectl command in a cluster',
      schema: {
        type: 'object',
        properties: {
          cluster_id: { type: 'string' },
          command: { type: 'string', description: 'The command line, without the word kubectl' },
        },
        required: ['cluster_id', 'command'],
      },
      run: async ({ cluster_id: cluster, command }) => {
        const args = String(command).trim().split(/\s+/);
        await onCommand(String(cluster), args);
        try {
          return JSON.stringify(
            await runCommand(store, { cluster: String(cluster), args, timeout: TIMEOUT_SECONDS, identity }),
          );
        } catch (error) {
          return error instanceof Error ? error.message : String(error);
        }
      },
    },
  ];
}

export type Answer = { state: 'completed' | 'failed'; text: string };

/** Answers the question; `onCommand` hears of each command before it runs. */
export async function answer(
  store: Store,
  environment: NodeJS.ProcessEnv,
  asked: { question: string; clusterId: string | undefined; identity: Identity },
  onCommand: (cluster: string, args: string[]) => Promise<void>,
): Promise<Answer> {
  const problem = providerProblem(environment);
  if (problem !== undefined)
    return { state: 'failed', text: `I encountered an error while processing your request: ${problem}` };
  loadModel();
  const model = modelOf(environment);
  if (model !== undefined) {
    const bound = asked.clusterId === undefined ? '' : ` The question is about cluster "${asked.clusterId}".`;
    try {
      const tools = toolsOf(store, asked.identity, onCommand);
      return { state: 'completed', text: await ask(model, `${SYSTEM}${bound}`, asked.question, tools) };
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      return { state: 'failed', text: `I encountered an error while processing your request: ${words}` };
    }
  }
  const understood = understand(asked.question);
  if (understood === undefined) return { state: 'completed', text: UNKNOWN_QUESTION };

  const known = await store.clusters();
  const named = asked.clusterId ?? understood.cluster;
  if (named !== undefined && !known.includes(named)) {
    return { state: 'completed', text: `No cluster ${named} is registered. Known: ${known.join(', ') || 'none'}` };
  }
  const clusters = named === undefined ? known : [named];
  if (clusters.length === 0) return { state: 'completed', text: 'No cluster is registered.' };
  const args = ['get', 'pods', '-n', understood.namespace];
  const parts = await Promise.all(
    clusters.map(async (cluster) => {
      await onCommand(cluster, args);
      const outcome = await runCommand(store, { cluster, args, timeout: TIMEOUT_SECONDS, identity: asked.identity });
      return describePods(cluster, understood.namespace, outcome);
    }),
  );
  return { state: 'completed', text: parts.join('\n\n') };
}
