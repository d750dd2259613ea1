/** Text of HCL, the language of OpenTofu and Terraform, laid out as their `fmt` lays it out. */

/** A text as a quoted string: nothing in it is a template or an escape of the language. */
export function quoted(text: string): string {
  const inner = text
    .replace(/[\\"]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    .replace(CONTROL, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .replace(/([$%])\{/g, '$1$1{');
  return `"${inner}"`;
}

const CONTROL = new RegExp('[\\u0000-\\u001f\\u007f]', 'g');

/**
 * A block: its head, the attributes in the given order with their expressions (undefined: left out), then the blocks in it.
 * @param attributes names of one line each; their equals signs stand below each other
 */
export function block(
  head: string,
  attributes: Readonly<Record<string, string | undefined>>,
  ...nested: readonly string[]
): string {
  const given = Object.entries(attributes).filter(([, expression]) => expression !== undefined);
  const width = Math.max(0, ...given.map(([name]) => name.length));
  const lines = given.map(([name, expression]) => `${name.padEnd(width)} = ${expression}`).join('\n');
  const body = [lines, ...nested].filter((part) => part !== '').join('\n\n');
  return `${head} {\n${body.replace(/^(?=.)/gm, '  ')}\n}`;
}
