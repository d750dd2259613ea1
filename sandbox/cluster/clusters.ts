/** The two kind clusters: created once, found again, restarted after a reboot, replaced when half-made. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, succeeds, until } from '../run.ts';
import { NETWORK, STATE } from '../world.ts';
import { clusterConfiguration } from './configuration.ts';
import { clusterKubeconfig } from './kubeconfig.ts';

/** kind's own environment: the network, and a kubeconfig that nobody else uses. */
const kindEnvironment = (name: string) => ({
  KIND_EXPERIMENTAL_DOCKER_NETWORK: NETWORK.name,
  KUBECONFIG: join(STATE, 'clusters', `${name}.kind`),
});

const node = (name: string) => `${name}-control-plane`;
/** Holds the node's container id and address once kind has finished: a container without it is half-made. */
const completed = (name: string) => join(STATE, 'clusters', `${name}.node`);
const identity = ({ Id, NetworkSettings }: Container) =>
  `${Id} ${NetworkSettings.Networks[NETWORK.name]?.IPAddress ?? ''}`;

interface Container {
  Id: string;
  State: { Running: boolean };
  NetworkSettings: { Networks: Record<string, { IPAddress: string }> };
}

async function inspect(name: string): Promise<Container | undefined> {
  if (!(await succeeds('docker', ['container', 'inspect', node(name)]))) return undefined;
  const [container] = JSON.parse(await run('docker', ['container', 'inspect', node(name)])) as Container[];
  return container;
}

/** kubectl against one cluster, by its own kubeconfig. */
function kubectl(bin: string, name: string, args: string[]): [string, string[]] {
  return [join(bin, 'kubectl'), ['--kubeconfig', clusterKubeconfig(name), '--request-timeout=3s', ...args]];
}

async function writeKubeconfig(bin: string, name: string): Promise<void> {
  const text = await run(join(bin, 'kind'), ['get', 'kubeconfig', '--name', name], { env: kindEnvironment(name) });
  writeFileSync(clusterKubeconfig(name), text, { mode: 0o600 });
}

/** What was written down about the finished cluster. */
function recorded(name: string): { id: string; address: string } | undefined {
  if (!existsSync(completed(name))) return undefined;
  const [id = '', address = ''] = readFileSync(completed(name), 'utf8').split(' ');
  return { id, address };
}

const isOurs = (name: string, container: Container) =>
  NETWORK.name in container.NetworkSettings.Networks || recorded(name)?.id === container.Id;

/** Starts a stopped node at the address it had: otherwise the two nodes may come up with each other's. */
async function start(name: string, address: string): Promise<void> {
  await succeeds('docker', ['network', 'disconnect', '--force', NETWORK.name, node(name)]);
  await run('docker', ['network', 'connect', '--ip', address, NETWORK.name, node(name)]);
  await run('docker', ['start', node(name)]);
}

/** Whether a finished cluster is there and its API answers, after a (re)start of its container if need be. */
async function revive(bin: string, name: string, container: Container): Promise<'runs' | 'started again' | undefined> {
  const record = recorded(name);
  if (record?.id !== container.Id) return undefined;
  const ready = () => succeeds(...kubectl(bin, name, ['get', '--raw', '/readyz']));
  const answers = (seconds: number) =>
    until(`the API of ${name} answers`, seconds, ready).then(
      () => true,
      () => false,
    );
  if (container.State.Running) {
    if (!existsSync(clusterKubeconfig(name))) await writeKubeconfig(bin, name);
    if (await answers(30)) return 'runs';
    await run('docker', ['stop', node(name)]);
  }
  await start(name, record.address);
  await writeKubeconfig(bin, name);
  return (await answers(90)) ? 'started again' : undefined;
}

/**
 * Makes sure that the cluster runs; answers what was found or done. Throws when a cluster of this name exists that
 * is not the sandbox's (not on its network), or when it cannot be created.
 */
export async function ensureCluster(bin: string, name: string, image: string): Promise<string> {
  mkdirSync(join(STATE, 'clusters'), { recursive: true, mode: 0o700 });
  const found = await inspect(name);
  if (found !== undefined && !isOurs(name, found)) {
    throw new Error(
      `a kind cluster ${name} exists that is not this sandbox's; stop it or rename ours in sandbox/world.ts`,
    );
  }
  if (found !== undefined) {
    const revived = await revive(bin, name, found);
    if (revived !== undefined) return revived;
    await removeCluster(name);
  }
  await run(join(bin, 'kind'), ['create', 'cluster', '--name', name, '--config', '-', '--wait', '60s', '--quiet'], {
    input: clusterConfiguration(image),
    env: kindEnvironment(name),
  });
  await writeKubeconfig(bin, name);
  const made = await inspect(name);
  if (made !== undefined) writeFileSync(completed(name), identity(made));
  return found === undefined ? 'created' : 'replaced, since it was half-made or dead';
}

/**
 * Waits until CoreDNS answers, asked through the API server: after a restart its status still says what was. The
 * cluster's storage retries longer at first and is not waited for.
 */
export async function settled(bin: string, name: string): Promise<void> {
  const path = '/api/v1/namespaces/kube-system/services/kube-dns:metrics/proxy/metrics';
  await until(`CoreDNS of ${name} answers`, 120, () => succeeds(...kubectl(bin, name, ['get', '--raw', path])), 500);
}

/** Removes the cluster, its volumes too, if it is the sandbox's; answers whether there was one. */
export async function removeCluster(name: string): Promise<boolean> {
  const found = await inspect(name);
  if (found === undefined || !isOurs(name, found)) return false;
  rmSync(completed(name), { force: true });
  await run('docker', ['rm', '--force', '--volumes', node(name)]);
  return true;
}
