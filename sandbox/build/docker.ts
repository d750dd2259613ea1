/** The docker daemon of the sandbox: the machine's if one answers, else one of its own. */
import { chmodSync, copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDaemon, pidOf, stopDaemon } from '../processes.ts';
import { run, succeeds, until } from '../run.ts';
import { CACHE, NETWORK, RUN } from '../world.ts';
import { lacksResourceCapability } from './capability.ts';
import { recordForwarding, restoreForwarding } from './netfilter.ts';
import { ensurePackages } from './packages.ts';
import { cached } from './parts.ts';

const NAME = 'dockerd';
const DATA = join(CACHE, 'docker');
const PID_FILE = `${RUN}/docker.pid`;
const HOST = `unix://${RUN}/docker.sock`;
/** Docker's own bridge: in the benchmark range like the network `kind`, apart from it. */
const BRIDGE = { name: 'docker0', address: '198.19.0.1/24', subnet: '198.19.0.0/24', pool: '198.19.128.0/17' };
const FORWARDING = `${RUN}/forwarding.json`;
const WRAPPER = join(import.meta.dirname, 'node', 'runc-without-resource');

const answers = (host: string) =>
  succeeds('docker', ['--host', host, 'version', '--format', '{{.Server.Version}}'], { seconds: 5 });

/** Children find the daemon by the environment. The old daemon of Debian has no BuildKit of use here. */
function use(host: string): { host: string; ours: boolean } {
  process.env['DOCKER_HOST'] = host;
  process.env['DOCKER_BUILDKIT'] ??= '0';
  return { host, ours: host === HOST };
}

/** The machine's own daemon, if one answers. */
async function machines(): Promise<string | undefined> {
  const named = process.env['DOCKER_HOST'];
  const hosts = [...(named === undefined ? [] : [named]), 'unix:///var/run/docker.sock'].filter(
    (host) => host !== HOST,
  );
  for (const host of hosts) if (await answers(host)) return host;
  return undefined;
}

async function wrapped(): Promise<string[]> {
  if (!lacksResourceCapability()) return [];
  // A copy, so that the daemon does not depend on this clone.
  const folder = await cached('runc-wrapper', { files: [WRAPPER] }, (making) => {
    copyFileSync(WRAPPER, join(making, 'runc'));
    chmodSync(join(making, 'runc'), 0o755);
    return Promise.resolve();
  });
  return [`--add-runtime=lowered=${folder}/runc`, '--default-runtime=lowered'];
}

/** The docker daemon that runs, put into this process's environment (DOCKER_HOST); undefined where none answers. */
export async function findDocker(): Promise<{ host: string; ours: boolean } | undefined> {
  // However it was started: another cache or clone must not restart it under running clusters.
  if (pidOf(NAME) !== undefined && (await answers(HOST))) return use(HOST);
  const host = await machines();
  return host === undefined ? undefined : use(host);
}

/**
 * Makes sure that a docker daemon answers and puts it into this process's environment (DOCKER_HOST): the sandbox's
 * own if that runs, else the one of DOCKER_HOST or of /var/run/docker.sock, else one started here (Debian's, installed
 * if missing; its images live in the cache). Throws with the daemon's log when it does not come up.
 */
export async function ensureDocker(): Promise<{ host: string; ours: boolean }> {
  // Asked for each time, so that the cache keeps it as long as the daemon may need it.
  const runtime = await wrapped();
  const before = await findDocker();
  if (before !== undefined) return before;
  if (!(await succeeds('dockerd', ['--version']))) {
    await ensurePackages(['docker.io', 'containerd', 'runc', 'iptables']);
    // Under systemd the package starts its daemon.
    const installed = await machines();
    if (installed !== undefined) return use(installed);
  }
  const args = [
    `--host=${HOST}`,
    `--data-root=${DATA}`,
    `--exec-root=${RUN}/docker`,
    `--pidfile=${PID_FILE}`,
    `--bip=${BRIDGE.address}`,
    `--default-address-pool=base=${BRIDGE.pool},size=24`,
    `--dns=${NETWORK.dns}`,
    '--storage-driver=overlay2',
    ...runtime,
  ];
  await end();
  await recordForwarding(FORWARDING);
  await ensureDaemon({ name: NAME, command: 'dockerd', args }, () => answers(HOST));
  return use(HOST);
}

/** Ends our daemon if it runs and leaves nothing that would keep the next one from starting. */
async function end(): Promise<boolean> {
  const pid = pidOf(NAME);
  if (pid !== undefined) {
    process.kill(pid, 'SIGTERM');
    // It gives its containers 10 s to end.
    await until('dockerd ends', 30, () => Promise.resolve(pidOf(NAME) === undefined), 100).catch(() => undefined);
  }
  await stopDaemon(NAME);
  // A killed daemon leaves its containers' networks mounted: they would go on answering at the addresses of the new ones.
  const networks = join(RUN, 'docker', 'netns');
  for (const name of existsSync(networks) ? readdirSync(networks) : []) {
    await run('umount', ['--lazy', join(networks, name)]).catch(() => undefined);
    rmSync(join(networks, name), { force: true });
  }
  rmSync(PID_FILE, { force: true });
  // A killed daemon leaves its data folder mounted on itself.
  await run('umount', [DATA]).catch(() => undefined);
  return pid !== undefined;
}

/** Stops the sandbox's own daemon with its containers, removes its bridge and its rules; answers whether it ran. */
export async function stopDocker(): Promise<boolean> {
  const ran = await end();
  const addresses = await run('ip', ['-o', 'address', 'show', 'dev', BRIDGE.name]).catch(() => '');
  if (addresses.includes(BRIDGE.address)) await run('ip', ['link', 'delete', BRIDGE.name]);
  await restoreForwarding(FORWARDING, [BRIDGE.name, BRIDGE.subnet]);
  return ran;
}
