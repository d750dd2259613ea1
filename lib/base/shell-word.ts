/** One word of a command line, to paste into bash. */

/** The text as one word for bash, quoted where it has to be, without control characters. */
export function shellWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  if (!/\p{Cc}/u.test(word)) return `'${word.replaceAll("'", `'\\''`)}'`;
  // Only bash's form keeps a newline on the line, and a tab or escape sequence away from the terminal.
  return `$'${word.replace(/[\\'!]|\p{Cc}/gu, escaped)}'`;
}

function escaped(char: string): string {
  if (char === '\\' || char === "'") return `\\${char}`;
  if (char === '\n') return '\\n';
  if (char === '\t') return '\\t';
  const code = char.charCodeAt(0).toString(16);
  return char > '\x7f' ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
}
