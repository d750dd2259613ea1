/**
 * The core of the command tags: a command reads as the plan's line, and each `${value}` stays (part of) one word.
 * The literal text is read as bash reads it; what bash would expand or redirect is refused, for no shell runs it.
 */
import { Failure } from './failure.ts';
import { scrub, Secret } from './secret.ts';
import { shellWord } from './shell-word.ts';

/** What may stand in a command: one word or a part of it, or several words. A Secret is none of these. */
export type Word = string | number | readonly string[];

/** A template tag whose values are words of a command. */
export type Tag<T> = (strings: TemplateStringsArray, ...values: Word[]) => T;

/**
 * Makes a tag that hands the command's words over.
 * @returns a tag that returns what run returns
 * @throws Failure from the tag, for what words() refuses
 */
export function commandTag<T>(run: (words: string[]) => T): Tag<T> {
  return (strings, ...values) => run(words(strings, values));
}

/**
 * Splits a template into the words of a command: at white space of the literal text only (a backslash before a
 * newline counts as white space), never inside a value. Quotes in the text group; an array gives several words.
 * @returns the words, without the binary
 * @throws Failure for a Secret, undefined, null, another object, a number that is not finite, an empty text outside
 * quotes, a NUL, an array that touches text, a quote without end, and unquoted shell syntax
 */
export function words(strings: TemplateStringsArray, values: readonly Word[]): string[] {
  const splitter = new Splitter(strings.raw.join('${…}'));
  strings.raw.forEach((text, i) => {
    splitter.text(text);
    if (i < strings.raw.length - 1) splitter.value(values[i]);
  });
  return splitter.end();
}

/**
 * The command as one line to paste into bash, without control characters. Known secrets are scrubbed.
 * Not by zx's quote: its `$'…'` around every quoted word fails in sh (make's shell), and loading zx costs 20 to 50 ms.
 * @returns the line
 */
export function commandLine(binary: string, args: readonly string[]): string {
  return [binary, ...args].map((word) => shellWord(scrub(word))).join(' ');
}

/** Reads a template piece by piece. The text is raw, so that the plan's backslashes mean what they mean in bash. */
class Splitter {
  readonly #template: string;
  readonly #words: string[] = [];
  /** The word that is being read; undefined between words. */
  #word: string | undefined;
  #quote: string | undefined;
  #afterArray = false;

  constructor(template: string) {
    this.#template = template;
  }

  text(text: string): void {
    for (const [part] of text.matchAll(/\\\$\{|\\\n|\\.|\$[\w({]|[^]/g)) {
      if (this.#quote === "'") this.#inSingle(part);
      else if (this.#quote) this.#inDouble(part);
      else this.#bare(part);
    }
  }

  value(value: unknown): void {
    if (Array.isArray(value)) {
      if (this.#quote || this.#word !== undefined || this.#afterArray)
        throw this.#refused('an array must stand alone, not beside other text');
      this.#words.push(...value.map((one) => this.#checked(one, 'string')));
      this.#afterArray = true;
    } else this.#add(this.#checked(value, 'string or number'));
  }

  end(): string[] {
    if (this.#quote) throw this.#refused(`the quote ${this.#quote} has no end`);
    this.#endWord();
    return this.#words;
  }

  #inSingle(part: string): void {
    if (part === "'") this.#quote = undefined;
    // Only JavaScript needs a backslash before these.
    else if (part === '\\`' || part === '\\${') this.#add(part.slice(1));
    else if (part === "\\'") {
      this.#add('\\');
      this.#quote = undefined;
    } else this.#add(part);
  }

  #inDouble(part: string): void {
    if (part === '"') this.#quote = undefined;
    else if (part === '\\\n') return;
    else if (/^\\["\\$`]/.test(part)) this.#add(part.slice(1));
    else if (/^\$[\w({]/.test(part)) throw this.#refused(`bash would expand ${part}`);
    else this.#add(part);
  }

  #bare(part: string): void {
    if (/^\\?\s$/.test(part) && part !== '\\ ') this.#endWord();
    else if (part === '"' || part === "'") {
      this.#add('');
      this.#quote = part;
    } else if (/^\\\w|^\\$/.test(part)) throw this.#refused(`a backslash before a letter means nothing: ${part}`);
    else if (part.startsWith('\\')) this.#add(part.slice(1));
    else if (/^[|&;<>()$]/.test(part)) throw this.#refused(`no shell runs it: ${part} must be quoted`);
    else this.#add(part);
  }

  #add(text: string): void {
    if (this.#afterArray) throw this.#refused('an array must stand alone, not beside other text');
    this.#word = (this.#word ?? '') + text;
  }

  #endWord(): void {
    if (this.#word !== undefined) this.#words.push(this.#word);
    this.#word = undefined;
    this.#afterArray = false;
  }

  #checked(value: unknown, wanted: string): string {
    if (value instanceof Secret)
      throw this.#refused('a secret must not be on a command line', 'hand it over by stdin or the environment');
    if (typeof value === 'number' && Number.isFinite(value) && wanted !== 'string') return String(value);
    if (typeof value !== 'string') throw this.#refused(`a value is ${kindOf(value)}, not a ${wanted}`);
    if (value === '' && !this.#quote) throw this.#refused('a value is empty', 'quote it where an empty word is meant');
    if (value.includes('\0')) throw this.#refused('a value has a NUL in it');
    return value;
  }

  #refused(what: string, next = 'this is a fault of the runbook: correct the command in its script'): Failure {
    return new Failure({ what: `not a command: ${what}`, found: scrub(this.#template.trim()), next });
  }
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'number') return String(value);
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
