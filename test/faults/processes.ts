/** Ends a run as a power cut would: the process, its group, and every child it started, at once. */
import { readdirSync, readFileSync } from 'node:fs';

/** Parent of every process, by pid. */
function parents(): Map<number, number> {
  const found = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      found.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

/** Pids of a process and of all its descendants. */
export function treeOf(pid: number): number[] {
  const of = parents();
  const tree = [pid];
  for (const parent of tree) for (const [child, above] of of) if (above === parent) tree.push(child);
  return tree;
}

/** SIGKILL to a process and all its descendants; the parent first, so that it starts no more. @returns how many */
export function endTree(pid: number): number {
  process.kill(pid, 'SIGSTOP');
  const tree = treeOf(pid);
  for (const one of tree) {
    try {
      process.kill(one, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
  return tree.length;
}
