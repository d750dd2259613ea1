/** What reaches a terminal, a log or a file: no secret, nothing that steers, cut last. */
import { Chalk } from 'chalk';
import { expect, test } from 'vitest';
import { bounded, coloured, cut, oneLine, printable, say } from '../../lib/base/say.ts';
import { Secret } from '../../lib/base/secret.ts';

const TOKEN = 'c0ffee'.repeat(11).slice(0, 64);
new Secret(TOKEN);
const chalk = new Chalk({ level: 1 });
// What terminals act upon: C0 but tab and line feed, DEL, C1, marks of direction.
const ACTED_UPON = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

const ATTACKS: [string, string][] = [
  ['OSC 52 writes the clipboard', '\x1b]52;c;ZXZpbA==\x07'],
  ['OSC 8 hides where a link leads', '\x1b]8;;https://evil.test\x1b\\good\x1b]8;;\x1b\\'],
  ['OSC 0 names the window', '\x1b]0;title\x07'],
  ['DCS', '\x1bP$q"p\x1b\\'],
  ['APC', '\x1b_payload\x1b\\'],
  ['PM and SOS', '\x1b^pm\x1b\\\x1bXsos\x1b\\'],
  ['C1 CSI', '\x9b2J'],
  ['C1 OSC, DCS, APC', '\x9d52;c;x\x9c \x90q\x9c \x9fx\x9c'],
  ['a sequence around a sequence', '\x1b\x1b[0m]52;c;ZXZpbA==\x07'],
  ['concealed text', '\x1b[8mhidden\x1b[0m'],
  ['cursor up and erase', '\x1b[1A\x1b[2K✓ all fine'],
  ['carriage return over a line', 'failed\r✓ done'],
  ['backspaces', 'failed\b\b\b\b\b\bdone  '],
  ['bell and NUL', '\x07\0'],
  ['right-to-left override', 'safe\u202egpj.exe'],
  ['isolates', '\u2066a\u2069'],
  ['line separators', 'a\u2028✓ done\u2029'],
  ['shift out', '\x0elqqk\x0f'],
];

test.each(ATTACKS)('%s is spelled out', (_, text) => {
  const shown = printable(`before ${text} after`);
  expect(shown).not.toMatch(ACTED_UPON);
  expect(shown).toMatch(/^before .*\\u[0-9a-f]{4}.* after$/s);
  // With the runbook's own colours nothing else passes either.
  expect(coloured(text).replaceAll(/\x1b\[(1|22|3[1-69]|90)m/g, '')).not.toMatch(ACTED_UPON);
});

test('tabs, line feeds and ordinary letters stay; CR LF is a line end', () => {
  expect(printable('a\tb\r\nc ü 漢 😀')).toBe('a\tb\nc ü 漢 😀');
});

test('JSON stays JSON', () => {
  const value = { a: 'x\x1b\x9b\u202e\x7f' };
  expect(JSON.parse(printable(JSON.stringify(value)))).toEqual(value);
});

test("the runbook's own colours reach a terminal alone", () => {
  const text = `${chalk.red('✗')} ${chalk.bold('x')} ${chalk.gray('y')}`;
  expect(coloured(text)).toBe(text);
  expect(printable(text)).not.toContain('\x1b');
});

test.each([10, 20, 40, 70, 79])('scrubbed, then cut to %i: no part of a token is left', (width) => {
  expect(cut(coloured(`token ${TOKEN} end`), width)).not.toContain('c0ffee');
  expect(oneLine(`token ${TOKEN} end`, width)).not.toContain('c0ffee');
});

test('cut: colours are not counted, and the end is marked', () => {
  expect(cut('abcdef', 6)).toBe('abcdef');
  expect(cut('abcdef', 4)).toBe('abc…');
  expect(cut(`${chalk.red('abc')}def`, 4)).toBe(`${chalk.red('abc')}…`);
});

test('one line: a line feed makes no line of its own', () => {
  expect(oneLine('ann\n✓ 13 of 13 criteria proven')).toBe('ann ✓ 13 of 13 criteria proven');
});

test('say writes one line, without colours where they are not wanted', () => {
  const written: string[] = [];
  const to = { write: (text: string) => written.push(text) };
  say(`${chalk.red('x')} ${TOKEN}`, to);
  say(chalk.red('x'), to, true);
  expect(written).toEqual(['\\u001b[31mx\\u001b[39m [REDACTED]\n', `${chalk.red('x')}\n`]);
});

test('a word of more than 4 kB is cut, 32 MB of them in no time', () => {
  expect(bounded(`a ${'x'.repeat(5000)} b`)).toBe(`a ${'x'.repeat(4096)}… b`);
  const started = Date.now();
  bounded('x'.repeat(32 * 1024 * 1024));
  bounded('ab '.repeat(4 * 1024 * 1024));
  expect(Date.now() - started).toBeLessThan(5000);
});
