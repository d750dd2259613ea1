/** The one place that starts other programs: zx, wrapped so that its traps (docs/architecture.md rule 8) cannot come back. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from './failure.ts';
import { wayOut, withoutSecrets } from './refusal.ts';
import { RUN_VARIABLE } from './owner.ts';
import { commandLine } from './tag.ts';
import { bounded } from './say.ts';
import { scrub, Secret } from './secret.ts';
import type { KubeObject } from './kubernetes.ts';
import type { KubeRead } from './kubernetes.ts';

export type Binary = 'docker' | 'gcloud' | 'git' | 'helm' | 'kubectl' | 'node' | 'npm' | 'tar';

export interface Command {
  binary: Binary;
  args: readonly string[];
  /** True when it changes something outside: refused while only looking (`--plan`, `status`). */
  mutates: boolean;
  /** It may begin after the run was stopped: it removes a probe. */
  whileStopping?: true;
  /** Goes to stdin; the only way for a secret besides env. */
  input?: string | Secret;
  /** Beside the settings' child environment. */
  env?: Readonly<Record<string, string | Secret>>;
  /** It runs code that is not ours: of the environment it gets only what names no account and holds no credential. */
  foreign?: true;
  cwd?: string;
  timeoutMs?: number;
  /** Where a secret may stand: stdout is not repeated in an error, and with `both` stderr only where it can hold none. */
  sensitive?: 'stdout' | 'both';
  /** The plain read that a kubectl command is: it may be answered without a process. */
  read?: KubeRead;
}

export interface Output {
  stdout: string;
  stderr: string;
  /** What a read found that needed no process, in place of stdout. */
  objects?: KubeObject[];
}

/** Runs a command and gives its output; throws CommandFailed. */
export type Run = (command: Command) => Promise<Output>;

/** Runs a command that only reads and has no end of its own (a log, a watch); hands over its stdout line by line. */
export type Follow = (command: Pick<Command, 'binary' | 'args'>, line: (text: string) => void) => Promise<Followed>;

export interface Followed {
  /** null: ended by a signal, or not started. */
  exitCode: number | null;
  /** Its last lines, scrubbed. */
  stderr: string;
}

const DEFAULT_TIMEOUT_MS = 120_000;
const CHILD_TIMEOUT_MS = 30_000;
const SHOWN_LINES = 12;
/** Of one command: every object of a large cluster takes less. */
const LARGEST_OUTPUT = 256 * 1024 * 1024;
/** The rest of a longer line is dropped. */
const LONGEST_LINE = 65_536;

/** A command that ended with another status than 0, or in no time that was given. */
export class CommandFailed extends Failure {
  override name = 'CommandFailed';
  readonly exitCode: number | null;
  readonly stderr: string;

  constructor(command: Command, exitCode: number | null, output: Output, timedOut: boolean) {
    const seconds = Math.round((command.timeoutMs ?? DEFAULT_TIMEOUT_MS) / 1000);
    super({
      what: `${command.binary} ${command.args[0] ?? ''} ${timedOut ? `gave no answer within ${seconds} s` : `failed (status ${exitCode ?? 'none'})`}`,
      command: pasteable(command),
      detail: bounded(shown(command, output)),
      next:
        exitCode === 127
          ? `install ${command.binary}, or run \`make tools\``
          : command.binary === 'kubectl' || command.binary === 'gcloud'
            ? wayOut(output.stderr)
            : undefined,
    });
    this.exitCode = exitCode;
    this.stderr = bounded(scrub(output.stderr));
  }
}

/** True for a failure that passes by itself: the API server restarts, a connection breaks, Google asks to slow down. */
export function isTransient(error: unknown): boolean {
  return (
    error instanceof CommandFailed &&
    /connection refused|was refused|connection reset|EOF|TLS handshake timeout|i\/o timeout|etcdserver|unable to handle the request|ServiceUnavailable|too many requests|HTTPError (429|500|502|503)/i.test(
      error.stderr,
    )
  );
}

/** The command line to paste into a shell; input and secrets are never part of it. */
export function pasteable(command: Pick<Command, 'binary' | 'args' | 'input'>): string {
  return commandLine(command.binary, command.args) + (command.input === undefined ? '' : ' < (stdin)');
}

/** A failed command's own words, as far as they may be seen. */
function shown({ sensitive }: Command, { stdout, stderr }: Output): string {
  if (sensitive === undefined) return scrub(lastLines(stderr || stdout));
  if (stderr.trim() === '' && sensitive === 'both') return '(it said nothing but what may hold a secret)';
  return sensitive === 'both' ? lastLines(withoutSecrets(stderr)) : scrub(lastLines(stderr));
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-SHOWN_LINES).join('\n');
}

/** Children that still run: ended when the run is. */
const running = new Set<{ kill: (signal: NodeJS.Signals) => unknown }>();

/** Ends every child that still runs (after Ctrl-C): in their own process groups they do not get the terminal's signal. */
export function endChildren(signal: NodeJS.Signals): void {
  for (const child of running) child.kill(signal);
}

