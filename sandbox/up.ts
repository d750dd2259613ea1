/**
 * Brings the rehearsal world up, or finds it up: node sandbox/up.ts
 * Goes on from whatever an earlier run, a crash or a reboot left behind.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { explain } from '../lib/base/failure.ts';
import { ensureAcme } from './acme/pebble.ts';
import { build, pullBaseImages } from './build/build.ts';
import { ensureDocker } from './build/docker.ts';
import { ensurePackages } from './build/packages.ts';
import { ensureCheckout } from './checkout.ts';
import { ensureCluster, settled } from './cluster/clusters.ts';
import { writeNodeFiles } from './cluster/configuration.ts';
import { writeKubeconfig } from './cluster/kubeconfig.ts';
import { ENV_FILE, writeEnvironment } from './env.ts';
import { gcloudEnvironment } from './google/gcloud.ts';
import { ensureNetwork } from './network/bridge.ts';
import { TABLE } from './network/policy-rules.ts';
import { ensureDaemon, pidOf, remember, type Daemon } from './processes.ts';
import { checkPrerequisites } from './prerequisites.ts';
import { part, say } from './progress.ts';
import { ensureRegistry } from './registry.ts';
import { succeeds } from './run.ts';
import { CLUSTERS, GOOGLE, LLM, PATHS, REGISTRY, STATE } from './world.ts';

const HERE = import.meta.dirname;
const started = (yes: boolean) => (yes ? 'started' : 'runs');
const created = (yes: boolean) => (yes ? 'created' : 'there');

/** One of our own daemons: a TypeScript file under sandbox/. */
function own(name: string, file: string, ...sources: string[]): Daemon {
  const script = join(HERE, file);
  return {
    name,
    command: process.execPath,
    args: [script],
    env: { DOCKER_HOST: process.env['DOCKER_HOST'] ?? '' },
    sources: [dirname(script), ...sources],
  };
}

const answers = (url: string) => () =>
  fetch(url).then(
    (answer) => answer.ok,
    () => false,
  );

/** Whether the agent's table is in the node. */
const policiesApplied = () =>
  succeeds('docker', ['exec', `${CLUSTERS.gke.name}-control-plane`, 'nft', 'list', 'table', 'inet', TABLE]);

async function up(): Promise<void> {
  mkdirSync(STATE, { recursive: true, mode: 0o755 });
  await part('packages', ensurePackages);
  const docker = await part('docker daemon', ensureDocker, ({ host }) => host);
  const built = await part('built parts', build, ({ bin }) => dirname(bin));
  copyFileSync(built.ca.cert, PATHS.ca);
  copyFileSync(built.ca.key, PATHS.caKey);
  await part('network', ensureNetwork, created);
  writeNodeFiles();

  const sources = [join(HERE, 'dns'), join(HERE, 'hosts.ts'), PATHS.ca];
  const google = part(
    'Google API and DNS',
    () => ensureDaemon(own('google', 'google/serve.ts', ...sources), answers(`${GOOGLE.endpoint}/_sandbox/settings`)),
    started,
  );
  const llm = part(
    'language model',
    () => ensureDaemon(own('llm', 'llm/serve.ts', PATHS.ca), answers(`${LLM.endpoint}/_sandbox/fault`)),
    started,
  );
  const registry = part('registry', () => ensureRegistry(built.registryData), started);
  const acme = part('ACME directories', () => ensureAcme(join(built.bin, 'pebble')), started);
  const given = process.env['KUBENTLY_REPO'];
  const checkout = given === undefined ? part('Kubently checkout', ensureCheckout, (id) => id) : Promise.resolve('');
  const clusters = Object.values(CLUSTERS).map(async ({ name }) => {
    await part(
      `cluster ${name}`,
      () => ensureCluster(built.bin, name, built.nodeImage),
      (what) => what,
    );
    await registry;
    await part(
      `CoreDNS of ${name}`,
      () => settled(built.bin, name),
      () => 'available',
    );
  });
  const bases = registry.then(() => part('base images', () => pullBaseImages(REGISTRY.host)));
  await Promise.all([google, llm, registry, bases, acme, checkout, ...clusters]);

  writeKubeconfig();
  const policies = own('policy-agent', 'network/policy-agent.ts', PATHS.kubeconfig);
  await part('NetworkPolicy agent', () => ensureDaemon(policies, () => policiesApplied()), started);
  writeEnvironment({
    dockerHost: docker.host,
    certManagerChart: built.certManagerChart,
    repo: given ?? PATHS.checkout,
    gcloud: gcloudEnvironment(GOOGLE.endpoint, PATHS.googleToken, join(STATE, 'gcloud')),
  });
}

try {
  await checkPrerequisites();
} catch (error) {
  console.error(explain(error));
  process.exit(2);
}
const other = pidOf('up');
if (other !== undefined) {
  console.error(`another sandbox-up is at work (pid ${other}); wait for it or end it`);
  process.exit(5);
}
remember('up', process.pid);
try {
  await up();
  say(`the rehearsal world is up. Settings: ${ENV_FILE}`);
  say('next: make rehearse (or: ENV_FILE=sandbox/.env ./runbook deploy); in the end: make sandbox-down');
} catch (error) {
  console.error(`sandbox-up: ${error instanceof Error ? error.message : String(error)}`);
  console.error(`logs: ${PATHS.logs}; run it again to go on from here, or start afresh after: make sandbox-down`);
  process.exitCode = 1;
}
