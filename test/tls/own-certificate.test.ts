/**
 * TLS cases of a certificate of one's own (TLS_CERT_FILE, TLS_KEY_FILE), as the preflight of the deployment that ENV_FILE
 * names judges it: one line for each trouble, and nothing is changed. Each is a row of docs/security.md.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadSettings } from '../../lib/settings/settings.ts';
import { certificate, LATER, rsa, type Identity, type Wanted } from './certificates.ts';
import { keepResults, type CaseResult } from './table.ts';

const { host, file } = loadSettings();
const folder = mkdtempSync(join(tmpdir(), 'kubently-own-'));
const results: CaseResult[] = [];
let root: Identity;
let other: Identity;
let intermediate: Identity;
let old: Identity;

beforeAll(async () => {
  root = await certificate({ name: 'Company CA', ca: true });
  other = await certificate({ name: 'Other CA', ca: true });
  old = await certificate({ name: 'Old CA', ca: true, algorithm: rsa(2048, 'SHA-1') });
  intermediate = await certificate({ name: 'Company intermediate', issuer: root, ca: true });
});
afterAll(() => {
  keepResults('own', results);
  rmSync(folder, { recursive: true, force: true });
});

/** What `./runbook doctor` says about the files: `ready`, or its lines without the folder and the remedies. */
function judged(chain: readonly Identity[], key: string): string {
  const path = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const own = {
    TLS_CERT_FILE: path('chain.pem', chain.map((c) => c.cert).join('\n')),
    TLS_KEY_FILE: path('key.pem', key),
    TLS_CA_FILE: path('trusted.pem', [root.cert, old.cert].join('\n')),
  };
  const kept = readFileSync(file, 'utf8').replace(/^(TLS_CA_FILE|TLS_ISSUER|TLS_CERT_FILE|TLS_KEY_FILE)=.*\n/gm, '');
  const lines = Object.entries(own).map(([name, value]) => `${name}=${value}\n`);
  const env = { ...process.env, ENV_FILE: path('settings.env', kept + lines.join('')), NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync('./runbook', ['doctor'], { env, encoding: 'utf8' });
  if (status === 0) return stdout.startsWith('ready') ? 'ready' : stdout;
  const problems = stderr.split('\n').filter((l) => /^  \S/.test(l));
  return `refused (${status ?? '?'}): ${problems.map((l) => l.trim().replaceAll(`${folder}/`, '')).join('; ')}`;
}

interface Case {
  name: string;
  expected: string;
  leaf?: () => Partial<Wanted>;
  /** What follows the leaf in the file; the intermediate where nothing is said. */
  more?: () => Identity[];
  key?: () => string;
}

const CERT = 'refused (2): TLS_CERT_FILE: "chain.pem"';
const CASES: Case[] = [
  { name: 'certificate, intermediate, and the key', expected: 'ready' },
  { name: 'wildcard for one label', expected: 'ready', leaf: () => ({ names: [host.replace(/^[^.]+/, '*')] }) },
  {
    name: 'wrong host',
    expected: `${CERT} is for elsewhere.test, not for`,
    leaf: () => ({ names: ['elsewhere.test'] }),
  },
  { name: 'host in the common name only', expected: `${CERT} is for no name at all`, leaf: () => ({ names: [] }) },
  { name: 'expired', expected: `${CERT} ended`, leaf: () => ({ from: LATER(-9), until: LATER(-1) }) },
  {
    name: 'expired, without a subject',
    expected: `${CERT} ended`,
    leaf: () => ({ name: '', from: LATER(-9), until: LATER(-1) }),
  },
  { name: 'not yet valid', expected: `${CERT} is valid from`, leaf: () => ({ from: LATER(1) }) },
  {
    name: 'key that does not match',
    expected: 'refused (2): TLS_KEY_FILE: "key.pem" does not belong to',
    key: () => other.key,
  },
  {
    name: "intermediate's key instead of the host's",
    expected: 'refused (2): TLS_KEY_FILE: "key.pem" belongs to certificate 2 of',
    key: () => intermediate.key,
  },
  { name: 'missing intermediate', expected: `${CERT} leads to no trusted root`, more: () => [] },
  { name: 'another intermediate', expected: `${CERT} is out of order`, more: () => [other] },
  { name: 'unknown CA', expected: `${CERT} leads to no trusted root`, leaf: () => ({ issuer: other }), more: () => [] },
  { name: 'SHA-1 signature', expected: `${CERT} is signed by sha1`, leaf: () => ({ issuer: old }), more: () => [] },
  {
    name: '1024-bit RSA key',
    expected: `${CERT} has an RSA key of 1024 bits`,
    leaf: () => ({ algorithm: rsa(1024, 'SHA-256') }),
  },
];

test.each(CASES)(
  '$name: $expected',
  async ({ name, expected, leaf = () => ({}), more = () => [intermediate], key }) => {
    const made = await certificate({ name: host, issuer: intermediate, names: [host], ...leaf() });
    const seen = judged([made, ...more()], key?.() ?? made.key);
    results.push({ name, expected, seen });
    expect(seen.startsWith(expected), seen).toBe(true);
    // One line for one trouble.
    expect(seen).not.toContain('; ');
  },
  30_000,
);
