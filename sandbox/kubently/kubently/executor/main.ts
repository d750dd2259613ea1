/** The executor: holds a command stream to the API open, runs each command, posts its result; retries for ever. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { z } from 'zod';
import { log, reason } from '../log.ts';
import { runKubectl, type Ran } from './kubectl.ts';
import { readSettings, type Settings } from './settings.ts';
import { announceTrust, applyTrust } from './trust.ts';
import { refusal, watchRules } from './whitelist.ts';

const RETRY_MS = 5000;
const POST_MS = 10_000;

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
async function post(path: string, body: unknown): Promise<string | undefined> {
  const response = await fetch(`${settings.apiUrl}${path}`, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(POST_MS),
  });
  if (response.ok) return Answer.parse(await response.json()).status;
  await response.body?.cancel();
  log.error(`POST ${path}: ${response.status}`);
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

/** One connection, until the server ends it. @throws for a refused or broken one */
async function follow(): Promise<void> {
  applyTrust(settings);
  const response = await fetch(`${settings.apiUrl}/executor/stream`, {
    headers: { ...headers, Accept: 'text/event-stream' },
  });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`Failed to connect: ${response.status}`);
  }
  log.info('SSE connection established');
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  for await (const { event, data } of events) {
    if (event !== 'command') continue;
    // One after another; a result that cannot be delivered is lost, as in Kubently.
    await execute(data).catch((error: unknown) => log.error(`Command failed: ${reason(error)}`));
  }
  log.info('SSE stream ended');
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
      applyTrust(settings);
      if (reported) reported = (await post('/executor/heartbeat', {})) === 'success';
      if (!reported) reported = (await post('/executor/capabilities', report)) === 'success';
    } catch (error) {
      log.warning(`Capabilities not reported: ${reason(error)}`);
    }
    await sleep(settings.heartbeatInterval * 1000);
  }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0));
log.info(`Executor ${settings.version} for cluster ${settings.cluster} at ${settings.apiUrl}`);
announceTrust(settings);
if (settings.reportCapabilities) void reportCapabilities();
for (;;) {
  try {
    await follow();
  } catch (error) {
    log.error(`${reason(error)}; next try in ${RETRY_MS / 1000} s`);
    await sleep(RETRY_MS);
  }
}
