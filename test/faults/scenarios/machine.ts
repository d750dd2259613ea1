/** The operator's own side: the registry does not answer, the disk of the journal is full. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { untilDone, type Fault, type Seen } from '../fault.ts';
import { ENV_FILE, ROOT, start } from '../run.ts';
import { whileStopped } from '../world.ts';

async function registryDown(): Promise<Seen> {
  const down = await whileStopped('registry', async () => start(['2.2'], ENV_FILE, 'registry').ended);
  await delay(500);
  const again = down.status === 0 ? [] : await untilDone(['2.2'], ENV_FILE, 'registry');
  return {
    command: './runbook 2.2',
    runs: [down, ...again],
    cause: /127\.0\.0\.1:5000|registry/,
    ...(down.status === 0 ? { unproven: 'the run went through' } : {}),
  };
}

const FOLDER = join(ROOT, '.runbook');

/** The journal's folder on a file system of its own without a byte left, all that was in it beside. */
async function diskFull(): Promise<Seen> {
  mkdirSync(FOLDER, { recursive: true });
  const copy = mkdtempSync(join(tmpdir(), 'kubently-faults-disk-'));
  // make dev's part is no run's, and thousands of files.
  cpSync(FOLDER, copy, { recursive: true, filter: (path) => path !== join(FOLDER, 'dev') });
  const kibibytes = Number(execFileSync('du', ['-sk', copy], { encoding: 'utf8' }).split('\t')[0]);
  const unmount = (): void => {
    execFileSync('umount', [FOLDER]);
    rmSync(copy, { recursive: true, force: true });
  };
  process.once('exit', unmount);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes + 512}k,mode=700`, 'tmpfs', FOLDER]);
  try {
    cpSync(copy, FOLDER, { recursive: true });
    const filler = join(FOLDER, 'filler');
    try {
      for (;;) appendFileSync(filler, Buffer.alloc(4096));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
    const journal = join(FOLDER, 'journal.jsonl');
    const before = existsSync(journal) ? statSync(journal).size : 0;
    const runs = [await start(['deploy'], ENV_FILE, 'disk-full').ended];
    const grown = (existsSync(journal) ? statSync(journal).size : 0) - before;
    const told = runs[0]?.lines.filter((l) => l.text.includes('journal cannot be written')).length ?? 0;
    // Where it ended badly the same command goes on as soon as there is room.
    rmSync(filler);
    if (runs[0]?.status !== 0) runs.push(...(await untilDone(['deploy'], ENV_FILE, 'disk-full')));
    return {
      command: './runbook deploy',
      runs,
      cause: /ENOSPC|no space left/,
      note: `warned ${told} time${told === 1 ? '' : 's'}`,
      ...(told !== 1 ? { unproven: `${told} warnings, the journal grew by ${grown} bytes` } : {}),
    };
  } finally {
    process.off('exit', unmount);
    unmount();
  }
}

export const machineFaults: Fault[] = [
  {
    id: 'registry',
    fault: 'the registry does not answer during 2.2',
    done: 'its process stands still (SIGSTOP)',
    short: true,
    strike: registryDown,
  },
  {
    id: 'disk-full',
    fault: 'the disk of the journal is full',
    done: 'a whole deploy with .runbook on a file system without a byte left',
    short: true,
    strike: diskFull,
  },
];
