/** Command lines and environments of a process tree, looked at every 50 ms. */
import { readdirSync, readFileSync } from 'node:fs';

const EVERY_MS = 50;

export interface Sampled {
  /** Command line by words, of every process that was seen. */
  commands: Set<string>;
  /** Environment of each, with its command line. */
  environments: Map<string, { command: string; environment: string }>;
  samples: number;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** Starts to look at the process and its descendants; stop() gives what was seen. */
export function sample(root: number): { stop: () => Sampled } {
  const seen: Sampled = { commands: new Set(), environments: new Map(), samples: 0 };
  const timer = setInterval(() => {
    seen.samples += 1;
    const tree = [root];
    for (const pid of tree) {
      tree.push(...childrenOf(pid));
      const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
      if (command === '' || seen.environments.has(`${pid} ${command}`)) continue;
      seen.commands.add(command);
      const environment = read(`/proc/${pid}/environ`).replaceAll('\0', '\n');
      // Between fork and exec it is still its parent's; once it is gone it has none.
      if (environment !== '') seen.environments.set(`${pid} ${command}`, { command, environment });
    }
  }, EVERY_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return seen;
    },
  };
}
