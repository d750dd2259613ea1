/**
 * The one way to a terminal, a log or a file. What clusters, registries and tools said is scrubbed of secrets first, then
 * of what would steer the reader's screen, and only then cut to a width.
 */
import { scrub } from './secret.ts';

/** C0 but tab and line feed, DEL, C1 (so DCS, APC, OSC), marks that turn the direction of text, other line ends. */
const STEERS = '[\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]';
const STEERING = new RegExp(STEERS, 'g');
/** The runbook's own colours, as chalk writes them: none of them hides or moves anything. */
const OWN_COLOUR = '\\x1b\\[(?:1|22|3[1-69]|90)m';
const COLOUR_OR_STEERING = new RegExp(`${OWN_COLOUR}|${STEERS}`, 'g');
const COLOUR_OR_CHARACTER = new RegExp(`${OWN_COLOUR}|.`, 'gsu');

/** Longer words only slow down those who read them. */
const LONGEST_WORD = 4096;

/** What is written to. */
export interface Sink {
  write: (text: string) => unknown;
}

/** A line, or several, for a terminal or a log; the runbook's own colours stay where they are wanted. */
export function say(text: string, to: Sink = process.stdout, colours = false): void {
  to.write(`${colours ? coloured(text) : printable(text)}\n`);
}

/** The same on standard error. */
export function complain(text: string): void {
  say(text, process.stderr);
}

/** The text for a file, a log or a terminal: without secrets, and with control characters as `\u001b`, which JSON takes as well. */
export function printable(text: string): string {
  return scrub(text).replaceAll('\r\n', '\n').replace(STEERING, spelled);
}

/** The same for a terminal, with the runbook's own colours. */
export function coloured(text: string): string {
  return scrub(text)
    .replaceAll('\r\n', '\n')
    .replace(COLOUR_OR_STEERING, (found) => (found.length > 1 ? found : spelled(found)));
}

/** The text as one line of at most so many characters. */
export function oneLine(text: string, width = Infinity): string {
  return cut(printable(text.trim()).replace(/[\n\t]/g, ' '), width);
}

/** A line cut to a width, colours not counted: a wrapped one would break the redraw. What is cut must be scrubbed by then. */
export function cut(line: string, width: number): string {
  if (line.length <= width) return line;
  let seen = 0;
  return line.replace(COLOUR_OR_CHARACTER, (piece) => {
    if (piece.length > 2) return piece;
    seen++;
    return seen < width ? piece : seen === width ? '…' : '';
  });
}

/** The text with every word of more than 4 kB cut: nobody wrote it for people. */
export function bounded(text: string): string {
  if (text.length <= LONGEST_WORD) return text;
  return text.replace(/\S+/g, (word) => (word.length > LONGEST_WORD ? `${word.slice(0, LONGEST_WORD)}…` : word));
}

function spelled(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** All lines of a program's words as one, without repeats. @param most characters */
export function joinedLines(text: string, most: number): string {
  const lines = text.split('\n').map((line) => line.trim());
  return oneLine([...new Set(lines.filter(Boolean))].join('; '), most);
}
