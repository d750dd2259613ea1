/** An Outside that denies by default: what a test did not list does not exist, and asking for it is an error. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Clock } from '../../lib/base/clock.ts';
import {
  CommandFailed,
  pasteable,
  type Binary,
  type Command,
  type Followed,
  type Output,
} from '../../lib/base/command.ts';
import type { AnswerOf } from '../../lib/clients/dns.ts';
import { makeContext, type Context, type Outside } from '../../lib/context.ts';
import type { HttpAnswer, HttpRequest } from '../../lib/base/http.ts';
import { Secret } from '../../lib/base/secret.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import type { Served } from '../../lib/clients/tls.ts';

const ROOT = mkdtempSync(join(tmpdir(), 'kubently-unit-'));
afterAll(() => rmSync(ROOT, { recursive: true, force: true }));

/** A command that the test expects. */
export interface Row {
  binary: Binary;
  args: readonly string[] | ((args: readonly string[]) => boolean);
  /** Its stdout, or what makes it; a CommandFailed is thrown by fails(). */
  answer: string | ((command: Command) => string | Promise<string>);
}

/** Something that answers commands or requests of its own kind; undefined: not mine. */
export interface World {
  command?: (command: Command) => string | undefined | Promise<string | undefined>;
  request?: (request: HttpRequest) => HttpAnswer | undefined;
}

export interface FakeOutside extends Outside {
  /** Every command that says it changes something, in order, as describe() puts it. */
  changes: string[];
  /** Every command. */
  commands: Command[];
  requests: HttpRequest[];
  /** What was slept, in milliseconds. */
  sleeps: number[];
  clock: Clock & { advance: (ms: number) => void };
}

export interface FakeParts {
  rows?: readonly Row[];
  worlds?: readonly World[];
  /** By "METHOD url". */
  http?: Readonly<Record<string, HttpAnswer | (() => HttpAnswer | Promise<HttpAnswer>)>>;
  /** A records at every name server, by host. */
  addresses?: Readonly<Record<string, () => AnswerOf[]>>;
  /** NS records by zone, without the closing dot. */
  nameServers?: Readonly<Record<string, readonly string[]>>;
  /** A records by the ordinary resolver. */
  resolved?: Readonly<Record<string, readonly string[]>>;
  /** Whom CAA records let issue, by name; a name that is not listed has none. */
  mayIssue?: Readonly<Record<string, readonly string[]>>;
  /** Zones on which the ordinary resolver fails. */
  failing?: readonly string[];
  served?: Readonly<Record<string, () => Served>>;
  /** What a followed command says, by its line to paste. */
  follows?: (command: string, line: (text: string) => void) => Followed | Promise<Followed>;
  /** The protocol below TLS 1.2 that is accepted, by host; undefined: refused. */
  legacyTls?: Readonly<Record<string, () => string | undefined>>;
}

/** The fake Outside of a test. */
export function fakeOutside({
  rows = [],
  worlds = [],
  http = {},
  addresses = {},
  nameServers = {},
  resolved = {},
  mayIssue = {},
  failing = [],
  served = {},
  follows,
  legacyTls = {},
}: FakeParts): FakeOutside {
  const changes: string[] = [];
  const commands: Command[] = [];
  const requests: HttpRequest[] = [];
  const { clock, sleeps } = fakeClock();
  const answerTo = async (command: Command): Promise<string> => {
    for (const world of worlds) {
      const answer = await world.command?.(command);
      if (answer !== undefined) return answer;
    }
    const row = rows.find((r) => r.binary === command.binary && matches(r.args, command.args));
    if (!row) throw new Error(`not listed in the test: ${pasteable(command)}`);
    return typeof row.answer === 'string' ? row.answer : row.answer(command);
  };
  return {
    changes,
    commands,
    requests,
    sleeps,
    clock,
    run: async (command): Promise<Output> => {
      commands.push(command);
      if (command.mutates) changes.push(describeCommand(command));
      return { stdout: await answerTo(command), stderr: '' };
    },
    follow: async (command, line) => {
      if (!follows) throw new Error(`not listed in the test: ${pasteable(command)}`);
      return follows(pasteable(command), line);
    },
    http: async (request) => {
      requests.push(request);
      for (const world of worlds) {
        const answer = world.request?.(request);
        if (answer) return answer;
      }
      const answer = http[`${request.method ?? 'GET'} ${request.url}`];
      if (!answer) throw new Error(`not listed in the test: ${request.method ?? 'GET'} ${request.url}`);
      return typeof answer === 'function' ? answer() : answer;
    },
    dns: {
      nameServers: (zone) => listed(nameServers[zone], `NS ${zone}`),
      addresses: (name) => listed(resolved[name], `A ${name}`),
      mayIssue: (name) => Promise.resolve(mayIssue[name] && [...mayIssue[name]]),
      fails: (zone) => Promise.resolve(failing.includes(zone)),
      addressesAt: (servers, name) => {
        const answer = addresses[name];
        return answer
          ? Promise.resolve(answer())
          : Promise.reject(new Error(`not listed in the test: A ${name} at ${servers.join()}`));
      },
    },
    served: (host) => {
      const answer = served[host];
      return answer ? Promise.resolve(answer()) : Promise.reject(new Error(`not listed in the test: TLS ${host}`));
    },
    legacyTls: (host) => {
      const answer = legacyTls[host];
      return answer
        ? Promise.resolve(answer())
        : Promise.reject(new Error(`not listed in the test: old TLS to ${host}`));
    },
  };
}

