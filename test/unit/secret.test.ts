import { format, inspect } from 'node:util';
import { expect, test } from 'vitest';
import { boxCredentials } from '../../lib/settings/secret-files.ts';
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

const MARKS = `<unit>&"it's"(1)*!/+=~8c1f`;
new Secret(MARKS);
const html = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
test.each([
  ['hex', Buffer.from(MARKS).toString('hex')],
  ['HEX', Buffer.from(MARKS).toString('hex').toUpperCase()],
  ['a URL', encodeURIComponent(MARKS)],
  ['a URL in small letters', encodeURIComponent(MARKS).replace(/%../g, (c) => c.toLowerCase())],
  ['a form', new URLSearchParams({ a: MARKS }).toString().slice(2)],
  ['JSON', JSON.stringify(MARKS).slice(1, -1)],
  ['HTML', html(MARKS)],
  ['HTML with &#39;', html(MARKS).replaceAll("'", '&#39;')],
  ['HTML with &#x27;', html(MARKS).replaceAll("'", '&#x27;')],
])('a secret with marks, as %s', (_, form) => {
  expect(scrub(`before ${form} after`)).toBe('before [REDACTED] after');
});

test.each([0, 1, 2, 3, 4, 5])('base64url after %i bytes, with both letters that differ', (n) => {
  const value = '\u07ff\u07fe>>>???\u07ff-unit-0001';
  new Secret(value);
  const text = Buffer.from(`${'u'.repeat(n)}${value}:tail`).toString('base64url');
  const clean = scrub(text);
  expect(clean).toContain('[REDACTED]');
  for (const part of clean.split('[REDACTED]')) expect(Buffer.from(part, 'base64url').toString()).not.toContain('unit');
});

test('a secret that begins as another leaves no end, whichever came first', () => {
  new Secret('unit-prefix-0001');
  new Secret('unit-prefix-0001-and-its-end');
  expect(scrub('x unit-prefix-0001-and-its-end y')).toBe('x [REDACTED] y');
  expect(scrub('x unit-prefix-0001 y')).toBe('x [REDACTED] y');
});

test("Google's token and a proxy's password of the environment are known", () => {
  boxCredentials({
    CLOUDSDK_AUTH_ACCESS_TOKEN: 'ya29.unit-environment-0001',
    https_proxy: 'http://ann:p%40ss-unit-0002@proxy.test:3128',
    HTTP_PROXY: 'no URL',
    no_proxy: 'localhost',
  });
  expect(scrub('ya29.unit-environment-0001 p%40ss-unit-0002 p@ss-unit-0002 localhost')).toBe(
    '[REDACTED] [REDACTED] [REDACTED] localhost',
  );
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
