/**
 * The faults, each once against the deployment in the rehearsal world: node test/faults/faults.ts [--short] [ID…]
 * Writes .runbook/faults/faults.json and leaves the world as it was: everything deployed.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { judge, type Fault, type FaultResult } from './fault.ts';
import { allEnded, ENV_FILE, OUTPUTS, RESULTS, start } from './run.ts';
import { acmeFaults } from './scenarios/acme.ts';
import { clusterFaults } from './scenarios/clusters.ts';
import { googleFaults } from './scenarios/google.ts';
import { machineFaults } from './scenarios/machine.ts';

const FAULTS: readonly Fault[] = [...googleFaults, ...acmeFaults, ...clusterFaults, ...machineFaults];
const FILE = join(RESULTS, 'faults.json');

const { values, positionals } = parseArgs({ options: { short: { type: 'boolean' } }, allowPositionals: true });
const unknown = positionals.filter((id) => !FAULTS.some((f) => f.id === id));
if (unknown.length > 0)
  throw new Error(`no such fault: ${unknown.join(', ')}; known: ${FAULTS.map((f) => f.id).join(', ')}`);
const chosen = FAULTS.filter((f) => (positionals.length > 0 ? positionals.includes(f.id) : !values.short || f.short));
// What was stopped or mounted is put back on exit, and only then.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

async function strike(fault: Fault): Promise<FaultResult> {
  const { id, fault: name, done } = fault;
  try {
    return judge(fault, await fault.strike());
  } catch (error) {
    await allEnded();
    const line = error instanceof Error ? error.message : String(error);
    return {
      id,
      fault: name,
      done,
      command: '',
      result: 'NOT AS IT SHOULD BE: the test itself failed',
      secondsToNamed: null,
      line,
      seconds: 0,
      passed: false,
    };
  }
}

const fresh: FaultResult[] = [];
for (const fault of chosen) {
  const result = await strike(fault);
  fresh.push(result);
  const named = result.secondsToNamed === null ? '' : ` after ${result.secondsToNamed.toFixed(1)} s`;
  console.log(
    `${result.passed ? 'ok    ' : 'FAILED'} ${result.id}: ${result.result}${named} (${result.seconds} s)\n       ${result.line}`,
  );
}
const before = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as FaultResult[]) : [];
const all = FAULTS.flatMap(({ id }) => fresh.find((r) => r.id === id) ?? before.find((r) => r.id === id) ?? []);
mkdirSync(RESULTS, { recursive: true, mode: 0o700 });
writeFileSync(FILE, `${JSON.stringify(all, null, 2)}\n`);
const last = await start(['deploy'], ENV_FILE, 'afterwards').ended;
cpSync(OUTPUTS, join(RESULTS, 'output'), { recursive: true });
rmSync(OUTPUTS, { recursive: true, force: true });
const bad = fresh.filter((r) => !r.passed).length;
console.log(
  `${fresh.length} faults, ${bad} not as they should be; deployed again afterwards: status ${last.status ?? 'none'}`,
);
process.exitCode = bad === 0 && last.status === 0 ? 0 : 1;
