/** `kubently cluster`: the registered clusters and their executor tokens. */
import { createInterface } from 'node:readline/promises';
import { call } from './api.ts';
import { readConfig, writeConfig, type Connection } from './settings.ts';

type Agent = { id: string; connected: boolean };

function box(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  const rule = (left: string, middle: string, right: string) =>
    left + widths.map((width) => '─'.repeat(width + 2)).join(middle) + right;
  const [head, ...rest] = rows.map((row) => `│${row.map((cell, i) => ` ${cell.padEnd(widths[i] ?? 0)} `).join('│')}│`);
  return [rule('┌', '┬', '┐'), head, rule('├', '┼', '┤'), ...rest, rule('└', '┴', '┘')].join('\n');
}

const state = (connected: boolean) => (connected ? 'connected' : 'disconnected');

/** Prints all clusters as a table. */
export async function list(at: Connection): Promise<void> {
  const { clusters } = await call<{ clusters: Agent[] }>(at, 'GET', '/admin/agents');
  console.log(box([['Cluster', 'Status'], ...clusters.map(({ id, connected }) => [id, state(connected)])]));
}

/** Prints one cluster's state. */
export async function status(at: Connection, id: string): Promise<void> {
  const found = await call<Agent & { version: string | null; mode: string | null }>(
    at,
    'GET',
    `/admin/agents/${encodeURIComponent(id)}/status`,
  );
  const rows = [
    ['Cluster', found.id],
    ['Status', state(found.connected)],
    ['Version', found.version ?? '-'],
    ['Mode', found.mode ?? '-'],
  ];
  console.log(box(rows));
}

/** Registers a cluster, prints its token and keeps it in the config file. */
export async function add(at: Connection, id: string, customToken: string | undefined): Promise<void> {
  const body = customToken === undefined ? {} : { token: customToken };
  const { token } = await call<{ token: string }>(at, 'POST', `/admin/agents/${encodeURIComponent(id)}/token`, body);
  const config = readConfig();
  writeConfig({ ...config, clusters: { ...config.clusters, [id]: { token } } });
  console.log(`Cluster ${id} registered. Token: ${token}`);
}

/** Removes a cluster's token, after a question unless `force`. */
export async function remove(at: Connection, id: string, force: boolean): Promise<void> {
  if (!force) {
    const lines = createInterface({ input: process.stdin, output: process.stdout });
    const reply = await lines.question(`Remove cluster ${id}? (y/N) `);
    lines.close();
    if (!/^y(es)?$/i.test(reply.trim())) {
      console.log('Nothing removed.');
      return;
    }
  }
  await call<undefined>(at, 'DELETE', `/admin/agents/${encodeURIComponent(id)}/token`);
  const config = readConfig();
  const clusters = Object.fromEntries(Object.entries(config.clusters ?? {}).filter(([name]) => name !== id));
  writeConfig({ ...config, clusters });
  console.log(`Cluster ${id} removed.`);
}
