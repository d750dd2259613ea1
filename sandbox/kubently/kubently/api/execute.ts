/** POST /debug/execute: a client's kubectl command (kubently-contract 3.5). */
import { Hono } from 'hono';
import { z } from 'zod';
import type { ClientEnv } from './authentication.ts';
import { body, ClusterId, jsonError, parse } from './body.ts';
import { requireRegistered, runCommand } from './commands.ts';
import { extendSession, findSession } from './sessions.ts';
import type { Store } from './store.ts';

const VERBS = [
  'get',
  'describe',
  'logs',
  'top',
  'events',
  'version',
  'api-resources',
  'api-versions',
  'explain',
  'rollout',
] as const;

/** Refused anywhere in an argument, so `horizontalpodautoscalers` is too (it contains "scale"). */
const FORBIDDEN = /delete|apply|create|patch|edit|replace|scale/;

const EXTRA =
  /^(-o|--output|-l|--selector|--field-selector|--show-[a-z-]+|--no-headers|-w|--watch|--sort-by|-A|--all-namespaces)(=.*)?$/;
/** Options whose value may follow as an argument of its own. */
const WITH_VALUE = /^(-o|--output|-l|--selector|--field-selector|--sort-by)$/;

function onlyAllowedExtras(args: string[]): boolean {
  return args.every((arg, i) => EXTRA.test(arg) || (!arg.startsWith('-') && WITH_VALUE.test(args[i - 1] ?? '')));
}

const Execute = z.object({
  cluster_id: ClusterId,
  command_type: z.enum(VERBS).default('get'),
  args: z
    .array(z.string().refine((arg) => !FORBIDDEN.test(arg), 'contains a forbidden operation'))
    .min(1)
    .max(20),
  namespace: z.string().nullable().default('default'),
  timeout_seconds: z.number().int().min(1).max(30).default(10),
  extra_args: z
    .array(z.string())
    .nullish()
    .refine((args) => onlyAllowedExtras(args ?? []), 'contains an option that is not allowed'),
  session_id: z.string().nullish(),
  correlation_id: z.string().nullish(),
});

const RequestTimeout = z.coerce.number().int().min(1).max(60).optional();

/** The route; `sessionTtl` in seconds is what a command adds to its session. */
export function executeRoutes(store: Store, sessionTtl: number): Hono<ClientEnv> {
  const app = new Hono<ClientEnv>();
  app.post('/', async (c) => {
    const wanted = await body(c, Execute);
    const timeout = parse(RequestTimeout, c.req.header('X-Request-Timeout'), 'header') ?? wanted.timeout_seconds;
    await requireRegistered(store, wanted.cluster_id);
    const session = wanted.session_id == null ? null : await findSession(store, wanted.session_id);
    if (session !== null) {
      if (session.cluster_id !== wanted.cluster_id) {
        throw jsonError(400, { detail: `Session belongs to cluster ${session.cluster_id}, not ${wanted.cluster_id}` });
      }
      await extendSession(store, session, sessionTtl);
    }
    const namespace = wanted.namespace === null || wanted.namespace === '' ? [] : ['-n', wanted.namespace];
    const outcome = await runCommand(store, {
      cluster: wanted.cluster_id,
      args: [wanted.command_type, ...wanted.args, ...namespace, ...(wanted.extra_args ?? [])],
      timeout,
      identity: c.get('identity'),
      session: session?.session_id ?? null,
      correlation: c.req.header('X-Correlation-Id') ?? wanted.correlation_id ?? session?.correlation_id ?? null,
    });
    return c.json(outcome);
  });
  return app;
}
