/** The A2A endpoint: agent card, and JSON-RPC with message/send, message/stream, tasks/get (kubently-contract 3.7). */
import { Hono, type Context } from 'hono';
import { z } from 'zod';
import { log, reason } from '../log.ts';
import { identify, type ClientEnv, type Identity } from './authentication.ts';
import { eventStream } from './sse.ts';
import type { Store } from './store.ts';
import { MessageParams, runTask, Tasks } from './tasks.ts';

const Request = z.object({
  jsonrpc: z.literal('2.0'),
  id: z.union([z.string(), z.number(), z.null()]).optional(),
  method: z.string(),
  params: z.unknown(),
});

const CODES = { parse: -32700, request: -32600, method: -32601, params: -32602, internal: -32603 } as const;

function card(environment: NodeJS.ProcessEnv) {
  const url = environment['A2A_EXTERNAL_URL'] ?? 'http://localhost:8080/a2a/';
  const modes = ['text/plain', 'application/json'];
  return {
    name: 'Kubently',
    description: 'Kubernetes debugging agent (rehearsal: answers one question by a fixed rule)',
    supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '0.3' }],
    version: '1.0.0',
    capabilities: { streaming: true, pushNotifications: false },
    defaultInputModes: modes,
    defaultOutputModes: modes,
    skills: [
      {
        id: 'list-pods',
        name: 'List pods',
        description: 'Pods of a namespace, on all clusters or one',
        tags: ['kubernetes', 'pods'],
        examples: ['What pods are running in test-app namespace across all clusters?'],
      },
    ],
    url,
    protocolVersion: '0.3',
    preferredTransport: 'JSONRPC',
  };
}

export type A2ASettings = {
  store: Store;
  apiKeys: Map<string, Identity>;
  environment: NodeJS.ProcessEnv;
  closing: AbortSignal;
};

/** Routes below /a2a/; the card is open, everything else needs X-API-Key (401 {"error"}). */
export function a2aRoutes(settings: A2ASettings): Hono<ClientEnv> {
  const { store, apiKeys, environment, closing } = settings;
  const tasks = new Tasks();
  const app = new Hono<ClientEnv>();
  for (const name of ['agent.json', 'agent-card.json']) {
    app.get(`/.well-known/${name}`, (c) => c.json(card(environment)));
  }

  app.use(async (c, next) => {
    const identity = await identify(c.req.header('X-API-Key'), apiKeys, store);
    if (identity === undefined) return c.json({ error: 'Invalid or missing API key' }, 401);
    c.set('identity', identity);
    return next();
  });

  app.post('/', async (c) => {
    const fail = (id: unknown, code: number, message: string) =>
      c.json({ jsonrpc: '2.0', id: id ?? null, error: { code, message } });
    let value: unknown;
    try {
      value = await c.req.json();
    } catch {
      return fail(null, CODES.parse, 'Invalid JSON payload');
    }
    const request = Request.safeParse(value);
    if (!request.success) return fail(null, CODES.request, 'Request payload validation error');
    const { id, method, params } = request.data;

    if (method === 'tasks/get') {
      const wanted = z.object({ id: z.string() }).safeParse(params);
      if (!wanted.success) return fail(id, CODES.params, 'Invalid parameters');
      const task = tasks.get(wanted.data.id);
      return task === undefined
        ? fail(id, CODES.internal, 'Task not found')
        : c.json({ jsonrpc: '2.0', id, result: task });
    }
    if (method !== 'message/send' && method !== 'message/stream') return fail(id, CODES.method, 'Method not found');
    const message = MessageParams.safeParse(params);
    if (!message.success) return fail(id, CODES.params, 'Invalid parameters');
    const task = tasks.submit(message.data);
    const run = (emit: (result: unknown) => Promise<void>) =>
      runTask({ store, environment }, task, message.data, c.get('identity'), emit);

    if (method === 'message/stream') {
      return eventStream(c, closing, ({ send }) =>
        run((result) => send({ jsonrpc: '2.0', id, result })).catch((error: unknown) => {
          log.error(`A2A: ${reason(error)}`);
          return send({ jsonrpc: '2.0', id, error: { code: CODES.internal, message: reason(error) } });
        }),
      );
    }
    await run(() => Promise.resolve());
    return c.json({ jsonrpc: '2.0', id, result: task });
  });

  app.all('/', (c: Context) => c.json({ error: 'Method Not Allowed' }, 405, { Allow: 'POST' }));
  return app;
}
