/** No pattern takes more than linear time, whatever it is given: each one of lib and scripts is attacked with what it is made of. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { ROOT } from '../../lib/base/paths.ts';

/** A linear pattern takes about 1 ms for it, a quadratic one a second. */
const LENGTH = 100_000;
const LONGEST_MS = 80;

interface Literal {
  where: string;
  pattern: RegExp;
}

function literalsOf(path: string): Literal[] {
  const source = ts.createSourceFile(path, readFileSync(join(ROOT, path), 'utf8'), ts.ScriptTarget.Latest, true);
  const found: Literal[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/');
      const line = source.getLineAndCharacterOfPosition(node.pos).line + 1;
      const pattern = new RegExp(node.text.slice(1, end), node.text.slice(end + 1));
      found.push({ where: `${path}:${line} ${node.text}`, pattern });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Texts that make a pattern begin again and again, and fail each time late: of its own literal parts, alone and joined. */
export function attacksOn({ source }: RegExp): string[] {
  const parts = source
    .replaceAll(/\\[dwsSDWbB]|\(\?<?[:=!]|\[[^\]]*\]|\\u\{?[0-9a-f]+\}?|\\x[0-9a-f]{2}/gi, '\n')
    .replaceAll(/\\(.)/g, '$1')
    .split(/[\n()|^$*+?{}.]+/)
    .filter((part) => part !== '');
  const joined = [...parts.slice(0, -1).map((part, i) => part + (parts[i + 1] ?? '')), parts.join(''), parts.join(' ')];
  const single = [
    'a',
    'A',
    '0',
    ' ',
    '\n',
    '\t\n',
    '\r\n',
    '/',
    '-',
    '.',
    '[ ',
    'a ',
    'a.',
    'a: ',
    '0.',
    '"',
    "'",
    '\\',
    '=',
    '<',
    '\x1b[',
  ];
  return [
    ...parts,
    ...parts.map((part) => `${part} `),
    ...parts.map((part) => `${part}a`),
    ...joined,
    ...single,
  ].filter(Boolean);
}

/** The longest time in milliseconds, and the attack that took it. */
function slowest(pattern: RegExp): { ms: number; attack: string } {
  let worst = { ms: 0, attack: '' };
  for (const attack of new Set(attacksOn(pattern)))
    for (const end of ['\0', '\n']) {
      const text = attack.repeat(Math.ceil(LENGTH / attack.length)) + end;
      const began = process.cpuUsage();
      text.replace(pattern, '');
      // Of the processor, since the machine may be busy.
      const ms = process.cpuUsage(began).user / 1000;
      if (ms > worst.ms) worst = { ms, attack };
      if (ms > LONGEST_MS) return worst;
    }
  return worst;
}

const LITERALS = ['lib/**/*.ts', 'scripts/**/*.ts']
  .flatMap((glob) => globSync(glob, { cwd: ROOT }))
  .flatMap(literalsOf);

test('there are patterns to attack', () => {
  expect(LITERALS.length).toBeGreaterThan(100);
});

test.each(LITERALS)('$where', ({ pattern }) => {
  // Again where it took long: the machine may have been busy.
  let { ms, attack } = slowest(pattern);
  for (let again = 0; again < 3 && ms > LONGEST_MS; again++) ({ ms, attack } = slowest(pattern));
  expect(ms, `repeated: ${JSON.stringify(attack)}`).toBeLessThan(LONGEST_MS);
});

test.each([
  /The connection \S+ was refused|(Unable: |https?:\/\/[^\s"\\]*\/(apis?|openapi|version|readyz)\b).*(connection refused|\bEOF\b)/i,
  /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g,
  /another operation .* is in progress/,
  /\[ [^\]]*\]/g,
])('the attack finds one that is not linear: %s', (pattern) => {
  expect(slowest(pattern).ms).toBeGreaterThan(LONGEST_MS);
});