/** Waits until every child has ended, at most so long; what is left then is killed. */
export async function childrenEnded(atMostMs: number): Promise<void> {
  for (const until = Date.now() + atMostMs; running.size > 0 && Date.now() < until;) await delay(50);
  endChildren('SIGKILL');
}

/** Output of a quick local command, or undefined where it fails. */
export function outputNow(binary: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(binary, args, { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8', timeout: 5000 }).trim();
  } catch {
    return undefined;
  }
}

/** A program that has the terminal to itself (tmux). @returns its status, or undefined where it is not installed */
export function inTerminal(binary: string, args: readonly string[]): number | undefined {
  const { status, error } = spawnSync(binary, args, { stdio: 'inherit' });
  return error ? undefined : (status ?? 1);
}

/** What foreign code may know: where programs, temporary files and public CAs are, and the way out. */
const HARMLESS = new RegExp(
  `^(PATH|LANG|TMPDIR|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|${RUN_VARIABLE})$`,
  'i',
);

function harmless(environment: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => HARMLESS.test(name)));
}

/**
 * The real Run: children get only the listed environment.
 * @param environment PATH, HOME and what docs/architecture.md rule 9 lists (lib/settings/settings.ts childEnvironment)
 */
export function realRun(environment: Readonly<Record<string, string>>): Run {
  return async (command) => {
    // Without SHLVL bash takes itself for a remote login and reads ~/.bashrc, at 100 ms a command.
    const env: Record<string, string> = { SHLVL: '1', ...(command.foreign ? harmless(environment) : environment) };
    for (const [name, value] of Object.entries(command.env ?? {}))
      env[name] = value instanceof Secret ? value.reveal() : value;
    const input = command.input instanceof Secret ? command.input.reveal() : command.input;
    const timeoutMs = command.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    // Loaded with the first child: some looks need none, and it is a tenth of the start.
    const { $ } = await import('zx/core');
    const started = Date.now();
    const child = $({
      quiet: true,
      nothrow: true,
      detached: true,
      ...(input ? { input } : { stdio: ['ignore', 'pipe', 'pipe'] as const }),
      env,
      timeout: timeoutMs,
      ...(command.cwd ? { cwd: command.cwd } : {}),
    })`exec ${command.binary} ${command.args}`;
    // A child that ends before it has read its input is told by its status, not by a broken pipe.
    if (input) child.stdin.on('error', () => undefined);
    running.add(child);
    let size = 0;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > LARGEST_OUTPUT) void child.kill('SIGKILL');
      });
    try {
      const ended = await child;
      if (size > LARGEST_OUTPUT)
        throw new Failure({
          what: `${command.binary} ${command.args[0] ?? ''} says more than 256 MB, and was ended`,
          command: pasteable(command),
          next: 'look at what answers there',
        });
      const output = { stdout: ended.stdout, stderr: ended.stderr };
      if (ended.exitCode === 0) return output;
      throw new CommandFailed(
        command,
        ended.exitCode,
        output,
        ended.signal !== null && Date.now() - started >= timeoutMs,
      );
    } finally {
      running.delete(child);
    }
  };
}

/** Hands over each line. They end at line feeds alone: for readline a carriage return ends one as well, which a pod may write. */
function eachLine(stream: Readable, line: (text: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const [first = '', ...others] = chunk.split('\n');
    rest = (rest + first).slice(0, LONGEST_LINE);
    for (const next of others) {
      line(rest);
      rest = next.slice(0, LONGEST_LINE);
    }
  });
  stream.on('end', () => {
    if (rest !== '') line(rest);
  });
}

/** The real Follow, with realRun's environment. Not by zx, which keeps all output in memory until the end. */
export function realFollow(environment: Readonly<Record<string, string>>): Follow {
  return async ({ binary, args }, line) => {
    const child = spawn(binary, args, { env: { ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
    const said: string[] = [];
    eachLine(child.stdout, line);
    eachLine(child.stderr, (text) => said.splice(0, Math.max(0, said.push(text) - SHOWN_LINES)));
    running.add(child);
    try {
      return await new Promise<Followed>((resolve) => {
        const end = (exitCode: number | null): void => resolve({ exitCode, stderr: scrub(said.join('\n')) });
        child.on('close', end);
        child.on('error', (error) => {
          said.push(error.message);
          end(null);
        });
      });
    } finally {
      running.delete(child);
    }
  };
}

/** A child for a library that reads its output itself: it gets this environment alone, half a minute, and ends with the run. */
export function childOf(binary: string, args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn(binary, args, { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'], timeout: CHILD_TIMEOUT_MS });
  running.add(child);
  child.on('close', () => running.delete(child));
  return child;
}

/** A Run that refuses whatever changes something: for `plan`, `status` and `--plan`. */
export function readOnly(run: Run): Run {
  return (command) => {
    if (command.mutates)
      throw new Failure({
        what: `refused while only looking: ${pasteable(command)}`,
        next: 'this is a fault of the runbook: a check must only read',
      });
    return run(command);
  };
}
