/** The command tags' core: what is a word, what is refused, and a printed line that bash reads back. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { commandLine, commandTag, words, type Word } from '../../lib/base/tag.ts';
import { Failure } from '../../lib/base/failure.ts';
import { Secret } from '../../lib/base/secret.ts';

const argv = commandTag((list) => list);
const HOSTILE = [
  'a b', ' lead', "it's", 'say "hi"', '\'"\'', 'two\nlines', 'tab\there', '\u001b[31m', '\u0085', 'k: v', '- x', '{{ .x }}',
  '$(id)', '`id`', '$HOME', '${x}', '!!', "a'\n!b", 'back\\slash', '\\\n', '🦊 é', '--all', '-', '*', '~', '#x', '{a,b}', ';|&<>',
]; // prettier-ignore

test('a line of the plan gives its words', () => {
  const [name, region, owner] = ['ip-1', 'europe-west1', 'owned by x; y'];
  expect(argv`compute addresses create ${name} --region=${region} --description=${owner}`).toEqual([
    'compute', 'addresses', 'create', 'ip-1', '--region=europe-west1', '--description=owned by x; y',
  ]); // prettier-ignore
});

test.each(HOSTILE)('%j is never split, alone, in a word or in quotes', (value) => {
  expect(argv`get ${value} --x=${value} "${value}" '${value}' a${value}b${value}`).toEqual([
    'get',
    value,
    `--x=${value}`,
    value,
    value,
    `a${value}b${value}`,
  ]);
});

test('a printed line has no control characters, and bash reads it back', () => {
  const lists = HOSTILE.map((value) => [value, `--x=${value}`, '']);
  const lines = lists.map((list) => commandLine('printf', ['%s\\0', ...list]));
  for (const line of lines) expect(line).not.toMatch(/\p{Cc}/u);
  // Without SHLVL bash reads ~/.bashrc.
  const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8', SHLVL: '1' };
  const read = execFileSync('bash', ['-c', lines.join('\n')], { encoding: 'utf8', env });
  expect(read.split('\0').slice(0, -1)).toEqual(lists.flat());
});

test('a plain line stays plain, and sh reads it when no control character is in it', () => {
  expect(commandLine('kubectl', ['get', 'pods', '-l', 'a=b', '--x=c d'])).toBe("kubectl get pods -l a=b '--x=c d'");
  expect(execFileSync('sh', ['-c', commandLine('printf', ['%s', `it's $HOME`])], { encoding: 'utf8' })).toBe(
    `it's $HOME`,
  );
});

test('a known secret is not in a printed line', () => {
  const secret = new Secret("tok'en-2f9a-77aa");
  expect(commandLine('x', [`--t=${secret.reveal()}`])).toBe("x '--t=[REDACTED]'");
});

test('arrays are several words, or none', () => {
  expect(argv`a ${['b c', '--d']} ${[]} ${['e']}`).toEqual(['a', 'b c', '--d', 'e']);
  expect(argv`${['a']}`).toEqual(['a']);
});

test('numbers are text', () => {
  expect(argv`--replicas=${0} ${-1}`).toEqual(['--replicas=0', '-1']);
});

test('white space and continued lines', () => {
  expect(argv`
    a \
      b\
      c	d
  `).toEqual(['a', 'b', 'c', 'd']);
  expect(argv``).toEqual([]);
  expect(argv` `).toEqual([]);
});

test('quotes and backslashes in the text mean what they mean in bash', () => {
  expect(argv`'a b' "c d" e'f g'"h" '' "" "it's" '"'`).toEqual(['a b', 'c d', 'ef gh', '', '', "it's", '"']);
  expect(argv`jsonpath='{.data.tls\.crt}' "a\"b\\c\.d" a\ b \"x\" 'c\'`).toEqual([
    'jsonpath={.data.tls\\.crt}', 'a"b\\c\\.d', 'a b', '"x"', 'c\\',
  ]); // prettier-ignore
  expect(argv`'\`' '\${x}' "\${x}" '$HOME' "${'$HOME'}"`).toEqual(['`', '${x}', '${x}', '$HOME', '$HOME']);
  expect(argv`'two
lines'`).toEqual(['two\nlines']);
});

test('an empty value must be quoted', () => {
  expect(argv`a "${''}" --b='${''}'`).toEqual(['a', '', '--b=']);
  for (const run of [() => argv`a ${''}`, () => argv`--a=${''}`, () => argv`a ${['']}`]) expect(run).toThrow(Failure);
});

test('a Secret neither compiles nor runs', () => {
  const secret = new Secret('hunter2-hunter2');
  // @ts-expect-error a Secret is no Word
  expect(() => argv`--token=${secret}`).toThrow(/secret must not be on a command line/);
  // @ts-expect-error nor several of them
  expect(() => argv`${[secret]}`).toThrow(/secret must not be on a command line/);
});

test.each([undefined, null, {}, true, NaN, Infinity, new Date(), () => 'x', ['a', undefined], [1], [['a']], 'a\0b'])(
  '%j is refused',
  (value) => {
    expect(() => argv`a ${value as Word}`).toThrow(Failure);
  },
);

test.each<[string, () => unknown]>([
  ['text before an array', () => argv`--flag=${['a']}`],
  ['text after an array', () => argv`${['a']}b`],
  ['a quote after an array', () => argv`${['a']}"b"`],
  ['a value after an array', () => argv`${['a']}${'b'}`],
  ['two arrays', () => argv`${['a']}${['b']}`],
  ['an array in quotes', () => argv`"${['a']}"`],
  ['a quote without end', () => argv`a 'b`],
  ['a pipe', () => argv`a | b`],
  ['a redirection', () => argv`a > b`],
  ['a variable', () => argv`a $b`],
  ['a variable in quotes', () => argv`a "$b"`],
  ['a substitution', () => argv`a $(b)`],
  ['an escape of JavaScript', () => argv`a\nb`],
  ['quotes of bash alone', () => argv`a $'b'`],
])('%s is refused', (_, run) => {
  expect(run).toThrow(Failure);
});

test('a failure shows the template, not the values', () => {
  const found = (run: () => unknown): unknown => {
    try {
      return run();
    } catch (error) {
      return error instanceof Failure ? error.parts.found : error;
    }
  };
  expect(found(() => argv`get ${'private'} --x=${['a']}`)).toBe('get ${…} --x=${…}');
});

test('words() itself', () => {
  const of = (strings: TemplateStringsArray, ...values: Word[]) => words(strings, values);
  expect(of`a ${'b c'}`).toEqual(['a', 'b c']);
});
