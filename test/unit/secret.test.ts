import { format, inspect } from 'node:util';
import { expect, test } from 'vitest';
import { optionalSecret, scrub, Secret } from '../../lib/base/secret.ts';

const TEXT = 'p4ss/word+with spaces&"quote"-8c1f';
const secret = new Secret(TEXT);

test.each([
  ['String()', String(secret)],
  ['a format', format('%s %o %O %j', secret, secret, secret, secret)],
  ['a list joined', [secret].join(' ')],
  ['toString()', secret.toString()],
  ['JSON', JSON.stringify({ secret })],
  ['JSON of a list', JSON.stringify([secret])],
  ['inspect', inspect({ nested: { secret } }, { depth: 9, showHidden: true })],
  ['Object.values', JSON.stringify(Object.values(secret))],
  ['a copy', inspect(Object.assign({}, secret))],
  ['an error', inspect(new Error('x', { cause: secret }))],
])('%s does not print it', (_, printed) => {
  expect(printed).not.toContain('p4ss');
});

test('only reveal() gives it, and equals() compares it', () => {
  expect(secret.reveal()).toBe(TEXT);
  expect(secret.equals(new Secret(TEXT))).toBe(true);
  expect(secret.equals(new Secret(`${TEXT}.`))).toBe(false);
});

test.each([
  ['plain', TEXT],
  ['in a URL', `https://x/?q=${encodeURIComponent(TEXT)}`],
  ['in JSON', JSON.stringify({ a: TEXT })],
  ...[0, 1, 2, 3, 4, 5].map((n) => [
    `base64 after ${n} bytes`,
    Buffer.from(`${'u'.repeat(n)}${TEXT}:tail`).toString('base64'),
  ]),
  ['base64 at the end', Buffer.from(`user:${TEXT}`).toString('base64')],
])('scrub takes it out: %s', (_, text) => {
  const clean = scrub(`before ${text} after`);
  expect(clean).toContain('[REDACTED]');
  expect(clean).not.toContain(text);
  expect(clean).toMatch(/^before .* after$/);
  for (const part of clean.split(/\s+|\[REDACTED\]/))
    expect(Buffer.from(part, 'base64').toString()).not.toContain('word');
});

test('each line of a key is scrubbed by itself', () => {
  new Secret('-----BEGIN X-----\nMIIEvQIBADANBgkq0001\nAoIBAQC7VJTUt9Us0002\n-----END X-----');
  expect(scrub('tail: AoIBAQC7VJTUt9Us0002')).toBe('tail: [REDACTED]');
});

test('short words stay readable', () => {
  new Secret('short');
  expect(scrub('a short word')).toBe('a short word');
});

test('an empty text is no secret', () => {
  expect(optionalSecret('')).toBeUndefined();
  expect(optionalSecret(undefined)).toBeUndefined();
  expect(optionalSecret('x')?.reveal()).toBe('x');
});
