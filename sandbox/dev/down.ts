/** Removes what up.ts started; certificates, credentials and images stay: node sandbox/dev/down.ts */
import { ensureDocker } from '../build/docker.ts';
import { part } from '../progress.ts';
import { compose } from './compose.ts';

try {
  await ensureDocker();
  await part('containers away', () => compose(['down', '--volumes', '--remove-orphans', '--timeout', '10']));
} catch (error) {
  console.error(`make dev-down: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
