/** docs/reliability.md, from what the fault tests have seen (.runbook/faults/*.json). */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultResult } from './fault.ts';
import { RESULTS, ROOT } from './run.ts';

interface CrashMatrix {
  crashes: { step: string; point: string; after: number; ended: number }[];
  notReached: string[];
  endedBadly: number;
  seconds: number;
  tokensKept: boolean;
  inventory: { counts: Record<string, number>; problems: string[] };
}

interface TwoOperators {
  rounds: number;
  stays: number;
  refused: number;
  overlaps: number;
}

interface Leaks {
  run: string;
  samples: number;
  secrets: number;
  forms: number;
  places: { place: string; bytes: number; planted: string[]; leaks: string[] }[];
  passed: boolean;
}

interface Suite {
  numPassedTests: number;
  numTotalTests: number;
}

function read(name: string): unknown {
  const file = join(RESULTS, `${name}.json`);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string =>
    `| ${cells.map((c) => String(c).replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** What bats ran (its JUnit report): file, test, seconds, and whether it passed, failed or was skipped. */
function batsTests(): { file: string; name: string; seconds: number; result: string }[] {
  const file = join(RESULTS, 'report.xml');
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const unescaped = (t: string): string =>
    t
      .replaceAll('&quot;', '"')
      .replaceAll('&#39;', "'")
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&');
  return [
    ...text.matchAll(/<testcase classname="([^"]*)" name="([^"]*)" time="([\d.]+)"(?: \/>|>\s*<(failure|skipped))/g),
  ].map(([, of = '', name = '', seconds = '0', bad]) => ({
    file: of,
    name: unescaped(name),
    seconds: Number(seconds),
    result: bad === 'failure' ? '**failed**' : (bad ?? 'passes'),
  }));
}

const NOT_RUN = 'Not run yet.';

function crashes(found: CrashMatrix | undefined): string {
  if (!found) return NOT_RUN;
  const points = ['started', 'first change returned', 'verify begun'];
  const steps = [...new Set(found.crashes.map((c) => c.step))].sort((a, b) =>
    a.localeCompare(b, 'en', { numeric: true }),
  );
  const cell = (step: string, point: string): string => {
    const crash = found.crashes.find((c) => c.step === step && c.point === point);
    return crash ? `killed after ${crash.after.toFixed(1)} s, with ${crash.ended - 1} children` : '';
  };
  const counts = Object.entries(found.inventory.counts).map(([what, n]) => `${n} ${what}`);
  return `One deployment from nothing, ended by \`kill -9\` of the run and all its children ${found.crashes.length} times, each time gone on with by the same command, in ${Math.round(found.seconds / 60)} minutes; ${found.endedBadly} of the runs that were not killed ended badly${found.notReached.length > 0 ? `, and ${found.notReached.length} points were not reached (${found.notReached.join(', ')}): no changing call is made there, or an earlier run had made it before its kill` : ''}. In the end: ${counts.join(', ')}; ${found.tokensKept ? 'the same tokens throughout' : 'the tokens were not compared'}; ${found.inventory.problems.length === 0 ? 'nothing twice, nothing missing' : `**${found.inventory.problems.join(', ')}**`}.\n\n${table(
    ['step', ...points],
    steps.map((s) => [s, ...points.map((p) => cell(s, p))]),
  )}`;
}

function faults(found: readonly FaultResult[] | undefined): string {
  if (!found || found.length === 0) return NOT_RUN;
  const seconds = (f: FaultResult): string => (f.secondsToNamed === null ? '–' : f.secondsToNamed.toFixed(1));
  const rows = found.map((f) => [
    f.fault,
    f.done,
    `\`${f.command}\``,
    f.passed ? f.result : `**${f.result}**`,
    seconds(f),
    f.seconds,
    f.line,
  ]);
  return `Each either completes, or ends with its true cause named within 60 s of when it could be known; then the same command goes on.\n\n${table(['fault', 'what was done', 'command', 'result', 's until named', 's in all', 'what it said'], rows)}`;
}

function operators(found: TwoOperators | undefined): string {
  if (!found) return NOT_RUN;
  return `${found.rounds} times two operators at once, on the real cluster’s Lease: ${found.stays} stays inside, ${found.refused} refused (those that did not wait), ${found.overlaps} times both inside.`;
}

function stopping(): string {
  const tests = batsTests().filter((t) => /^(signals|tmux)\.bats$/.test(t.file));
  if (tests.length === 0) return NOT_RUN;
  return `Real runs ended in each way, and two beside each other; \`make tmux\` with its client killed.\n\n${table(
    ['what', 'result', 's'],
    tests.map((t) => [t.name, t.result, Math.round(t.seconds)]),
  )}`;
}

function leaks(found: Leaks | undefined): string {
  if (!found) return NOT_RUN;
  const rows = found.places.map((p) => [
    p.place,
    p.bytes,
    p.planted.length > 0 ? `yes, ${p.planted.map((f) => f.replace('canary ', '')).join(' ')}` : '**no**',
    p.leaks.length === 0 ? 0 : `**${p.leaks.join('; ')}**`,
  ]);
  return `A deployment of its own from nothing in tmux (${found.run}), looked at ${found.samples} times: ${found.secrets} secrets, each in ${found.forms} forms (plain, URL-encoded, JSON, base64 and base64url at all three alignments). A secret planted at every place shows that it would be found.\n\n${table(['place', 'bytes', 'planted one found', 'leaks'], rows)}`;
}

function badInput(found: Suite | undefined): string {
  if (!found) return NOT_RUN;
  return `${found.numPassedTests} of ${found.numTotalTests} tests of wrong settings pass: each names cause and remedy in one line, ends with status 2, and Google was asked nothing.`;
}

/** Situations are written by hand, each held by a unit test: what stands in the page stays there. */
function kept(title: string): string {
  const file = join(ROOT, 'docs', 'reliability.md');
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return (text.split(`## ${title}\n\n`)[1] ?? NOT_RUN).split('\n## ')[0]?.trimEnd() ?? NOT_RUN;
}

/** The page. */
export function reliability(): string {
  const parts: [string, string][] = [
    ['Crashes', crashes(read('crash-matrix') as CrashMatrix | undefined)],
    ['Faults', faults(read('faults') as FaultResult[] | undefined)],
    ['Stopping', stopping()],
    ['Two operators', operators(read('two-operators') as TwoOperators | undefined)],
    ['Secrets', leaks(read('leaks') as Leaks | undefined)],
    ['Bad input', badInput(read('bad-input') as Suite | undefined)],
    ['Situations', kept('Situations')],
  ];
  const text = parts.map(([title, body]) => `## ${title}\n\n${body}\n`).join('\n');
  return `# Reliability\n\nWritten by \`make test-faults\` from what was seen in the rehearsal world: real clusters, real Helm, cert-manager, ACME and Traefik, Google emulated.\n\n${text}`;
}

/** What is written by hand at the end of the file: it is kept. */
function byHand(file: string): string {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const at = text.indexOf('\n## Outside the rehearsal');
  return at < 0 ? '' : text.slice(at);
}

if (import.meta.main) {
  mkdirSync(join(ROOT, 'docs'), { recursive: true });
  const file = join(ROOT, 'docs', 'reliability.md');
  writeFileSync(file, reliability() + byHand(file));
  console.log('docs/reliability.md');
}
