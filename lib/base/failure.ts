/** Errors for the operator: one line first, then what was wanted, what was found and what to do next. */
import { withSettingsFile } from './next-command.ts';

export interface FailureParts {
  /** One line: what did not come true. */
  what: string;
  wanted?: string | undefined;
  found?: string | undefined;
  /** The command that failed, already redacted, to paste into a shell. */
  command?: string | undefined;
  /** Events, conditions, log lines. */
  detail?: string | undefined;
  /** What the operator can do now. */
  next?: string | undefined;
  cause?: unknown;
}

/** A step, check or criterion that failed (exit status 1). */
export class Failure extends Error {
  override name = 'Failure';
  readonly parts: FailureParts;

  constructor(parts: FailureParts) {
    super(parts.what, { cause: parts.cause });
    this.parts = parts;
  }
}

/** A wait that ran out of time while more waiting might have helped (exit status 1, a different ending than Failure). */
export class TimedOut extends Failure {
  override name = 'TimedOut';
}

/** One thing wrong with the input: which setting or prerequisite, and its remedy. */
export interface Problem {
  about: string;
  message: string;
  remedy: string;
}

/** Bad input or a missing prerequisite: all problems at once, nothing was changed (exit status 2). */
export class BadInput extends Error {
  override name = 'BadInput';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map((p) => `${p.about}: ${p.message}`).join('\n'));
    this.problems = problems;
  }
}

/** The code of an error of the system's or of Node's (ENOENT); empty where it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** The text for a terminal: one line, then an indented line for each part that is known. */
export function explain(error: unknown): string {
  if (error instanceof BadInput) {
    const lines = error.problems.map((p) => `  ${p.about}: ${p.message}\n      ${withSettingsFile(p.remedy)}`);
    return [`${count(error.problems.length, 'problem')} found; nothing was changed:`, ...lines].join('\n');
  }
  if (!(error instanceof Failure)) return error instanceof Error ? error.message : String(error);
  const { what, wanted, found, command, detail, next } = error.parts;
  const row = (name: string, text: string | undefined): string[] =>
    text ? [`  ${name.padEnd(8)} ${text.replaceAll('\n', '\n           ')}`] : [];
  return [
    what,
    ...row('wanted', wanted),
    ...row('found', found),
    ...row('command', command),
    ...(detail ? [detail.trimEnd().replace(/^/gm, '    ')] : []),
    ...row('next', next && withSettingsFile(next)),
  ].join('\n');
}

/** The first line of it: what happened, without the rest. */
export function firstLine(error: unknown): string {
  return explain(error).split('\n')[0] ?? '';
}

/** "1 problem", "3 problems". */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
