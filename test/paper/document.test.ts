/** The document of `make runbook-doc`: pasted into a real bash with recording tools, it runs what the steps ran. */
import { execFile } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test, vi } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import type { Run } from '../../lib/base/command.ts';
import { documentOf } from '../../lib/operations/document/document.ts';
import { textOf } from '../../lib/operations/document/empty-cluster.ts';
import { recordDeploy, type RecordedDeploy } from '../../lib/operations/document/record-deploy.ts';
import type { Asked } from '../../lib/operations/document/recording.ts';
import { Secret } from '../../lib/base/secret.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import { remarks } from '../../scripts/ops/runbook-doc.ts';
import { STEPS } from '../../scripts/steps.ts';
import { fixture, render } from '../chart/releases.ts';
import { settings, temporaryFolder } from '../unit/outside.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const REAL = { github: 'ghp_real-token-0001', llm: 'sk-real-llm-key-0001' };
const COMMIT = 'c31127e3f8a94be2a1e6b6b7e2d7a0b9c8d7e6f5';
let given: Settings;
let recorded: RecordedDeploy;
let text: string;

/** git and helm template alone; whatever else is asked of this machine is an error. */
const real: Run = async ({ binary, args, input }) => {
  if (binary === 'git' && args.includes('rev-parse')) return { stdout: `${COMMIT}\n`, stderr: '' };
  if (binary !== 'helm' || args[0] !== 'template') throw new Error(`ran ${binary} ${args.join(' ')}`);
  const [, release = '', chart = '', , namespace = ''] = args;
  const rendered = await render({ release, namespace, chart, values: JSON.parse(String(input)) as unknown });
  if (!rendered.ok) throw new Error(rendered.error);
  return { stdout: rendered.text, stderr: '' };
};

beforeAll(async () => {
  const folder = temporaryFolder();
  const repo = join(folder, 'kubently');
  cpSync(fixture('H'), join(repo, 'deployment', 'helm', 'kubently'), { recursive: true });
  mkdirSync(join(repo, 'kubently-cli', 'nodejs'), { recursive: true });
  const caFile = join(folder, 'ca.pem');
  writeFileSync(
    caFile,
    '# for $HOME, `date`, \\ and \"all\" it’s worth\n-----BEGIN CERTIFICATE-----\nZG9sbGFyICQ=\n-----END CERTIFICATE-----\n',
  );
  given = settings({
    repo,
    tls: { issuer: undefined, caFile, own: undefined },
    images: { registry: 'ghcr.io/kubently/kubently', user: 'kubently', token: new Secret(REAL.github) },
    llm: {
      provider: 'anthropic-claude',
      model: 'claude-sonnet-4-6',
      keys: { ANTHROPIC_API_KEY: new Secret(REAL.llm) },
      baseUrl: undefined,
      caFile: undefined,
    },
  });
  writeFileSync(given.file, `GITHUB_TOKEN='${REAL.github}'\nANTHROPIC_API_KEY='${REAL.llm}'\n`);
  recorded = await recordDeploy(given, STEPS, real);
  text = documentOf(recorded, given, remarks(given, COMMIT.slice(0, 7)));
});

test('every step has its part: purpose, what to do, proof and undo', () => {
  for (const step of STEPS) {
    const [part = ''] = text.split(`## ${step.id} `)[1]?.split('\n## ') ?? [];
    expect(part, step.id).toContain(step.title);
    expect(part, step.id).toContain('### Proof\n');
    expect(part, step.id).toMatch(/\n\n[A-Z].*\. Needs /);
    if (step.kind === 'change') {
      expect(part, step.id).toContain('### Do\n');
      expect(part, step.id).toContain('### Undo\n');
    }
  }
});

test('no secret is in it, of the settings or of the recording, plain or encoded; no path of the recording', () => {
  const values = [
    REAL.github,
    REAL.llm,
    ...recorded.standIns.filter((s) => s.variable !== 'INGRESS_IP').map((s) => s.value),
  ];
  expect(values.length).toBeGreaterThan(6);
  for (const value of values) {
    expect(text).not.toContain(value);
    expect(text).not.toContain(Buffer.from(value).toString('base64'));
  }
  expect(text).not.toContain('PRIVATE KEY');
  expect(text).not.toContain('kubently-paper-');
});

test('nothing of the settings’ own places was written', () => {
  expect(() => readFileSync(given.tokensFile)).toThrow();
  expect(() => readFileSync(given.folder)).toThrow();
});

interface Ran {
  argv: string[];
  input: string;
}

