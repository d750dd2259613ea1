import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

/** What an operator reads or copies. */
const FILES = globSync(
  [
    'README.md',
    'CHANGELOG.md',
    '.env.example',
    'docs/**/*',
    'values/**/*',
    'sandbox/dev/*.{yaml,conf}',
    'sandbox/**/*.md',
    'sandbox/kubently/deployment/**/*',
    'lib/settings/settings-table.ts',
  ],
  { cwd: ROOT, withFileTypes: true, exclude: (entry) => entry.name === 'node_modules' },
)
  .filter((entry) => entry.isFile())
  .map((entry) => resolve(entry.parentPath, entry.name));

/** Plain http that is meant: this machine, a Service inside one cluster or compose network, examples of the redirect. */
const ALLOWED: [string, RegExp][] = [
  ['this machine', /^http:\/\/(localhost|127\.0\.0\.1)([:/]|$)/],
  ['a Service, the documented opt-in', /^http:\/\/(kubently-)?api:8080$/],
  ['a chart template of a Service', /^http:\/\/\{\{/],
  ['an address that the rehearsal shows, to be redirected', /^http:\/\/198\.18\.255\.10([:/]|$)/],
];

/** Plain http URLs in a text; a bare `http://` names the scheme only. */
function plainUrls(text: string): string[] {
  return [...text.matchAll(/http:\/\/[^\s'"`)>|,\]]+/g)]
    .map(([url]) => url.replace(/[.;]+$/, ''))
    .filter((u) => /^http:\/\/[\w{[]/.test(u));
}

const isAllowed = (url: string): boolean => ALLOWED.some(([, pattern]) => pattern.test(url));

test('the documents and examples are found', () => {
  expect(FILES.length).toBeGreaterThan(20);
  for (const part of ['README.md', '.env.example', 'docs/security.md', 'values/gke.yaml', 'sandbox/dev/compose.yaml'])
    expect(FILES).toContain(resolve(ROOT, part));
});

test.each(FILES.map((file) => file.slice(ROOT.length + 1)))('%s speaks https', (file) => {
  const bad = plainUrls(readFileSync(resolve(ROOT, file), 'utf8')).filter((url) => !isAllowed(url));
  expect(bad).toEqual([]);
});

test('the search finds plain http, and does not take every host for an opt-in', () => {
  const found = plainUrls(
    'see http://api.kubently.com/health. and "http://kubently-api:8080", the scheme http:// alone',
  );
  expect(found).toEqual(['http://api.kubently.com/health', 'http://kubently-api:8080']);
  expect(found.map(isAllowed)).toEqual([false, true]);
  for (const url of [
    'http://localhost.evil.test/',
    'http://127.0.0.1.nip.io',
    'http://kubently-api.test:8080',
    'http://198.18.255.101/',
  ])
    expect(isAllowed(url), url).toBe(false);
});

test('nothing shows how to switch verification off without saying that it is for development', () => {
  for (const file of FILES) {
    const text = readFileSync(file, 'utf8');
    expect(/KUBENTLY_SSL_VERIFY["']?\s*[:=]\s*["']?false/.test(text) && !/development/i.test(text), file).toBe(false);
    expect(text, file).not.toMatch(/curl[^\n]*\s(-k|--insecure)\b|insecure-skip-tls-verify[=: ]+true/);
  }
});
