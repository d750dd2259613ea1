/** make bench [PART=…]: measures on the rehearsal world, keeps the raw results and writes docs/performance.md. */
import { Command } from 'commander';
import { BadInput } from '../lib/base/failure.ts';
import { runProgram } from '../scripts/program.ts';
import { writeReport } from './report.ts';
import { PARTS, type Part } from './results.ts';

const program = new Command('bench')
  .description('Measures the runbook beside gcloud, a bash script and Ansible, on a world that is up and deployed.')
  .option('--part <name>', `one of ${PARTS.join(', ')}; all without it`)
  .option('--sizes <list>', 'fleet and growth: how many executors', '1,10,50,100')
  .option('--report', 'only write docs/performance.md from the results that are there');

async function measure(part: Part, sizes: readonly number[]): Promise<void> {
  switch (part) {
    case 'nothing-to-do':
      return (await import('./parts/nothing-to-do.ts')).measure();
    case 'from-nothing':
      return (await import('./parts/from-nothing.ts')).measure();
    // One fleet gives both: what phase 3 costs, and what a look at it costs.
    case 'fleet':
    case 'growth':
      return (await import('./parts/fleet.ts')).measure(sizes);
    case 'start-up':
      return (await import('./parts/start-up.ts')).measure();
  }
}

/** @throws BadInput on an unknown part */
function partsOf(name: string | undefined): readonly Part[] {
  if (name === undefined) return PARTS.filter((p) => p !== 'growth');
  const part = PARTS.find((p) => p === name);
  if (!part)
    throw new BadInput([{ about: 'PART', message: `${name} is none`, remedy: `choose of ${PARTS.join(', ')}` }]);
  return [part];
}

program.action(async () => {
  const { part, sizes, report } = program.opts<{ part?: string; sizes: string; report?: true }>();
  try {
    for (const p of report ? [] : partsOf(part)) await measure(p, sizes.split(',').map(Number));
  } finally {
    await writeReport();
  }
});
await runProgram(program, process.argv.slice(2));
