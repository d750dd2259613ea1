/** What a docker daemon changes in the host's packet filter, and its way back. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { run } from '../run.ts';

const IP_FORWARD = '/proc/sys/net/ipv4/ip_forward';

/** How the host forwarded packets before. */
interface Forwarding {
  enabled: string;
  policy: string;
}

/** Writes down in `file`, if it is not there yet, whether and how the host forwards packets. */
export async function recordForwarding(file: string): Promise<void> {
  if (existsSync(file)) return;
  const [, policy] = /^-P FORWARD (\w+)/m.exec(await run('iptables', ['-S', 'FORWARD'])) ?? [];
  const before: Forwarding = { enabled: readFileSync(IP_FORWARD, 'utf8').trim(), policy: policy ?? 'ACCEPT' };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(before));
}

/** The input for iptables-restore that takes docker's chains, and the rules that name them or `words`, out of a table. */
export function removal(table: string, saved: string, words: string[]): string {
  const lines = saved.split('\n');
  const chains = lines.flatMap((line) => /^:(DOCKER\S*)/.exec(line)?.[1] ?? []);
  const concerned = (line: string) => line.split(' ').some((word) => chains.includes(word) || words.includes(word));
  const rules = lines.filter((line) => line.startsWith('-A ') && concerned(line)).map((line) => `-D ${line.slice(3)}`);
  return [`*${table}`, ...rules, ...chains.map((chain) => `-X ${chain}`), 'COMMIT', ''].join('\n');
}

/**
 * Removes docker's chains and the rules that name them or one of `words` (its bridge, its subnet), and restores what
 * `recordForwarding` wrote in `file`. Does nothing without that file: then the daemon was not started here.
 */
export async function restoreForwarding(file: string, words: string[]): Promise<void> {
  if (!existsSync(file)) return;
  const before = JSON.parse(readFileSync(file, 'utf8')) as Forwarding;
  for (const table of ['filter', 'nat']) {
    const saved = await run('iptables-save', ['-t', table]);
    await run('iptables-restore', ['--noflush'], { input: removal(table, saved, words) });
  }
  await run('iptables', ['-P', 'FORWARD', before.policy]);
  writeFileSync(IP_FORWARD, before.enabled);
  rmSync(file);
}
