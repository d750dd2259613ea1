/** The executor: holds a command stream to the API open, runs each command, posts its result; retries for ever. */
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { z } from 'zod';
import { log, reason } from '../log.ts';
import { send } from './connection.ts';
import { runKubectl, type Ran } from './kubectl.ts';
import { readSettings, type Settings } from './settings.ts';
import { announceTrust, readRoots } from './trust.ts';
import { refusal, watchRules } from './whitelist.ts';

/** Between tries, as in Kubently. */
const RETRY_MS = 5000;
const POST_MS = 10_000;
/** The server pings every 15 s. */
const SILENCE_MS = 60_000;
const CA_CHECK_MS = 5000;

const Command = z.object({ id: z.string(), args: z.array(z.string()) });

function settingsOrExit(): Settings {
  try {
    return readSettings(process.env);
  } catch (error) {
    log.error(reason(error));
    process.exit(1);
  }
}

const settings = settingsOrExit();
const rules = watchRules(settings.whitelistFile);
const headers = { Authorization: `Bearer ${settings.token}`, 'X-Cluster-Id': settings.cluster };

const Answer = z.object({ status: z.string() });

/** Posts once; answers the server's word for it, or undefined when it refused. @throws when it cannot be reached */
async function post(path: string, content: unknown): Promise<string | undefined> {
  const body = JSON.stringify(content);
  const answer = await send(settings, {
    method: 'POST',
    path,
    headers: { ...headers, 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) },
    body,
    silenceMs: POST_MS,
  });
  const said = await text(answer);
  if (answer.statusCode === 200) return Answer.parse(JSON.parse(said)).status;
  log.error(`POST ${path}: ${answer.statusCode ?? 'no status'}`);
  return undefined;
}

async function execute(data: string): Promise<void> {
  const { id, args } = Command.parse(JSON.parse(data));
  const started = Date.now();
  const refused = refusal(args, rules());
  if (refused !== undefined) log.warning(`Command ${id} blocked: ${refused}`);
  else log.info(`Command ${id}: kubectl ${args.join(' ')}`);
  const ran: Ran =
    refused === undefined
      ? await runKubectl(args)
      : { success: false, output: null, error: `Command blocked by whitelist: ${refused}`, exit_code: null };
  await post('/executor/results', {
    command_id: id,
    ...ran,
    execution_time_ms: Date.now() - started,
    executed_at: started / 1000,
  });
}

/** Ends the stream when the CA file changes: what it no longer trusts must not live on. @returns how to stop watching */
function watchRoots(answer: IncomingMessage, roots: string | undefined): () => void {
  const timer = setInterval(() => {
    try {
      if (readRoots(settings) !== roots) answer.destroy(new Error('The CA file changed'));
    } catch (error) {
      log.error(`${reason(error)}; the stream stays`);
    }
  }, CA_CHECK_MS);
  return () => clearInterval(timer);
}

/** One connection, until the server ends it or the CA file changes. @throws for a refused or broken one */
async function follow(): Promise<void> {
  const roots = readRoots(settings);
  const answer = await send(settings, {
    method: 'GET',
    path: '/executor/stream',
    headers: { ...headers, Accept: 'text/event-stream' },
    silenceMs: SILENCE_MS,
  });
  if (answer.statusCode !== 200) {
    answer.destroy();
    const { location } = answer.headers;
    throw new Error(
      `Failed to connect: ${answer.statusCode ?? 'no status'}${location === undefined ? '' : ` (sent to ${location}; not followed)`}`,
    );
  }
  log.info('SSE connection established');
  const unwatch = watchRoots(answer, roots);
  const events: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => events.push(event) });
  try {
    for await (const chunk of answer.setEncoding('utf8') as AsyncIterable<string>) {
      parser.feed(chunk);
      for (const { event, data } of events.splice(0)) {
        if (event !== 'command') continue;
        // One after another; a result that cannot be delivered is lost, as in Kubently.
        await execute(data).catch((error: unknown) => log.error(`Command failed: ${reason(error)}`));
      }
    }
  } finally {
    unwatch();
  }
  log.info('SSE stream ended');
}

/** The CA file's text, or why there is none. */
function rootsNow(): string | undefined {
  try {
    return readRoots(settings);
  } catch (error) {
    return reason(error);
  }
}

/** Waits; no longer than until the CA file changes, which may be what was wrong. */
async function pause(ms: number): Promise<void> {
  const roots = rootsNow();
  for (const end = Date.now() + ms; Date.now() < end && rootsNow() === roots;) {
    await sleep(Math.min(CA_CHECK_MS, end - Date.now()));
  }
}

/** Reports what this executor may do, then keeps the report alive; again whenever the server has lost it. */
async function reportCapabilities(): Promise<void> {
  let reported = false;
  for (;;) {
    const { mode, verbs, flags, restricted } = rules();
    const report = {
      mode,
      allowed_verbs: [...verbs],
      restricted_resources: restricted,
      allowed_flags: flags,
      executor_version: settings.version,
      executor_pod: settings.pod,
    };
    try {
      if (reported) reported = (await post('/executor/heartbeat', {})) === 'success';
      if (!reported) reported = (await post('/executor/capabilities', report)) === 'success';
    } catch (error) {
      log.warning(`Capabilities not reported: ${reason(error)}`);
    }
    await sleep(settings.heartbeatInterval * 1000);
  }
}

// No handler for SIGTERM: the first process of a container then ignores it, as Kubently's executor does.
process.once('SIGINT', () => process.exit(0));
log.info(`Executor ${settings.version} for cluster ${settings.cluster} at ${settings.apiUrl}`);
announceTrust(settings);
if (settings.reportCapabilities) void reportCapabilities();
for (;;) {
  try {
    await follow();
  } catch (error) {
    log.error(`${reason(error)}; next try in ${RETRY_MS / 1000} s`);
    await pause(RETRY_MS);
  }
}
