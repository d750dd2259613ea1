/** Settings: the environment over the file over the defaults, validated once into a typed object (design.md rule 9). */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'dotenv';
import * as v from 'valibot';
import { BadInput, type Problem } from './failure.ts';
import { RUNBOOK_FOLDER } from './journal/journal.ts';
import { optionalSecret, type Secret } from './secret.ts';
import { INHERITED, PASSED_ON, ROWS } from './settings-table.ts';
import type { Remote, Target } from './target.ts';
import { trustFileProblem } from './certificates/trust-file.ts';

export type Issuer = 'staging' | 'production';

export interface Settings {
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
  llm: { provider: 'anthropic-claude' | 'google-gemini' | 'openai'; model: string; keys: Record<string, Secret> };
  tokensFile: string;
  acme: { email: string; staging: string; production: string; caFile: string | undefined };
  tls: {
    issuer: Issuer | undefined;
    caFile: string | undefined;
    /** A certificate that the operator brings; none is requested then. */
    own: { certFile: string; keyFile: string } | undefined;
  };
  certManagerChart: string;
  /** age public keys, and the file of an identity. */
  backup: { recipients: string[]; identityFile: string | undefined };
  ingressController: 'traefik' | 'existing';
  hstsIncludeSubdomains: boolean;
  dnsServer: string | undefined;
  /** What children of the runbook get as environment. */
  childEnvironment: Record<string, string>;
  /** Where the runbook keeps what it made of these settings (fitted values). */
  folder: string;
  /** The file that was read, for the commands that the runbook suggests. */
  file: string;
}

