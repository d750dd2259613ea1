/** Removes what up.ts started; certificates, credentials and images stay, and nothing is built: node sandbox/dev/down.ts */
import { findDocker } from '../build/docker.ts';
import { part, say } from '../progress.ts';
import { run } from '../run.ts';
import { PROJECT } from './folder.ts';

/** Docker's own commands suffice: compose would have to be built where it is not installed. */
const KINDS = [
  { list: ['ps', '--all'], remove: ['rm', '--force', '--volumes'] },
  { list: ['volume', 'ls'], remove: ['volume', 'rm', '--force'] },
  { list: ['network', 'ls'], remove: ['network', 'rm'] },
];

async function away(): Promise<void> {
  for (const { list, remove } of KINDS) {
    const label = `label=com.docker.compose.project=${PROJECT}`;
    const names = (await run('docker', [...list, '--quiet', '--filter', label])).split('\n').filter(Boolean);
    if (names.length > 0) await run('docker', [...remove, ...names]);
  }
}

try {
  if (await findDocker()) await part('containers away', away);
  else say('no docker daemon answers: nothing of it runs');
} catch (error) {
  console.error(`make dev-down: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
