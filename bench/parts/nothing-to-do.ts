/** Nothing to do: status and the re-run of phases 1-3, beside gcloud, bash and Ansible. Rounds, so that a busy moment meets all. */
import { rmSync } from 'node:fs';
import { journalSince } from '../journal.ts';
import { timed } from '../measure.ts';
import { keep } from '../results.ts';
import { ansible, bash, gcloudDescribe, renderedValues, rival, settingsFile, world } from '../rivals.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);

export async function measure(): Promise<void> {
  const file = settingsFile();
  const env = { ENV_FILE: file };
  const values = await renderedValues(file);
  try {
    for (let round = 0; round < ROUNDS; round++) {
      keep('nothing-to-do', 'gcloud describe ms', (await gcloudDescribe(world(file))).ms);
      keep('nothing-to-do', 'status ms', (await timed(['./runbook', 'status'], env)).ms);
      const began = new Date();
      keep(
        'nothing-to-do',
        're-run of phases 1-3 ms',
        (await timed(['./runbook', 'deploy', '--until', '3.2'], env)).ms,
      );
      // A question to an executor is a POST, and changes nothing.
      const changes = journalSince(began).filter((l) => l.event === 'change' && !l.reason?.endsWith('/debug/execute'));
      keep('nothing-to-do', 're-run mutating calls', changes.length);
      keep('nothing-to-do', 'bash check ms', (await bash('check', file)).ms);
    }
    for (let round = 0; round < ROUNDS; round++)
      keep('nothing-to-do', 'Ansible --check ms', (await ansible(file, values, true)).ms);
    // Once unmeasured: from then on there is nothing to do for the playbook, either.
    await ansible(file, values, false);
    for (let round = 0; round < ROUNDS; round++)
      keep('nothing-to-do', 'Ansible converged ms', (await ansible(file, values, false)).ms);
  } finally {
    rmSync(values, { recursive: true, force: true });
    // What the playbook has and the runbook has not.
    const { GKE_CONTEXT = '', NAMESPACE = '' } = world(file);
    const policy = ['delete', 'networkpolicy', 'redis-network-policy', '--ignore-not-found'];
    await rival(world(file), ['kubectl', '--context', GKE_CONTEXT, '-n', NAMESPACE, ...policy]);
    await timed(['./runbook', 'deploy'], env);
  }
}