function listed(answer: readonly string[] | undefined, what: string): Promise<string[]> {
  return answer ? Promise.resolve([...answer]) : Promise.reject(new Error(`not listed in the test: ${what}`));
}

/** A clock that stands still until somebody sleeps. */
export function fakeClock(): { clock: FakeOutside['clock']; sleeps: number[] } {
  let now = Date.parse('2026-01-01T00:00:00Z');
  const sleeps: number[] = [];
  return {
    sleeps,
    clock: {
      now: () => now,
      sleep: (ms) => {
        sleeps.push(ms);
        now += ms;
        return Promise.resolve();
      },
      advance: (ms) => {
        now += ms;
      },
    },
  };
}

/** The context of a step's test. */
export function contextOf(outside: Outside, given: Settings = settings(), looking = false): Context {
  return makeContext(given, outside, looking);
}

/** The error by which a listed command fails. */
export function fails(stderr: string, exitCode = 1): (command: Command) => never {
  return (command) => {
    throw new CommandFailed(command, exitCode, { stdout: '', stderr }, false);
  };
}

/** The text that a command got by stdin, as the program gets it. */
export function inputOf({ input }: Command): string {
  return input instanceof Secret ? input.reveal() : (input ?? '');
}

/** An HTTP answer with a JSON body. */
export function json(body: unknown, status = 200, headers: HttpAnswer['headers'] = {}): HttpAnswer {
  return { status, headers, body: JSON.stringify(body) };
}

/** A folder of its own, which goes when the test file is through. */
export function temporaryFolder(): string {
  return mkdtempSync(join(ROOT, 'own-'));
}

/** Settings of a whole deployment with one remote; tokens in a folder of their own. */
export function settings(changed: Partial<Settings> = {}): Settings {
  const folder = temporaryFolder();
  return {
    profile: 'staging',
    project: 'unit-project',
    region: 'us-central1',
    dnsZone: 'kubently-io',
    host: 'unit-api.kubently.io',
    staticIpName: 'kubently-ingress-ip',
    dns01Auth: 'key',
    dns01Account: 'cert-manager-dns01',
    gke: { context: 'gke-context', namespace: 'kubently' },
    release: 'kubently',
    gkeClusterId: 'gke',
    remotes: [{ id: 'kind-remote', context: 'kind-context', namespace: 'kubently-remote', release: 'kubently-remote' }],
    gkeExecutorApiUrl: 'https://unit-api.kubently.io',
    repo: join(folder, 'kubently'),
    images: { registry: 'ghcr.io/kubently/kubently', user: 'kubently', token: undefined },
    apiReplicas: 2,
    llm: { provider: 'anthropic-claude', model: 'claude-sonnet-4-6', keys: {}, baseUrl: undefined, caFile: undefined },
    tokensFile: join(folder, 'tokens.env'),
    acme: {
      email: 'ops@kubently.io',
      staging: 'https://acme.test/staging',
      production: 'https://acme.test/production',
      caFile: undefined,
    },
    tls: { issuer: undefined, caFile: undefined, own: undefined },
    certManagerChart: 'oci://quay.io/jetstack/charts/cert-manager',
    backup: { recipients: [], identityFile: undefined, bucket: undefined, keepDays: 30 },
    ingressController: 'traefik',
    ingressReplicas: 1,
    hstsIncludeSubdomains: false,
    dnsServer: undefined,
    childEnvironment: { PATH: process.env['PATH'] ?? '', HOME: folder },
    folder: join(folder, '.runbook'),
    file: join(folder, '.env'),
    ...changed,
  };
}

function matches(wanted: Row['args'], args: readonly string[]): boolean {
  return typeof wanted === 'function'
    ? wanted(args)
    : wanted.length === args.length && wanted.every((w, i) => w === args[i]);
}

/** The command line; for an apply, what is applied instead of its flags. */
function describeCommand(command: Command): string {
  const { args } = command;
  if (command.binary !== 'kubectl' || args[0] !== 'apply') return pasteable(command);
  const { items } = JSON.parse(inputOf(command)) as { items: { kind: string; metadata: { name: string } }[] };
  const namespace = args[args.indexOf('--namespace') + 1] ?? '';
  const manager = args[args.indexOf('--field-manager') + 1] === 'helm' ? ' as helm' : '';
  return `apply${manager} in ${namespace}: ${items.map((o) => `${o.kind}/${o.metadata.name}`).join(', ')}`;
}
