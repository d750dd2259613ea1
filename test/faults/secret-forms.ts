/** The forms in which a secret can show, made without lib/base/secret.ts: a fault there must not hide here. */

export interface NamedSecret {
  name: string;
  value: string;
}

/** Plain, URL-encoded, JSON-escaped, base64 and base64url at each of the three places where a byte may fall. */
export function formsOf(value: string): Map<string, string> {
  const forms = new Map([
    ['plain', value],
    ['URL-encoded', encodeURIComponent(value)],
    ['JSON', JSON.stringify(value).slice(1, -1)],
  ]);
  for (const before of [0, 1, 2]) {
    const bits = Buffer.concat([Buffer.alloc(before), Buffer.from(value)]);
    // Characters that only the secret's own bytes decide.
    const from = Math.ceil((before * 4) / 3);
    const to = Math.floor((bits.length * 4) / 3);
    const text = bits.toString('base64').slice(from, to);
    forms.set(`base64 +${before}`, text);
    forms.set(`base64url +${before}`, text.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms;
}

/** `NAME (form)` of every secret that the text shows; never the secret itself. */
export function shownIn(text: string, secrets: readonly NamedSecret[]): string[] {
  return secrets.flatMap(({ name, value }) =>
    [...formsOf(value)].flatMap(([form, look]) => (text.includes(look) ? [`${name} (${form})`] : [])),
  );
}
