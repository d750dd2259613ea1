/** docs/performance.md from the raw results: ratios, the goals, and what is not reached with its reason. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import { median, ROOT } from './measure.ts';
import { PARTS, samplesOf, type Sample } from './results.ts';

const all: Sample[] = PARTS.flatMap(samplesOf);

/** The samples of a name. */
function of(what: string): number[] {
  return all.filter((s) => s.what === what).map((s) => s.value);
}

/** A median, or undefined where nothing was measured. */
function mid(what: string): number | undefined {
  const values = of(what);
  return values.length === 0 ? undefined : median(values);
}

function ratio(above: number | undefined, below: number | undefined): number | undefined {
  return above === undefined || below === undefined ? undefined : above / below;
}

interface Goal {
  what: string;
  goal: number;
  found: number | undefined;
  unit?: 'ms';
  runs: number;
}

function goals(): Goal[] {
  const status = mid('status ms');
  const path = all.filter((s) => s.what.startsWith('critical path')).map((s) => s.value);
  const start = mid('2.1 --plan beyond its tools ms');
  return [
    {
      what: 'make status / one gcloud describe',
      goal: 0.5,
      found: ratio(status, mid('gcloud describe ms')),
      runs: of('status ms').length,
    },
    {
      what: 're-run of phases 1–3 / make status',
      goal: 2,
      found: ratio(mid('re-run of phases 1-3 ms'), status),
      runs: of('re-run of phases 1-3 ms').length,
    },
    {
      what: 'mutating calls of that re-run',
      goal: 0,
      found: of('re-run mutating calls').length ? Math.max(...of('re-run mutating calls')) : undefined,
      runs: of('re-run mutating calls').length,
    },
    {
      what: 'status / Ansible --check of the same',
      goal: 1 / 8,
      found: ratio(status, mid('Ansible --check ms')),
      runs: of('Ansible --check ms').length,
    },
    {
      what: 'make deploy from nothing / corrected serial bash',
      goal: 0.6,
      found: ratio(mid('deploy ms'), mid('bash ms')),
      runs: Math.min(of('deploy ms').length, of('bash ms').length),
    },
    {
      what: 'make deploy from nothing / its own critical path',
      goal: 1.15,
      found: ratio(mid('deploy ms'), path.length ? median(path) : undefined),
      runs: path.length,
    },
    {
      what: '50 remote executors / 1',
      goal: 6,
      found: ratio(mid('50 executors ms'), mid('1 executors ms')),
      runs: of('50 executors ms').length,
    },
    {
      what: '50 remote executors / 1, memory',
      goal: 1.5,
      found: ratio(mid('50 executors KiB'), mid('1 executors KiB')),
      runs: of('50 executors KiB').length,
    },
    {
      what: 'start-up of one script over its tools',
      goal: 200,
      found: start,
      unit: 'ms',
      runs: of('2.1 --plan beyond its tools ms').length,
    },
  ];
}

function goalRow({ what, goal, found, unit, runs }: Goal): string {
  const shown = (n: number): string => (unit ? `${Math.round(n)} ms` : String(Math.round(n * 100) / 100));
  const verdict = found === undefined ? 'not measured' : found <= goal ? 'reached' : '**not reached**';
  return `| ${what} | ≤ ${unit ? `${goal} ms` : String(Math.round(goal * 1000) / 1000)} | ${found === undefined ? '–' : shown(found)} | ${runs} | ${verdict} |`;
}

function samplesTable(): string[] {
  return PARTS.flatMap((part) => {
    const samples = samplesOf(part);
    const names = [...new Set(samples.map((s) => s.what))];
    if (names.length === 0) return [`### ${part}`, '', 'Not measured yet.', ''];
    const load = median(samples.map((s) => s.load));
    const rows = names.map((what) => {
      const values = of(what);
      return `| ${what} | ${median(values)} | ${Math.min(...values)} | ${Math.max(...values)} | ${values.length} |`;
    });
    const when = samples.at(-1);
    return [
      `### ${part}`,
      '',
      `Last on ${when?.at.slice(0, 16).replace('T', ' ') ?? ''} UTC at commit ${when?.commit ?? ''}, ${when?.cores ?? ''} cores, load average ${load} (median).`,
      '',
      '| what | median | least | most | runs |',
      '|---|---|---|---|---|',
      ...rows,
      '',
    ];
  });
}

/** Writes the document. */
export async function writeReport(): Promise<void> {
  const remarks = readFileSync(join(import.meta.dirname, 'remarks.md'), 'utf8').trimEnd();
  const text = [
    '# Performance',
    '',
    '<!-- Written by `make bench` from bench/results/ and bench/remarks.md. Changes are lost. -->',
    '',
    'Measured on the rehearsal world beside what an operator would use instead: one `gcloud compute addresses describe`, the plan as a bash script (bench/serial) and as an Ansible playbook (bench/ansible). What counts are ratios within one run on one machine; absolute times are colour.',
    '',
    '## Goals',
    '',
    '| what | goal | found | runs | |',
    '|---|---|---|---|---|',
    ...goals().map(goalRow),
    '',
    remarks,
    '',
    '## What was measured',
    '',
    'Times in milliseconds, memory in KiB as the names say.',
    '',
    ...samplesTable(),
  ].join('\n');
  const file = join(ROOT, 'docs', 'performance.md');
  writeFileSync(file, await format(text, { filepath: file }));
}
