/** Who runs the runbook: enough to tell a dead run from a living one, and to find what a killed run left working. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';

/** This process's run: the journal's, the lock's, and in the environment of every child. */
export const RUN_ID = `${Date.now().toString(36)}-${process.pid}`;

/** The variable by which a child is known as a run's. */
export const RUN_VARIABLE = 'RUNBOOK_RUN';

export interface Owner {
  user: string;
  host: string;
  pid: number;
  /** RUN_ID of its process. */
  run: string;
  /** Where its pid means something: this boot of this kernel, and the pid namespace; empty where unknown. */
  place: string;
  /** When its process started, in the kernel's ticks: a pid is used again. */
  started: string;
}

/** This process. */
export function thisOwner(): Owner {
  return {
    user: userInfo().username,
    host: hostname(),
    pid: process.pid,
    run: RUN_ID,
    place: thisPlace(),
    started: startOf(process.pid) ?? '',
  };
}

/** `elsewhere`: another machine or container, which only its heartbeat can tell of. */
export function lifeOf(owner: Owner): 'alive' | 'dead' | 'elsewhere' {
  if (owner.place === '' || owner.place !== thisPlace()) return 'elsewhere';
  return startOf(owner.pid) === owner.started ? 'alive' : 'dead';
}

/** Processes of this place that a run started and that still work. */
export function childrenOf(run: string): number[] {
  return readable(() => readdirSync('/proc'), [])
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) =>
      readable(() => readFileSync(`/proc/${pid}/environ`, 'utf8'), '')
        .split('\0')
        .includes(`${RUN_VARIABLE}=${run}`),
    )
    .map(Number);
}

function thisPlace(): string {
  return readable(
    () => `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${readlinkSync('/proc/self/ns/pid')}`,
    '',
  );
}

/** Field 22 of /proc/PID/stat; the name before it may hold spaces. A zombie has ended. */
function startOf(pid: number): string | undefined {
  const stat = readable(() => readFileSync(`/proc/${pid}/stat`, 'utf8'), '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}

/** What a process shows may be gone or somebody else's. */
function readable<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
