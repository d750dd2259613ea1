/** Starts the API server: settings from the environment, Redis in the background, HTTP at --host and --port. */
import { parseArgs } from 'node:util';
import { serve } from '@hono/node-server';
import { log } from '../log.ts';
import { createApp } from './app.ts';
import { parseApiKeys } from './authentication.ts';
import { connectStore } from './store.ts';

const { values } = parseArgs({
  options: { host: { type: 'string', default: '127.0.0.1' }, port: { type: 'string', default: '8080' } },
});

function refuse(message: string): never {
  log.error(message);
  process.exit(1);
}

const apiKeys = parseApiKeys(process.env['API_KEYS'] ?? '');
if (apiKeys.size === 0) refuse('API_KEYS is empty: set it to service:key entries separated by commas or newlines');
if ((process.env['REQUIRE_AUTH'] ?? 'true').toLowerCase() !== 'true') {
  refuse('REQUIRE_AUTH must be true: this server does not run without authentication');
}
// Not awaited: the server answers /health with 503 until Redis is there.
const store = connectStore(process.env);
const closing = new AbortController();
const app = createApp({ store, apiKeys, environment: process.env, closing: closing.signal });
const server = serve(
  {
    fetch: app.fetch,
    hostname: values.host,
    port: Number(values.port),
    // Longer than an ingress keeps idle connections, so that it never reuses one that is just closing.
    serverOptions: { keepAliveTimeout: 120_000 },
  },
  (address) => log.info(`Kubently API listening on ${address.address}:${address.port}`),
);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    log.info(`${signal}: shutting down`);
    server.close(() => store.close());
    // Streams break: an executor waits before it connects to another replica.
    closing.abort();
    setInterval(() => 'closeIdleConnections' in server && server.closeIdleConnections(), 50).unref();
    setTimeout(() => process.exit(0), 5000).unref();
  });
}
