/** Settings: the environment over the file over the profile over the defaults, validated once into a typed object (docs/architecture.md rule 9). */
import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'dotenv';
import { z } from 'zod';
import { BadInput, type Problem } from '../base/failure.ts';
import { optionalSecret, type Secret } from '../base/secret.ts';
import { INHERITED, PASSED_ON, ROWS, valuesShape, type Profile, type SettingRow } from './settings-table.ts';
import { expandHome, isFile } from './setting-types.ts';
import type { Remote, Target } from '../base/target.ts';
import { boxCredentials, defaultTokensFile, settingsFileProblem, tokensFileProblem } from './secret-files.ts';
import { RUNBOOK_FOLDER } from '../base/paths.ts';

export type Issuer = 'staging' | 'production';

export interface Settings {
  /** What the environment is to become: it sets defaults, and whether phase 5 is run. */
  profile: Profile;
  project: string;
  region: string;
  dnsZone: string;
  host: string;
  staticIpName: string;
  dns01Auth: 'key' | 'workload-identity';
  dns01Account: string;
  gke: Target;
  release: string;
  gkeClusterId: string;
  remotes: Remote[];
  gkeExecutorApiUrl: string;
  /** Absolute path of the Kubently checkout. */
  repo: string;
  images: { registry: string; user: string; token: Secret | undefined };
  apiReplicas: number;
  llm: {
    provider: 'anthropic-claude' | 'google-gemini' | 'openai';
    model: string;
    keys: Record<string, Secret>;
    /** A gateway in place of the provider's own API, and the CA that signs its certificate. */
    baseUrl: string | undefined;
    caFile: string | undefined;
  };
  tokensFile: string;
  acme: { email: string; staging: string; production: string; caFile: string | undefined };
  tls: {
    issuer: Issuer | undefined;
    caFile: string | undefined;
    /** A certificate that the operator brings; none is requested then. */
    own: { certFile: string; keyFile: string } | undefined;
  };
  certManagerChart: string;
  /** age public keys, the file of an identity, and where backups are stored and how long. */
  backup: { recipients: string[]; identityFile: string | undefined; bucket: string | undefined; keepDays: number };
  ingressController: 'traefik' | 'existing';
  ingressReplicas: number;
  hstsIncludeSubdomains: boolean;
  dnsServer: string | undefined;
  /** What children of the runbook get as environment. */
  childEnvironment: Record<string, string>;
  /** Where the runbook keeps what it made of these settings (fitted values). */
  folder: string;
  /** The file that was read, for the commands that the runbook suggests. */
  file: string;
}

const shape = valuesShape.superRefine((s, ctx) => {
  const remotes = s.REMOTE_CLUSTERS;
  const ids = [s.GKE_CLUSTER_ID, ...remotes.map((r) => r.id)];
  const releases = [`${s.GKE_CONTEXT}/${s.RELEASE}`, ...remotes.map((r) => `${r.context}/${r.release}`)];
  if (s.TLS_CERT_FILE !== undefined && s.TLS_KEY_FILE === undefined)
    ctx.addIssue({ code: 'custom', path: ['TLS_KEY_FILE'], message: 'has to be set beside TLS_CERT_FILE' });
  if (s.TLS_KEY_FILE !== undefined && s.TLS_CERT_FILE === undefined)
    ctx.addIssue({ code: 'custom', path: ['TLS_CERT_FILE'], message: 'has to be set beside TLS_KEY_FILE' });
  if (s.TLS_CERT_FILE !== undefined && s.TLS_ISSUER !== undefined)
    ctx.addIssue({
      code: 'custom',
      path: ['TLS_ISSUER'],
      message: 'has no meaning beside TLS_CERT_FILE: no certificate is requested then',
    });
  if (s.LLM_BASE_URL !== undefined && s.LLM_PROVIDER === 'google-gemini')
    ctx.addIssue({
      code: 'custom',
      path: ['LLM_BASE_URL'],
      message: 'has no meaning for google-gemini: its client takes no base URL from the environment',
    });
  if (s.LLM_CA_FILE !== undefined && s.LLM_BASE_URL === undefined)
    ctx.addIssue({ code: 'custom', path: ['LLM_CA_FILE'], message: 'has no meaning without LLM_BASE_URL' });
  const tokens = tokensFileOf(s);
  const wrong = isFile(tokens) ? tokensFileProblem(tokens, s.API_HOST) : undefined;
  if (wrong !== undefined) ctx.addIssue({ code: 'custom', path: ['TOKENS_FILE'], message: `"${tokens}" ${wrong}` });
  const twice = (list: string[]) => list.filter((x, i) => list.indexOf(x) !== i);
  for (const id of twice(ids))
    ctx.addIssue({ code: 'custom', path: ['REMOTE_CLUSTERS'], message: `has the cluster id "${id}" twice` });
  for (const r of twice(releases))
    ctx.addIssue({
      code: 'custom',
      path: ['REMOTE_CLUSTERS'],
      message: `has the release ${r} twice: its cluster-scoped names would collide`,
    });
});

