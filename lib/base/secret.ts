/** A value that must not be seen: every printed form of it is redacted, and known values are scrubbed at the sinks. */
import { inspect } from 'node:util';

const REDACTED = '[REDACTED]';

/** Shorter texts would blank out ordinary words. */
const SHORTEST_SCRUBBED = 8;

const known = new Set<string>();

/** A boxed secret. Printing, JSON and templates give `[REDACTED]`; only reveal() gives the value. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    rememberForms(value);
  }

  /** The value itself, for stdin, a 0600 file or a child's environment; never for a command line or a log. */
  reveal(): string {
    return this.#value;
  }

  /** True when both hold the same text. */
  equals(other: Secret): boolean {
    return this.#value === other.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.toPrimitive](): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

/** The JSON of what holds boxed secrets, with their values: for stdin only. */
export function revealedJson(value: unknown): string {
  // A replacer sees its holder, in which the secret is still boxed.
  return JSON.stringify(value, function (this: Record<string, unknown>, key: string, json: unknown) {
    const held = this[key];
    return held instanceof Secret ? held.reveal() : json;
  });
}

function rememberForms(value: string): void {
  for (const line of [value, ...value.split('\n')]) {
    const text = line.trim();
    if (text.length < SHORTEST_SCRUBBED) continue;
    known.add(text);
    known.add(encodeURIComponent(text));
    known.add(JSON.stringify(text).slice(1, -1));
    for (const form of base64Forms(text)) known.add(form);
  }
}

/** The base64 text of a value wherever it lies in a longer one: its start may fall on any of three bytes. */
function base64Forms(value: string): string[] {
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.from('\0'.repeat(offset) + value).toString('base64');
    const firstWhole = Math.ceil((offset * 8) / 6);
    const lastWhole = Math.floor(((offset + Buffer.byteLength(value)) * 8) / 6);
    return encoded.slice(firstWhole, lastWhole);
  });
}

/** The text with every known secret (plain, URL-encoded, JSON-escaped, base64) replaced by `[REDACTED]`. */
export function scrub(text: string): string {
  let clean = text;
  for (const form of known) if (clean.includes(form)) clean = clean.replaceAll(form, REDACTED);
  return clean;
}

/** A Secret for each line of a KEY=value file is made by the caller; this boxes one optional text. */
export function optionalSecret(value: string | undefined): Secret | undefined {
  return value === undefined || value === '' ? undefined : new Secret(value);
}
