/** The rehearsal: the runbook's own commands on the rehearsal world, as an operator would type them: node sandbox/rehearse.ts */
import { spawnSync } from 'node:child_process';
import { join, relative } from 'node:path';
import { ENV_FILE } from './env.ts';

const ROOT = join(import.meta.dirname, '..');
const name = relative(ROOT, ENV_FILE);

/** Runs ./runbook WHAT on the world; ends with its status when that is not 0. */
function runbook(what: string): void {
  console.log(`\n$ ENV_FILE=${name} ./runbook ${what}`);
  const { status, signal } = spawnSync(join(ROOT, 'runbook'), [what], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ENV_FILE: name },
  });
  if (status !== 0) process.exit(status ?? (signal === 'SIGINT' ? 130 : 1));
}

runbook('deploy');
console.log(`\ngo on with: make status ENV_FILE=${name} | make verify ENV_FILE=${name} | make sandbox-down`);
runbook('verify');
