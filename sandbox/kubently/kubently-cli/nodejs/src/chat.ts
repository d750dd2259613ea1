/** `kubently debug`: a chat with the agent over A2A message/stream. */
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { reason } from './api.ts';
import type { Connection } from './settings.ts';

const LIMIT_MS = 60_000;

type Part = { text?: string };
type Frame = {
  error?: { message: string };
  result?: {
    kind: string;
    artifact?: { parts: Part[] };
    status?: { state: string; message?: { parts: Part[] } };
    metadata?: Record<string, unknown>;
  };
};

const words = (parts: Part[]) => parts.map((part) => part.text ?? '').join('');

/** Asks one question; hears of tool calls on `progress`. @throws Error when there is no answer */
async function ask(
  at: Connection,
  question: string,
  context: { id: string; cluster: string | undefined },
  progress: (text: string) => void,
): Promise<string> {
  const response = await fetch(`${at.apiUrl}${at.a2aPath}/`, {
    method: 'POST',
    headers: { 'X-API-Key': at.apiKey, 'Content-Type': 'application/json', Accept: 'text/event-stream' },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: randomUUID(),
      method: 'message/stream',
      params: {
        message: {
          kind: 'message',
          messageId: randomUUID(),
          role: 'user',
          parts: [{ kind: 'text', text: question }],
          contextId: context.id,
        },
        ...(context.cluster === undefined ? {} : { metadata: { clusterId: context.cluster } }),
      },
    }),
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  if (!response.ok || response.body === null) {
    throw new Error(`The A2A endpoint answered ${response.status}: ${await response.text()}`);
  }
  let answer = '';
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  for await (const { data } of events) {
    const { error, result } = JSON.parse(data) as Frame;
    if (error !== undefined) throw new Error(error.message);
    if (result?.metadata?.['kubently/event'] === 'tool_call') progress(words(result.status?.message?.parts ?? []));
    if (result?.artifact !== undefined) answer += words(result.artifact.parts);
  }
  if (answer === '') throw new Error('The agent gave no answer');
  return answer;
}

const RULE = '─'.repeat(60);

/**
 * Asks stdin's lines in turn, until it ends or says exit; failures are printed, and the chat goes on. As in Kubently,
 * readline runs as a terminal on piped input too, so prompt and question are echoed with cursor codes, and `exit` ends
 * the session before the answer is there.
 */
export async function chat(at: Connection, cluster: string | undefined): Promise<void> {
  const context = { id: randomUUID(), cluster };
  console.log(`Kubently debug session${cluster === undefined ? '' : ` for cluster ${cluster}`} at ${at.apiUrl}`);
  const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: true });
  let asked = Promise.resolve();
  const answered = async (question: string): Promise<void> => {
    console.log('⏳ Waiting for Kubently agent...');
    try {
      const answer = await ask(at, question, context, (text) => console.log(`  > ${text}`));
      console.log(`✔ Agent responded\n🤖 Kubently Response:\n${RULE}\n${answer}\n${RULE}`);
    } catch (error) {
      console.log(`\nError: ${reason(error)}\n`);
    }
  };
  lines.setPrompt('kubently> ');
  lines.prompt();
  const ended = new Promise<void>((resolve) => lines.once('close', resolve));
  lines.on('line', (line) => {
    const question = line.trim();
    if (question === 'exit' || question === 'quit') {
      console.log('✓ Session ended');
      lines.close();
    } else if (question !== '') asked = asked.then(() => answered(question));
  });
  await ended;
  await asked;
}