/** The document's shell blocks under a heading, run by bash, every tool replaced by one that writes down what it got. */
async function pasted(heading: string): Promise<Ran[]> {
  const folder = temporaryFolder();
  const bin = join(folder, 'bin');
  const log = join(folder, 'log');
  mkdirSync(bin);
  writeFileSync(log, '');
  const of = (variable: string): string => recorded.standIns.find((s) => s.variable === variable)?.value ?? '';
  const tokens = recorded.standIns.filter((s) => s.source?.startsWith('openssl')).map((s) => s.value);
  writeFileSync(join(folder, 'tokens'), `${tokens.join('\n')}\n`);
  writeFileSync(join(folder, 'key'), of('DNS01_KEY'));
  const tool = `#!${process.execPath}
const { appendFileSync, readFileSync, writeFileSync } = require('node:fs');
const name = process.argv[1].split('/').at(-1);
const argv = [name, ...process.argv.slice(2)].map((a) => (/^\\/(dev\\/fd|proc)\\//.test(a.slice(a.indexOf('@') + 1)) && a.startsWith('@') ? '@' + readFileSync(a.slice(1), 'utf8') : a));
const reads = argv.some((a) => a === '-' || a === '--password-stdin' || a === '-i') && name !== 'gcloud';
const input = reads ? readFileSync(0, 'utf8') : '';
if (name === 'openssl') {
  const [first, ...rest] = readFileSync('${folder}/tokens', 'utf8').split('\\n');
  writeFileSync('${folder}/tokens', rest.join('\\n'));
  process.stdout.write(first + '\\n');
} else appendFileSync('${log}', JSON.stringify({ argv, input }) + '\\n');
if (argv.includes('describe')) process.stdout.write('${of('INGRESS_IP')}\\n');
if (argv.includes('keys') && argv.includes('create')) process.stdout.write(readFileSync('${folder}/key'));
`;
  for (const name of ['kubectl', 'helm', 'gcloud', 'git', 'docker', 'curl', 'openssl', 'node', 'npm']) {
    writeFileSync(join(bin, name), tool);
    chmodSync(join(bin, name), 0o755);
  }
  const blocks = [
    ...text.matchAll(new RegExp(`### ${heading}\\n\\n(?:\\*\\*.*\\n\\n)?\`\`\`sh\\n([^]*?)\\n\`\`\`\\n`, 'g')),
  ].map((m) => m[1]);
  // The stand-ins of the settings' secrets, as sourcing the settings file would give the real ones.
  const exported = ['GITHUB_TOKEN', 'ANTHROPIC_API_KEY'].map((n) => `${n}='${of(n)}'`);
  const script = ['set -euo pipefail', `PATH='${bin}':$PATH`, ...exported, ...blocks].join('\n');
  await promisify(execFile)('bash', ['-c', script], { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder } });
  return readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Ran)
    .filter(({ argv }) => !argv.includes('describe'));
}

/** What a recorded change comes to as a tool gets it. */
function expected(asked: Asked): { argv: string[]; input: unknown } {
  if (asked.kind === 'request')
    return { argv: ['curl', asked.request.method ?? '', asked.request.url], input: asked.request.body };
  const { command } = asked;
  const there = (word: string): string => recorded.moved.reduce((w, [from, to]) => w.replaceAll(from, to), word);
  return { argv: [command.binary, ...command.args.map(there)], input: releaseSpecOf(textOf(command)) };
}

/** An input by what it says, so that JSON and YAML compare. */
function releaseSpecOf(input: string): unknown {
  if (!input.includes('\n') && !input.startsWith('{')) return input;
  // As helm and kubectl read it.
  const documents = parseAllDocuments(input, { version: '1.1' }).map(
    (d) => d.toJS() as { kind?: string; items?: unknown[] },
  );
  const [first] = documents;
  return documents.length === 1 && first?.kind === 'List' ? first.items : documents;
}

function seen({ argv, input }: Ran): { argv: string[]; input: unknown } {
  if (argv[0] !== 'curl') return { argv, input: releaseSpecOf(input) };
  const after = (flag: string): string => argv[argv.indexOf(flag) + 1] ?? '';
  const body: unknown = argv.includes('--data') ? parse(after('--data').replace(/^@/, '')) : undefined;
  return { argv: ['curl', after('--request'), argv.find((a) => a.startsWith('https:')) ?? ''], input: body };
}

test('pasted, it makes every change of a deployment, with the same words and the same input', async () => {
  const ran = (await pasted('Do')).map(seen);
  const wanted = recorded.steps.flatMap((s) => s.applied).map(expected);
  expect(wanted.length).toBeGreaterThan(15);
  expect(ran).toEqual(wanted);
  expect(readFileSync(given.tokensFile, 'utf8')).toContain('API_KEY=');
});

test('pasted, it undoes every step, the last first when read backwards', async () => {
  const ran = (await pasted('Undo')).map(seen);
  const wanted = recorded.steps.flatMap((s) => s.undone).map(expected);
  expect(wanted.length).toBeGreaterThan(15);
  expect(ran).toEqual(wanted);
});

test('the tokens file is not overwritten by pasting once more', async () => {
  writeFileSync(given.tokensFile, 'API_KEY=mine\n');
  await expect(pasted('Do')).rejects.toThrow(/cannot overwrite existing file/);
  expect(readFileSync(given.tokensFile, 'utf8')).toBe('API_KEY=mine\n');
});
