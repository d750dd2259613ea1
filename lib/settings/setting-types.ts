/** What a setting's value may be: the kinds of values of which lib/settings/settings-table.ts is made. */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { fileFault } from '../base/input-file.ts';
import type { Remote } from '../base/target.ts';
import { privacyProblem } from './secret-files.ts';
import { trustFileProblem } from './trust-file.ts';

/** The path with a leading ~, and $HOME or ${HOME} anywhere, replaced as a shell does. */
export function expandHome(text: string): string {
  return text.replace(/^~(?=\/|$)/, homedir()).replace(/\$HOME(?![A-Za-z0-9_])|\$\{HOME\}/g, homedir());
}

/** A variable in the path that nothing replaces, or a ~name; undefined where there is none. */
function unknownVariable(text: string): string | undefined {
  return /^~[^/]+|\$(?:\{[^}]*\}?|[A-Za-z_]\w*)/.exec(expandHome(text))?.[0];
}

export const dnsName = z
  .string()
  .regex(
    /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/,
    'is not a DNS name such as test-api.kubently.io (lower case, no scheme, port or path)',
  );
export const label = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be lower-case letters, digits and hyphens, at most 63');
export const release = label
  .refine(
    (r) => r.includes('kubently'),
    'must contain "kubently", or the chart names a Redis Service that does not exist',
  )
  .refine((r) => r.length <= 53, 'may have at most 53 characters');
export const https = z.url({ protocol: /^https$/, error: 'must be an https:// URL' });
export const path = z
  .string()
  .min(1, 'is not set')
  .superRefine((text, ctx) => {
    const other = unknownVariable(text);
    if (other !== undefined) ctx.addIssue({ code: 'custom', message: `holds ${other}: only ~ and $HOME are replaced` });
  })
  .transform((text) => resolve(expandHome(text)));
export const isFile = (f: string): boolean => statSync(f, { throwIfNoEntry: false })?.isFile() === true;
const readable = path.refine((f) => fileFault(f) === undefined, {
  error: ({ input }) => fileFault(String(input)) ?? 'changed meanwhile',
  abort: true,
});
export const certificates = readable.refine((f) => readFileSync(f, 'utf8').includes('-----BEGIN CERTIFICATE-----'), {
  error: 'names a file without a PEM certificate',
  abort: true,
});
export const secretFile = readable.superRefine((f, ctx) => {
  const problem = privacyProblem(f);
  if (problem !== undefined) ctx.addIssue({ code: 'custom', message: problem });
});
export const word = (what: string) => z.string().regex(/^\S+$/, `must be ${what}, one word`);
export const key = z.string().regex(/^\S*$/, 'holds a blank or a line break: look at its quotes');
export const oneOf = <const T extends readonly [string, ...string[]]>(options: T) =>
  z.enum(options, { error: `must be ${options.join(' or ')}` });
export const trustFile = certificates.superRefine((f, ctx) => {
  const problem = trustFileProblem(f, Date.now());
  if (problem !== undefined) ctx.addIssue({ code: 'custom', message: problem });
});
/** Empty is not set. */
export const orUnset = <T extends z.ZodType>(type: T) =>
  z.preprocess((v) => (v === '' ? undefined : v), type.optional());

const remote = z.string().transform((text, ctx): Remote => {
  const [, id = '', quoted, rest = ''] = /^([^=]*)=?(?:"([^"]*)"(?=\/|$))?(.*)$/s.exec(text) ?? [];
  // A context with a colon, as EKS and OpenShift name theirs, may hold slashes too: without quotes it is one to the end.
  const parts =
    quoted !== undefined ? [quoted, ...rest.split('/').slice(1)] : rest.includes(':') ? [rest] : rest.split('/');
  const [context = '', namespace = 'kubently-remote', name = 'kubently-remote', ...more] = parts;
  const bad = [label.safeParse(id), label.safeParse(namespace), release.safeParse(name)].flatMap((r, i) =>
    r.success ? [] : [`${['id', 'namespace', 'release'][i] ?? ''} ${r.error.issues[0]?.message ?? ''}`],
  );
  if (context === '' || more.length > 0 || /[\s"]/.test(context))
    bad.push('has the form id=context[/namespace[/release]]; a context with slashes stands in double quotes');
  if (bad.length > 0) ctx.addIssue({ code: 'custom', message: `"${text}": ${bad.join('; ')}` });
  return { id, context, namespace, release: name };
});

/** id=context[/namespace[/release]], separated by commas outside quotes. */
export const remotes = z.preprocess((v) => (typeof v === 'string' ? commaSeparated(v) : v), z.array(remote).min(1));

function commaSeparated(text: string): string[] {
  const marked = text.replace(/"[^"]*"/g, (quoted) => quoted.replaceAll(',', '\0'));
  return marked.split(',').map((part) => part.replaceAll('\0', ',').trim());
}
