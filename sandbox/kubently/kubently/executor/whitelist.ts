/** Which kubectl commands the executor runs (kubently-contract 4). RBAC is the second guard behind it. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { log, reason } from '../log.ts';

const READ_ONLY = [
  'get',
  'describe',
  'logs',
  'top',
  'explain',
  'api-resources',
  'api-versions',
  'events',
  'version',
  'rollout',
];
const EXTENDED = [...READ_ONLY, 'port-forward', 'exec'];
const FULL = [...EXTENDED, 'cp', 'proxy', 'attach', 'run'];
const MODES = { readOnly: READ_ONLY, extendedReadOnly: EXTENDED, fullAccess: FULL } as const;

/** Refused in any argument, in any mode, whatever the file says. */
const IMMUTABLE = [
  ...[
    '--token',
    '--kubeconfig',
    '--server',
    '--as',
    '--username',
    '--password',
    '--client-',
    '--certificate-authority',
  ],
  ...['--insecure-skip-tls-verify', '--cluster', '--user', '--context'],
  ...['delete', 'apply', 'create', 'patch', 'replace', 'edit', 'scale'],
  ...[';', '|', '&', '$', '`', '>', '<', '\n', '/etc/kubernetes'],
];

const list = z
  .array(z.string())
  .nullish()
  .transform((items) => items ?? []);
const Config = z.object({
  mode: z.enum(['readOnly', 'extendedReadOnly', 'fullAccess']),
  allowedVerbs: list,
  customVerbs: list,
  extraFlags: list,
  forbiddenPatterns: list,
  restrictedResources: list,
  maxArguments: z.number().int().min(1).max(100).default(20),
  timeoutSeconds: z.number().int().min(1).max(300).default(30),
  reloadInterval: z.number().int().min(1).default(30),
});

export type Rules = {
  mode: keyof typeof MODES;
  verbs: Set<string>;
  flags: string[];
  forbidden: RegExp[];
  restricted: string[];
  maxArguments: number;
  /** Seconds. */
  reloadInterval: number;
};

/** What holds without a usable file. */
export const BUILT_IN: Rules = {
  mode: 'readOnly',
  verbs: new Set(READ_ONLY),
  flags: [],
  forbidden: [],
  restricted: ['secrets'],
  maxArguments: 20,
  reloadInterval: 30,
};

/** The rules of a whitelist file's text. @throws for an unknown mode, limits out of range, or a dangerous verb in readOnly */
export function parseRules(text: string): Rules {
  const config = Config.parse(parse(text));
  const verbs = new Set([...MODES[config.mode], ...config.allowedVerbs, ...config.customVerbs]);
  const dangerous = [...verbs].filter(
    (verb) => IMMUTABLE.includes(verb) || (FULL.includes(verb) && !EXTENDED.includes(verb)),
  );
  if (config.mode === 'readOnly' && dangerous.length > 0) {
    throw new Error(`dangerous verbs in mode readOnly: ${dangerous.join(', ')}`);
  }
  return {
    mode: config.mode,
    verbs,
    flags: config.extraFlags,
    forbidden: config.forbiddenPatterns.map((pattern) => new RegExp(pattern)),
    restricted: config.restrictedResources,
    maxArguments: config.maxArguments,
    reloadInterval: config.reloadInterval,
  };
}

function isRestricted(resource: string, restricted: string[]): boolean {
  const names = resource
    .toLowerCase()
    .split(',')
    .map((name) => name.replace(/[/.].*$/, ''));
  return restricted.some((entry) => names.some((name) => name === entry || `${name}s` === entry));
}

/** Why this argv may not run, in words; undefined when it may. */
export function refusal(args: string[], rules: Rules): string | undefined {
  const [verb = '', first = ''] = args;
  if (args.length > rules.maxArguments) return `too many arguments (${args.length}, at most ${rules.maxArguments})`;
  if (!rules.verbs.has(verb)) return `verb '${verb}' is not allowed in mode ${rules.mode}`;
  if (verb === 'rollout' && !['history', 'status'].includes(first))
    return 'rollout is allowed with history or status only';
  for (const arg of args) {
    const forbidden = IMMUTABLE.find((part) => arg.includes(part));
    if (forbidden !== undefined) return `argument '${arg}' contains the forbidden '${forbidden}'`;
    const pattern = rules.forbidden.find((expression) => expression.test(arg));
    if (pattern !== undefined) return `argument '${arg}' matches the forbidden pattern ${pattern.source}`;
  }
  if (isRestricted(first, rules.restricted)) return `resource '${first}' is restricted`;
  return undefined;
}

/** The rules now in force; a changed file counts within its reloadInterval, a bad one leaves the previous rules. */
export function watchRules(file: string | undefined): () => Rules {
  let rules = BUILT_IN;
  let loaded: string | undefined;
  const reload = (): void => {
    if (file === undefined) return;
    try {
      const text = readFileSync(file, 'utf8');
      if (text === loaded) return;
      loaded = text;
      rules = parseRules(text);
      log.info(`Whitelist loaded: mode ${rules.mode}, ${rules.verbs.size} verbs`);
    } catch (error) {
      log.error(`Whitelist ${file} rejected, mode ${rules.mode} stays: ${reason(error)}`);
    } finally {
      setTimeout(reload, rules.reloadInterval * 1000).unref();
    }
  };
  reload();
  return () => rules;
}
