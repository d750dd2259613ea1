/** One kubectl command, without a shell, with the pod's own service account (kubently-contract 4). */
import { execFile, type ExecFileException } from 'node:child_process';

const LIMIT_MS = 30_000;
const MAX_OUTPUT = 10 * 1024 * 1024;

export type Ran = { success: boolean; output: string | null; error: string | null; exit_code: number | null };

function ended(error: ExecFileException | null, output: string): Ran {
  if (error === null) return { success: true, output, error: null, exit_code: 0 };
  if (typeof error.code === 'number') return { success: false, output, error: null, exit_code: error.code };
  const late = error.killed === true && error.code == null;
  const text = late ? `Command timed out after ${LIMIT_MS / 1000} seconds` : error.message;
  return { success: false, output: null, error: text, exit_code: null };
}

/** Runs `kubectl args`; the output is stdout, then stderr. Never throws. */
export function runKubectl(args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile('kubectl', args, { timeout: LIMIT_MS, maxBuffer: MAX_OUTPUT }, (error, stdout, stderr) => {
      resolve(ended(error, stdout + stderr));
    });
  });
}
