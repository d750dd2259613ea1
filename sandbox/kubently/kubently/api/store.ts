/** Redis: the connections, and the names of every key and channel (kubently-contract 3). */
import { createClient } from '@redis/client';
import { log, reason } from '../log.ts';

/** Keys and channels, as other parts (the chart's init container, the runbook) know them too. */
export const KEYS = {
  executorToken: (cluster: string) => `executor:token:${cluster}`,
  active: (cluster: string) => `cluster:active:${cluster}`,
  capabilities: (cluster: string) => `cluster:capabilities:${cluster}`,
  command: (id: string) => `command:cluster:${id}`,
  commands: (cluster: string) => `executor-commands:${cluster}`,
  result: (id: string) => `result:${id}`,
  resultReady: (id: string) => `result:ready:${id}`,
  session: (id: string) => `session:${id}`,
  clusterSession: (cluster: string) => `cluster:session:${cluster}`,
  correlation: (id: string) => `correlation:${id}:sessions`,
  apiKey: (sha256: string) => `api:key:${sha256}`,
  activeSessions: 'sessions:active',
  sessionEvents: 'session:events',
  audit: 'auth:audit',
} as const;

function client(environment: NodeJS.ProcessEnv) {
  const password = environment['REDIS_PASSWORD'] ?? '';
  return createClient({
    socket: {
      host: environment['REDIS_HOST'] ?? 'localhost',
      port: Number(environment['REDIS_PORT'] ?? 6379),
      reconnectStrategy: (tries) => Math.min(200 * (tries + 1), 2000),
    },
    database: Number(environment['REDIS_DB'] ?? 0),
    ...(password === '' ? {} : { password }),
    // A request fails at once with 503 instead of hanging until Redis comes back.
    disableOfflineQueue: true,
  });
}

type Client = ReturnType<typeof client>;

/** One connection for commands and one for subscriptions; both reconnect for ever. */
export type Store = {
  redis: Client;
  /** Calls `listener` for each message on `channel`; resolves, once subscribed, to the unsubscriber. */
  subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>>;
  /** Cluster ids that have an executor token, sorted. */
  clusters(): Promise<string[]>;
  /** Whether both connections answer now. */
  ready(): boolean;
  /** The last connection error, or ''. */
  lastError(): string;
  close(): void;
};

/** Connects in the background; until then (and while Redis is away) every call rejects. */
export function connectStore(environment: NodeJS.ProcessEnv): Store {
  const redis = client(environment);
  const subscriber = client(environment);
  const errors: Record<string, string> = {};
  for (const [name, connection] of [['commands', redis] as const, ['subscriptions', subscriber] as const]) {
    connection.on('error', (error: unknown) => {
      const text = reason(error);
      if (text !== errors[name]) log.error(`Redis (${name}): ${text}`);
      errors[name] = text;
    });
    connection.on('ready', () => {
      errors[name] = '';
      log.info(`Redis (${name}): connected`);
    });
    // Its failures arrive as 'error' events too.
    connection.connect().catch(() => undefined);
  }
  return {
    redis,
    async subscribe(channel, listener) {
      await subscriber.subscribe(channel, listener);
      return async () => {
        if (subscriber.isReady) await subscriber.unsubscribe(channel, listener);
      };
    },
    async clusters() {
      const prefix = KEYS.executorToken('');
      const found: string[] = [];
      for await (const keys of redis.scanIterator({ MATCH: `${prefix}*`, COUNT: 500 })) found.push(...keys);
      return [...new Set(found)].map((key) => key.slice(prefix.length)).sort();
    },
    ready: () => redis.isReady && subscriber.isReady,
    lastError: () => errors['commands'] ?? '',
    close() {
      for (const connection of [redis, subscriber]) connection.destroy();
    },
  };
}