const is = (pattern: RegExp, message: string) => v.pipe(v.string(), v.regex(pattern, message));
const dnsName = is(
  /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/,
  'is not a DNS name such as test-api.kubently.io (lower case, no scheme, port or path)',
);
const label = is(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be lower-case letters, digits and hyphens, at most 63');
const release = v.pipe(
  label,
  v.includes('kubently', 'must contain "kubently", or the chart names a Redis Service that does not exist'),
  v.maxLength(53, 'may have at most 53 characters'),
);
const url = (protocols: RegExp, message: string) =>
  v.pipe(
    v.string(),
    v.check((u) => URL.canParse(u) && protocols.test(new URL(u).protocol), message),
  );
const https = url(/^https:$/, 'must be an https:// URL');
const home = (path: string): string => resolve(path.replace(/^~(?=\/|$)/, homedir()));
const path = v.pipe(v.string(), v.nonEmpty('is not set'), v.transform(home));
const isFile = (f: string): boolean => statSync(f, { throwIfNoEntry: false })?.isFile() === true;
const file = v.pipe(path, v.check(isFile, 'names a file that does not exist'));
const certificates = v.pipe(
  file,
  v.check(
    (f) => readFileSync(f, 'utf8').includes('-----BEGIN CERTIFICATE-----'),
    'names a file without a PEM certificate',
  ),
);
const word = (what: string) => is(/^\S+$/, `must be ${what}, one word`);
const key = is(/^\S*$/, 'holds a blank or a line break: look at its quotes');
const oneOf = <const T extends readonly string[]>(options: T) => v.picklist(options, `must be ${options.join(' or ')}`);
const trustFile = v.pipe(
  certificates,
  v.rawCheck(({ dataset, addIssue }) => {
    const message = dataset.typed ? trustFileProblem(dataset.value, Date.now()) : undefined;
    if (message !== undefined) addIssue({ message });
  }),
);
/** Plain http only inside the cluster: a Service by its short name, or NAME.NAMESPACE.svc. */
const SERVICE_URL = /^http:\/\/([a-z0-9-]+|[a-z0-9-]+\.[a-z0-9-]+\.svc(\.cluster\.local)?)(:\d+)?$/;
const optional = <const T extends v.GenericSchema<string>>(type: T) =>
  v.pipe(
    v.string(),
    v.transform((text) => (text === '' ? undefined : text)),
    v.optional(type),
  );
const list = (text: string): string[] => text.split(',').map((s) => s.trim());

const remote = v.pipe(
  v.string(),
  v.rawTransform(({ dataset: { value: text }, addIssue }): Remote => {
    const [id = '', where = ''] = text.split(/=(.*)/s);
    const [context = '', namespace = 'kubently-remote', name = 'kubently-remote', ...rest] = where.split('/');
    const parts = [v.safeParse(label, id), v.safeParse(label, namespace), v.safeParse(release, name)];
    const bad = parts.flatMap(({ issues }, i) =>
      issues ? [`${['id', 'namespace', 'release'][i] ?? ''} ${issues[0].message}`] : [],
    );
    if (context === '' || rest.length > 0) bad.push('has the form id=context[/namespace[/release]]');
    if (bad.length > 0) addIssue({ message: `"${text}": ${bad.join('; ')}` });
    return { id, context, namespace, release: name };
  }),
);

const fields = v.object({
  GCP_PROJECT: is(/^([a-z0-9.]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/, 'is not a Google Cloud project id'),
  GCP_REGION: is(/^[a-z]+-[a-z]+\d+$/, 'is not a region such as us-central1'),
  DNS_ZONE: label,
  API_HOST: dnsName,
  STATIC_IP_NAME: label,
  DNS01_AUTH: oneOf(['key', 'workload-identity']),
  DNS01_ACCOUNT: is(/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/, 'is not a service account id (6 to 30 characters)'),
  GKE_CONTEXT: word('a context as `kubectl config get-contexts -o name` prints it'),
  NAMESPACE: label,
  RELEASE: release,
  GKE_CLUSTER_ID: label,
  REMOTE_CLUSTERS: v.pipe(v.string(), v.transform(list), v.array(remote)),
  GKE_EXECUTOR_API_URL: optional(
    v.pipe(
      url(/^https?:$/, 'must be an http(s):// URL'),
      v.check((u) => !u.endsWith('/'), 'must not end with a slash'),
      v.check(
        (u) => !u.startsWith('http:') || (SERVICE_URL.test(u) && !/^http:\/\/localhost\b/.test(u)),
        'may be plain http only to a Service of the cluster, such as http://kubently-api:8080',
      ),
    ),
  ),
  KUBENTLY_REPO: path,
  IMAGE_REGISTRY: is(
    /^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)+$/,
    'must be host/path without a scheme, such as ghcr.io/kubently/kubently',
  ),
  IMAGE_REGISTRY_USER: word('a user name'),
  GITHUB_TOKEN: key,
  API_REPLICAS: v.pipe(is(/^([1-9]|10)$/, 'must be a whole number from 1 to 10'), v.transform(Number)),
  LLM_PROVIDER: oneOf(['anthropic-claude', 'google-gemini', 'openai']),
  LLM_MODEL: word('a model name'),
  ANTHROPIC_API_KEY: key,
  GOOGLE_API_KEY: key,
  OPENAI_API_KEY: key,
  TOKENS_FILE: v.pipe(
    path,
    v.check((f) => !existsSync(f) || isFile(f), 'names a folder, not a file'),
  ),
  ACME_EMAIL: v.pipe(
    v.string(),
    v.email('is not an e-mail address'),
    v.check((m) => !m.endsWith('@example.com'), 'is still the placeholder'),
  ),
  TLS_ISSUER: optional(oneOf(['staging', 'production'])),
  ACME_STAGING_SERVER: https,
  ACME_PRODUCTION_SERVER: https,
  ACME_CA_FILE: optional(trustFile),
  TLS_CA_FILE: optional(trustFile),
  TLS_CERT_FILE: optional(certificates),
  TLS_KEY_FILE: optional(file),
  CERT_MANAGER_CHART: v.pipe(
    is(/^(oci:\/\/.+|https:\/\/.+|~?\.{0,2}\/.+)$/, 'must be an oci:// or https:// URL, or a path'),
    v.transform((place) => (/^(oci|https):/.test(place) ? place : home(place))),
    v.check((place) => /^(oci|https):/.test(place) || existsSync(place), 'names a path that does not exist'),
  ),
  BACKUP_RECIPIENT: v.pipe(
    v.string(),
    v.transform((text) => list(text).filter(Boolean)),
    v.check((all) => all.every((r) => /^age1[a-z0-9]{58,}$/.test(r)), 'must be age public keys (age1…)'),
  ),
  BACKUP_IDENTITY: optional(file),
  INGRESS_CONTROLLER: oneOf(['traefik', 'existing']),
  HSTS_INCLUDE_SUBDOMAINS: v.pipe(
    oneOf(['true', 'false']),
    v.transform((text) => text === 'true'),
  ),
  DNS_SERVER: optional(v.pipe(v.string(), v.ip('must be an IP address'))),
});

const shape = v.pipe(
  fields,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { value } = dataset;
    const told = (key: keyof typeof value, message: string): void =>
      addIssue({ message, path: [{ type: 'object', origin: 'value', input: value, key, value: value[key] }] });
    const remotes = value.REMOTE_CLUSTERS;
    const ids = [value.GKE_CLUSTER_ID, ...remotes.map((r) => r.id)];
    const releases = [`${value.GKE_CONTEXT}/${value.RELEASE}`, ...remotes.map((r) => `${r.context}/${r.release}`)];
    const { TLS_CERT_FILE: cert, TLS_KEY_FILE: certKey, TLS_ISSUER: issuer } = value;
    if (cert !== undefined && certKey === undefined) told('TLS_KEY_FILE', 'has to be set beside TLS_CERT_FILE');
    if (certKey !== undefined && cert === undefined) told('TLS_CERT_FILE', 'has to be set beside TLS_KEY_FILE');
    if (cert !== undefined && issuer !== undefined)
      told('TLS_ISSUER', 'has no meaning beside TLS_CERT_FILE: no certificate is requested then');
    const twice = (all: string[]) => all.filter((x, i) => all.indexOf(x) !== i);
    for (const id of twice(ids)) told('REMOTE_CLUSTERS', `has the cluster id "${id}" twice`);
    for (const r of twice(releases))
      told('REMOTE_CLUSTERS', `has the release ${r} twice: its cluster-scoped names would collide`);
  }),
);

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
        message: there ? 'is no file, and settings are read from one' : 'there is no such settings file',
        remedy: 'cp .env.example .env and edit it, or name one by ENV_FILE=path; `make rehearse` needs none',
      },
    ]);
  }
  const text = readFileSync(name, 'utf8');
  const fromFile = parse(text);
  const problems = [...fileProblems(text, fromFile)];
  const inFile = new Set(problems);
  const value = (key: string): string | undefined => env[key] ?? fromFile[key];
  const raw = Object.fromEntries(
    ROWS.map((r) => [
      r.name,
      value(r.name) ?? (r.kind === 'default' ? r.example : r.kind === 'optional' ? '' : undefined),
    ]),
  );
  // One cause a line: what follows from a broken value is not told beside it.
  const result = v.safeParse(shape, raw, { abortPipeEarly: true });
  for (const problem of (result.issues ?? []).map((i) => problemOf(i, raw))) {
    // What the file says of a setting explains its value.
    const told = problems.some((p) => p.about === problem.about && (inFile.has(p) || p.message === problem.message));
    if (!told) problems.push(problem);
  }
  if (!result.success || problems.length > 0) throw new BadInput(problems);
  return typed(result.output, childEnvironment(env, fromFile), name);
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
  for (const [, key = ''] of text.matchAll(/^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=/gm)) {
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

function problemOf(issue: v.BaseIssue<unknown>, raw: Record<string, string | undefined>): Problem {
  const about = v.getDotPath(issue)?.split('.')[0] ?? 'settings';
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
  const tools = join(import.meta.dirname, '..', '.tools', 'bin');
  const child: Record<string, string> = {};
  for (const [key, text] of Object.entries(fromFile)) if (PASSED_ON.test(key)) child[key] = text;
  for (const [key, text] of Object.entries(env))
    if (text !== undefined && (PASSED_ON.test(key) || INHERITED.test(key))) child[key] = text;
  return { ...child, PATH: `${tools}:${child['PATH'] ?? ''}` };
}

function typed(s: v.InferOutput<typeof shape>, environment: Record<string, string>, name: string): Settings {
  const keys = {
    ANTHROPIC_API_KEY: s.ANTHROPIC_API_KEY,
    GOOGLE_API_KEY: s.GOOGLE_API_KEY,
    OPENAI_API_KEY: s.OPENAI_API_KEY,
  };
  return {
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
      keys: Object.fromEntries(
        Object.entries(keys).flatMap(([key, text]) => {
          const boxed = optionalSecret(text);
          return boxed ? [[key, boxed]] : [];
        }),
      ),
    },
    tokensFile: s.TOKENS_FILE,
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
    backup: { recipients: s.BACKUP_RECIPIENT, identityFile: s.BACKUP_IDENTITY },
    ingressController: s.INGRESS_CONTROLLER,
    hstsIncludeSubdomains: s.HSTS_INCLUDE_SUBDOMAINS,
    dnsServer: s.DNS_SERVER,
    childEnvironment: environment,
    folder: join(RUNBOOK_FOLDER, s.API_HOST),
    file: name,
  };
}
