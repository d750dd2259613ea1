/**
 * Removes the rehearsal world: node sandbox/down.ts
 * Works on half-made worlds, touches only what the sandbox made, and keeps the built parts (CACHE).
 */
import { existsSync, rmSync } from 'node:fs';
import { ensureDocker, stopDocker } from './build/docker.ts';
import { removeCluster } from './cluster/clusters.ts';
import { ENV_FILE } from './env.ts';
import { removeHosts } from './hosts.ts';
import { removeNetwork } from './network/bridge.ts';
import { daemons, pidOf, stopDaemon } from './processes.ts';
import { say } from './progress.ts';
import { run } from './run.ts';
import { CLUSTERS, REGISTRY, STATE } from './world.ts';

const removed: string[] = [];
const note = (what: string, was: boolean) => {
  if (!was) return;
  removed.push(what);
  say(`removed: ${what}`);
};

/** Images that the runbook built for the rehearsal's registry. */
async function removeImages(): Promise<boolean> {
  const reference = `reference=${REGISTRY.host}/kubently/*/*`;
  const ids = (await run('docker', ['image', 'ls', '--quiet', '--filter', reference])).split('\n').filter(Boolean);
  if (ids.length > 0) await run('docker', ['image', 'rm', '--force', ...new Set(ids)]);
  return ids.length > 0;
}

async function down(): Promise<void> {
  // Daemons first: they would write into what is removed after them.
  for (const name of daemons().filter((daemon) => daemon !== 'dockerd')) note(name, await stopDaemon(name));
  // After a reboot the containers are there and their daemon is not: it must run to remove them.
  if (existsSync(STATE) || pidOf('dockerd') !== undefined) {
    const { ours } = await ensureDocker();
    const clusters = Object.values(CLUSTERS).map(async ({ name }) => {
      note(`cluster ${name}`, await removeCluster(name));
    });
    await Promise.all(clusters);
    note('images of the rehearsal', await removeImages());
    note('docker network', await removeNetwork());
    if (ours) note('docker daemon', await stopDocker());
  }
  note('line in /etc/hosts', removeHosts());
  note(STATE, existsSync(STATE));
  rmSync(STATE, { recursive: true, force: true });
  note(ENV_FILE, existsSync(ENV_FILE));
  rmSync(ENV_FILE, { force: true });
}

if (process.getuid?.() !== 0) {
  console.error('root: the rehearsal world is root’s; nothing was changed\n  run it as root: sudo make sandbox-down');
  process.exit(2);
}
const up = pidOf('up');
if (up !== undefined) {
  console.error(`sandbox-up is at work (pid ${up}); wait for it or end it`);
  process.exit(5);
}
try {
  await down();
  say(removed.length === 0 ? 'there is no rehearsal world' : 'the rehearsal world is gone; its built parts are kept');
} catch (error) {
  console.error(`sandbox-down: ${error instanceof Error ? error.message : String(error)}`);
  console.error('run it again to go on from here');
  process.exitCode = 1;
}
