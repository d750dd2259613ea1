/** A value that must not be seen: every printed form of it is redacted, and known values are scrubbed at the sinks. */
import { inspect } from 'node:util';

const REDACTED = '[REDACTED]';

/** Shorter texts would blank out ordinary words. */
const SHORTEST_SCRUBBED = 8;

/** Every form of every secret. */
const known = new Set<string>();
/** The same, longest first: a secret that begins as another would leave its end. */
let longestFirst: readonly string[] = [];

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
    for (const form of formsOf(text)) if (form.length >= SHORTEST_SCRUBBED) known.add(form);
  }
}

/** The text as it may stand in an answer, a page or a log. */
function formsOf(text: string): string[] {
  const hex = Buffer.from(text).toString('hex');
  const url = encodeURIComponent(text);
  const base64 = base64Forms(text);
  const html = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
  return [
    text,
    url,
    url.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    new URLSearchParams({ '': text }).toString().slice(1),
    url.replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`),
    JSON.stringify(text).slice(1, -1),
    html,
    html.replaceAll("'", '&#39;'),
    html.replaceAll("'", '&#x27;'),
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map((form) => form.replaceAll('+', '-').replaceAll('/', '_')),
  ];
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

/** The text with every known secret (plain; as URL, JSON, HTML; hex, base64, base64url) replaced by `[REDACTED]`. */
export function scrub(text: string): string {
  let clean = text;
  if (longestFirst.length !== known.size) longestFirst = [...known].sort((a, b) => b.length - a.length);
  for (const form of longestFirst) if (clean.includes(form)) clean = clean.replaceAll(form, REDACTED);
  return clean;
}

/** A Secret for each line of a KEY=value file is made by the caller; this boxes one optional text. */
export function optionalSecret(value: string | undefined): Secret | undefined {
  return value === undefined || value === '' ? undefined : new Secret(value);
}
