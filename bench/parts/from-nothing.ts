/** From nothing: the whole deployment by the runbook, by the corrected bash script and by Ansible, each of a commit of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { criticalPath, journalSince } from '../journal.ts';
import { timed, type Timed } from '../measure.ts';
import { keep } from '../results.ts';
import { ansible, bash, changedSettings, renderedValues, settingsFile, world } from '../rivals.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 3);
/** The playbook has no goal of its own here, and takes longest: once, at the end. */
const RIVALS = (process.env['RIVALS'] ?? 'runbook,bash,ansible').split(',');

export async function measure(): Promise<void> {
  try {
    for (let round = 0; round < ROUNDS; round++) for (const who of RIVALS) if (who !== 'ansible') await fresh(who);
    if (RIVALS.includes('ansible')) await fresh('ansible');
  } finally {
    await bash('remove', settingsFile());
    await timed(['./runbook', 'deploy'], { ENV_FILE: settingsFile() });
  }
}

/** One deployment from nothing, of a commit whose images nobody has built yet. */
async function fresh(who: string): Promise<void> {
  await bash('remove', settingsFile());
  const repo = join(mkdtempSync(join(tmpdir(), 'kubently-bench-checkout-')), 'kubently');
  const git = (...args: string[]): void => void execFileSync('git', args, { stdio: 'ignore' });
  // With what git ignores: the images are made of it.
  execFileSync('cp', ['--archive', world()['KUBENTLY_REPO'] ?? '', repo]);
  const author = ['-c', 'user.name=bench', '-c', 'user.email=bench@rehearsal.test'];
  git('-C', repo, ...author, 'commit', '--quiet', '--allow-empty', '-m', `bench ${who}`);
  const file = changedSettings({ KUBENTLY_REPO: repo });
  const values = await renderedValues(file);
  try {
    if (who === 'bash') keep('from-nothing', 'bash ms', (await bash('deploy', file, values)).ms);
    if (who === 'ansible') keep('from-nothing', 'Ansible ms', (await ansible(file, values, false)).ms);
    if (who === 'runbook') {
      const began = new Date();
      const run: Timed = await timed(['./runbook', 'deploy'], { ENV_FILE: file });
      keep('from-nothing', 'deploy ms', run.ms);
      const path = criticalPath(journalSince(began));
      keep('from-nothing', `critical path ms (${path.steps.join(', ')})`, path.ms);
    }
  } finally {
    for (const made of [join(repo, '..'), join(file, '..'), values]) rmSync(made, { recursive: true, force: true });
  }
}
