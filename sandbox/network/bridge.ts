/** The docker network of both clusters, and the host's own addresses on its bridge. */
import { run, succeeds } from '../run.ts';
import { NETWORK } from '../world.ts';

/** Marks what the sandbox made, so that it removes nothing else. */
const LABEL = 'kubently-sandbox';

interface Network {
  Labels: Record<string, string> | null;
  IPAM: { Config: { Subnet?: string }[] | null };
}

async function inspect(): Promise<Network | undefined> {
  if (!(await succeeds('docker', ['network', 'inspect', NETWORK.name]))) return undefined;
  const [network] = JSON.parse(await run('docker', ['network', 'inspect', NETWORK.name])) as Network[];
  return network;
}

const isOurs = (network: Network) => network.Labels?.[LABEL] !== undefined;

/**
 * Makes sure of the network, its bridge and the bridge's further addresses (DNS, Google API, ACME); answers whether
 * the network was made. Throws when a network of that name is not the sandbox's.
 */
export async function ensureNetwork(): Promise<boolean> {
  const found = await inspect();
  if (found !== undefined && !(isOurs(found) && found.IPAM.Config?.[0]?.Subnet === NETWORK.subnet)) {
    throw new Error(
      `docker has a network ${NETWORK.name} that is not this sandbox's (wanted: ${NETWORK.subnet}); ` +
        `remove it (docker network rm ${NETWORK.name}) or change NETWORK.name in sandbox/world.ts`,
    );
  }
  if (found === undefined) {
    const range = ['--subnet', NETWORK.subnet, '--ip-range', NETWORK.containers, '--gateway', NETWORK.gateway];
    const bridge = ['--opt', `com.docker.network.bridge.name=${NETWORK.bridge}`];
    await run('docker', [
      'network',
      'create',
      '--driver',
      'bridge',
      '--label',
      LABEL,
      ...range,
      ...bridge,
      NETWORK.name,
    ]);
  }
  // A reboot keeps docker's network but not these addresses.
  for (const address of [NETWORK.dns, NETWORK.google, NETWORK.acmeStaging, NETWORK.acmeProduction, NETWORK.llm]) {
    await run('ip', ['address', 'replace', `${address}/32`, 'dev', NETWORK.bridge]);
  }
  return found === undefined;
}

/** Removes the network, if it is the sandbox's; answers whether there was one. */
export async function removeNetwork(): Promise<boolean> {
  const found = await inspect();
  if (found === undefined || !isOurs(found)) return false;
  await run('docker', ['network', 'rm', NETWORK.name]);
  return true;
}
