/** Runs a program to its end, for the sandbox's own glue. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** What a program gets besides its arguments. */
export interface RunOptions {
  input?: string;
  env?: Record<string, string>;
  cwd?: string;
  seconds?: number;
}

/**
 * Runs a program with this process's environment (plus `env`) and returns its stdout.
 * Throws an Error whose message holds the command and its stderr when it does not exit with 0.
 */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const child = execute(command, args, {
    env: { ...process.env, ...options.env },
    maxBuffer: 256 * 1024 * 1024,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.seconds === undefined ? {} : { timeout: options.seconds * 1000 }),
  });
  // A program that ends without reading its input is no failure.
  child.child.stdin?.on('error', () => undefined).end(options.input ?? '');
  return (await child).stdout;
}

/** Like `run`, but answers whether the program exited with 0. */
export async function succeeds(command: string, args: string[], options: RunOptions = {}): Promise<boolean> {
  try {
    await run(command, args, options);
    return true;
  } catch {
    return false;
  }
}

/**
 * Asks `probe` every `milliseconds` until it answers true.
 * Throws an Error naming `what` after `seconds`.
 */
export async function until(
  what: string,
  seconds: number,
  probe: () => Promise<boolean>,
  milliseconds = 200,
): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await probe())) {
    if (Date.now() > end) throw new Error(`${what}: not so after ${seconds} s`);
    await new Promise((wake) => setTimeout(wake, milliseconds));
  }
}
