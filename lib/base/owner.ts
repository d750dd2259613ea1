/** Who runs the runbook: enough to tell a dead run from a living one, and to find what a killed run left working. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
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

/** As RUN_ID is made, with the number of its process. */
const RUN = /^[0-9a-z]{1,16}-(\d{1,10})$/;

/** Processes of this place, and of this user, that a run started and that still work; none for what is no run's id. */
export function childrenOf(run: string): number[] {
  if (!RUN.test(run)) return [];
  return readable(() => readdirSync('/proc'), [])
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => readable(() => statSync(`/proc/${pid}`).uid, -1) === process.getuid?.())
    .filter((pid) =>
      readable(() => readFileSync(`/proc/${pid}/environ`, 'utf8'), '')
        .split('\0')
        .includes(`${RUN_VARIABLE}=${run}`),
    )
    .map(Number);
}

/** Those that are nobody's any more: none where the run's own process still is the parent of one of them. */
export function leftBy(run: string): number[] {
  const parent = RUN.exec(run)?.[1];
  const children = childrenOf(run);
  return children.some((pid) => statOf(pid)[1] === parent) ? [] : children;
}

function thisPlace(): string {
  return readable(
    () => `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${readlinkSync('/proc/self/ns/pid')}`,
    '',
  );
}

/** Field 22 of /proc/PID/stat. A zombie has ended. */
function startOf(pid: number): string | undefined {
  const fields = statOf(pid);
  return fields[0] === 'Z' ? undefined : fields[19];
}

/** /proc/PID/stat from its third field (the state) on; the name before it may hold spaces. */
function statOf(pid: number): string[] {
  const stat = readable(() => readFileSync(`/proc/${pid}/stat`, 'utf8'), '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** What a process shows may be gone or somebody else's. */
function readable<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
