/** Lines of the sandbox in /etc/hosts, for host tools that ask no DNS server of their own choice. */
import { readFileSync, writeFileSync } from 'node:fs';

const MARK = '# kubently-sandbox';

/** `text` without the sandbox's lines; with `entry` given, one line for it at the end. Pure. */
function hostsText(text: string, entry?: { name: string; address: string }): string {
  const others = text.split('\n').filter((line) => !line.endsWith(MARK));
  if (entry === undefined) return others.join('\n');
  const ending = others.at(-1) === '' ? [] : [''];
  return `${[...others, ...ending].join('\n')}${entry.address} ${entry.name} ${MARK}\n`;
}

function rewrite(file: string, entry?: { name: string; address: string }): boolean {
  const before = readFileSync(file, 'utf8');
  const after = hostsText(before, entry);
  // Written in place: in containers /etc/hosts is a mount, over which nothing can be renamed.
  if (after !== before) writeFileSync(file, after);
  return after !== before;
}

/** Makes `name` resolve to `address` on this machine, in place of what the sandbox had there before. */
export function addHost(name: string, address: string, file = '/etc/hosts'): boolean {
  return rewrite(file, { name, address });
}

/** Removes the sandbox's lines; answers whether there were any. */
export function removeHosts(file = '/etc/hosts'): boolean {
  return rewrite(file);
}