function tokensFileOf(s: { TOKENS_FILE?: string | undefined; API_HOST: string }): string {
  return s.TOKENS_FILE ?? defaultTokensFile(s.API_HOST);
}

/** Where a setting's file is named. */
export function settingsFile(env: NodeJS.ProcessEnv): string {
  return resolve(env['ENV_FILE'] || '.env');
}

/**
 * The settings of this run.
 * @throws BadInput with every problem: missing, unknown, duplicate or malformed settings
 */
export function loadSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const name = settingsFile(env);
  const there = statSync(name, { throwIfNoEntry: false });
  if (!there?.isFile()) {
    throw new BadInput([
      {
        about: name,
        message: there ? 'is a directory; ENV_FILE must be a file' : 'there is no such settings file',
        remedy:
          'cp .env.example .env, chmod 600 .env and edit it, or name one by ENV_FILE=path; `make rehearse` needs none',
      },
    ]);
  }
  const text = textOf(name);
  const fromFile = parse(text);
  const open = settingsFileProblem(name, fromFile, isSecret);
  const problems = [...(open ? [open] : []), ...fileProblems(text, fromFile)];
  const inFile = new Set(problems);
  const value = (key: string): string | undefined => env[key] ?? fromFile[key];
  const production = value('PROFILE') === 'production';
  const raw = Object.fromEntries(
    ROWS.map((r) => [r.name, value(r.name) ?? (production ? r.production : undefined) ?? defaultOf(r)]),
  );
  const result = shape.safeParse(raw);
  for (const problem of (result.error?.issues ?? []).map((i) => problemOf(i, raw))) {
    // One cause a line: what the file says of a setting explains its value, and an empty one breaks several rules.
    const told = problems.some((p) => p.about === problem.about && (inFile.has(p) || p.message === problem.message));
    if (!told) problems.push(problem);
  }
  if (!result.success || problems.length > 0) throw new BadInput(problems);
  return typed(result.data, childEnvironment(env, fromFile), name);
}

/** @throws BadInput for a file that is not UTF-8 text, as some editors of Windows write it */
function textOf(file: string): string {
  const bytes = readFileSync(file);
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (utf16 || bytes.includes(0))
    throw new BadInput([
      {
        about: file,
        message: utf16 ? 'is UTF-16 text' : 'is not text: it holds NUL bytes',
        remedy: 'save it as UTF-8, for example: iconv -f UTF-16 -t UTF-8',
      },
    ]);
  return bytes.toString('utf8').replace(/^\uFEFF/, '');
}

function isSecret(name: string): boolean {
  return name === 'CLOUDSDK_AUTH_ACCESS_TOKEN' || ROWS.some((row) => row.name === name && row.secret);
}

function* fileProblems(text: string, parsed: Record<string, string>): Generator<Problem> {
  const names = new Set(ROWS.map((r) => r.name));
  for (const key of Object.keys(parsed)) {
    if (names.has(key) || PASSED_ON.test(key)) continue;
    yield {
      about: key,
      message: 'is not a setting of this runbook',
      remedy: 'remove the line, or look up its name in .env.example',
    };
  }
  for (const [line, problem] of oddLines(text))
    yield { about: line, message: problem, remedy: "a line is NAME=value, or NAME='value', or # and a comment" };
  const seen = new Set<string>();
  for (const [, key = ''] of text.matchAll(/^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=/gm)) {
    if (seen.has(key)) yield { about: key, message: 'is set twice in the file', remedy: 'keep one of the lines' };
    seen.add(key);
  }
}

