/** The rehearsal: the runbook's own commands on the rehearsal world, as an operator would type them: node sandbox/rehearse.ts */
import { spawnSync } from 'node:child_process';
import { join, relative } from 'node:path';
import { ENV_FILE } from './env.ts';

const ROOT = join(import.meta.dirname, '..');
const name = relative(ROOT, ENV_FILE);

/** Nothing failed, but something could not be proven (no LLM key): what follows is worth knowing. */
const UNPROVEN = 4;

/** Runs ./runbook WHAT on the world. @returns its status, which is 0 or UNPROVEN: on any other the program ends with it */
function runbook(what: string): number {
  console.log(`\n$ ENV_FILE=${name} ./runbook ${what}`);
  const { status, signal } = spawnSync(join(ROOT, 'runbook'), [what], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ENV_FILE: name },
  });
  if (status !== 0 && status !== UNPROVEN) process.exit(status ?? (signal === 'SIGINT' ? 130 : 1));
  return status;
}

const deployed = runbook('deploy');
console.log(`\ngo on with: make status ENV_FILE=${name} | make verify ENV_FILE=${name} | make sandbox-down`);
process.exitCode = Math.max(deployed, runbook('verify'));