/** Lines that dotenv would leave out or cut without a word, by their name where they have one. */
function* oddLines(text: string): Generator<[string, string]> {
  // Values in quotes may hold anything, line breaks too.
  const unquoted = text.replace(/(=[ \t]*)(["'`])(?:(?!\2)[^\\]|\\[^])*\2/g, '$1');
  for (const [n, line] of unquoted.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, name, value = ''] = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=(.*)$/.exec(line) ?? [];
    if (name === undefined) yield [`line ${n + 1}`, 'is no setting: it has no NAME='];
    else if (/^\s*["'`]/.test(value)) yield [name, 'has a quote that is not closed'];
    else if (/\S#/.test(value)) yield [name, 'holds a # without quotes, which would cut the value there'];
  }
}

function problemOf(issue: z.core.$ZodIssue, raw: Record<string, string | undefined>): Problem {
  const about = String(issue.path[0] ?? 'settings');
  const row = ROWS.find((r) => r.name === about);
  const missing = raw[about] === undefined || raw[about] === '';
  const shown = row?.secret ? 'the value' : `"${raw[about] ?? ''}"`;
  const message =
    missing && !issue.message.startsWith('has ')
      ? row?.kind === 'default'
        ? 'is empty; without the line it has its default'
        : 'is not set'
      : `${issue.message.startsWith('"') || issue.message.startsWith('has ') ? '' : `${shown} `}${issue.message}`;
  return {
    about,
    message,
    remedy: row ? `${row.comment}; for example ${row.name}=${row.example || '…'}` : 'see .env.example',
  };
}

function childEnvironment(env: NodeJS.ProcessEnv, fromFile: Record<string, string>): Record<string, string> {
  const tools = join(import.meta.dirname, '..', '..', '.tools', 'bin');
  const child: Record<string, string> = {};
  for (const [key, text] of Object.entries(fromFile))
    if (PASSED_ON.test(key)) child[key] = text.split(':').map(expandHome).join(':');
  for (const [key, text] of Object.entries(env))
    if (text !== undefined && (PASSED_ON.test(key) || INHERITED.test(key))) child[key] = text;
  boxCredentials(child);
  return { ...child, PATH: `${tools}:${child['PATH'] ?? ''}` };
}

function defaultOf({ kind, example }: SettingRow): string | undefined {
  return kind === 'default' ? example : kind === 'optional' ? '' : undefined;
}

function typed(s: z.output<typeof shape>, environment: Record<string, string>, name: string): Settings {
  const keys = {
    ANTHROPIC_API_KEY: s.ANTHROPIC_API_KEY,
    GOOGLE_API_KEY: s.GOOGLE_API_KEY,
    OPENAI_API_KEY: s.OPENAI_API_KEY,
  };
  return {
    profile: s.PROFILE,
    project: s.GCP_PROJECT,
    region: s.GCP_REGION,
    dnsZone: s.DNS_ZONE,
    host: s.API_HOST,
    staticIpName: s.STATIC_IP_NAME,
    dns01Auth: s.DNS01_AUTH,
    dns01Account: s.DNS01_ACCOUNT,
    gke: { context: s.GKE_CONTEXT, namespace: s.NAMESPACE },
    release: s.RELEASE,
    gkeClusterId: s.GKE_CLUSTER_ID,
    remotes: s.REMOTE_CLUSTERS,
    gkeExecutorApiUrl: s.GKE_EXECUTOR_API_URL ?? `https://${s.API_HOST}`,
    repo: s.KUBENTLY_REPO,
    images: { registry: s.IMAGE_REGISTRY, user: s.IMAGE_REGISTRY_USER, token: optionalSecret(s.GITHUB_TOKEN) },
    apiReplicas: s.API_REPLICAS,
    llm: {
      provider: s.LLM_PROVIDER,
      model: s.LLM_MODEL,
      baseUrl: s.LLM_BASE_URL,
      caFile: s.LLM_CA_FILE,
      keys: Object.fromEntries(
        Object.entries(keys).flatMap(([key, text]) => {
          const boxed = optionalSecret(text);
          return boxed ? [[key, boxed]] : [];
        }),
      ),
    },
    tokensFile: tokensFileOf(s),
    acme: {
      email: s.ACME_EMAIL,
      staging: s.ACME_STAGING_SERVER,
      production: s.ACME_PRODUCTION_SERVER,
      caFile: s.ACME_CA_FILE,
    },
    tls: {
      issuer: s.TLS_ISSUER,
      caFile: s.TLS_CA_FILE,
      own: s.TLS_CERT_FILE && s.TLS_KEY_FILE ? { certFile: s.TLS_CERT_FILE, keyFile: s.TLS_KEY_FILE } : undefined,
    },
    certManagerChart: s.CERT_MANAGER_CHART,
    backup: {
      recipients: s.BACKUP_RECIPIENT,
      identityFile: s.BACKUP_IDENTITY,
      bucket: s.BACKUP_BUCKET,
      keepDays: s.BACKUP_KEEP_DAYS,
    },
    ingressController: s.INGRESS_CONTROLLER,
    ingressReplicas: s.INGRESS_REPLICAS,
    hstsIncludeSubdomains: s.HSTS_INCLUDE_SUBDOMAINS,
    dnsServer: s.DNS_SERVER,
    childEnvironment: environment,
    folder: join(RUNBOOK_FOLDER, s.API_HOST),
    file: name,
  };
}
