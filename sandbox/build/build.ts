/**
 * Builds the parts of the rehearsal world from package registries, into the cache.
 * By itself: `node sandbox/build/build.ts`.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { say } from '../progress.ts';
import { CACHE } from '../world.ts';
import { rehearsalCa } from './ca.ts';
import { lacksResourceCapability } from './capability.ts';
import { certManagerChart } from './chart.ts';
import { ensureDocker } from './docker.ts';
import { goPrograms } from './go.ts';
import { dockerLoad, dockerPull, type Image } from './image.ts';
import { baseImages, certManagerImages, clusterImages, serviceImages } from './images.ts';
import { nodeImage } from './node-image.ts';
import { ensurePackages } from './packages.ts';
import { cached, sweep } from './parts.ts';
import { addToRegistry } from './registry-data.ts';
import { debianRootfs } from './rootfs.ts';
import { pulled } from './upstream.ts';
import { KUBERNETES, TRAEFIK } from './versions.ts';

/** What the world is made of. All paths lie in the cache. */
export interface Built {
  /** Folder with kind, kubectl and pebble. */
  bin: string;
  /** Tag of kind's node image, which the docker daemon has. */
  nodeImage: string;
  /** Storage folder of a registry that holds the images which pods use. */
  registryData: string;
  /** Packaged chart (.tgz). */
  certManagerChart: string;
  traefikImage: string;
  /** The rehearsal CA, which the cert-manager images trust. */
  ca: { cert: string; key: string };
}

/** Starts the long builds in an order that has the node image ready first; failures show where they are awaited. */
function order(): void {
  const modules = [
    'kubernetes',
    'etcd',
    'coredns',
    'local-path-provisioner',
    'pause',
    'kind',
    'pebble',
    'cert-manager',
  ];
  for (const module of modules) goPrograms(module).catch(() => undefined);
  for (const name of ['kube-proxy', 'node', 'slim', 'services'] as const) debianRootfs(name).catch(() => undefined);
}

async function programs(kubernetes: string): Promise<string> {
  const found = {
    kind: join(await goPrograms('kind'), 'kind'),
    pebble: join(await goPrograms('pebble'), 'pebble'),
    kubectl: join(kubernetes, 'kubectl'),
  };
  return cached('bin', { files: Object.values(found) }, (folder) => {
    for (const [name, path] of Object.entries(found)) symlinkSync(path, join(folder, name));
    return Promise.resolve();
  });
}

async function registry(images: Image[]): Promise<string> {
  const texts = images.map(({ name, config }) => `${name} ${config.digest}`);
  return cached('registry', { texts, files: [join(import.meta.dirname, 'registry-data.ts')] }, (folder) => {
    for (const image of images) addToRegistry(folder, image);
    return Promise.resolve();
  });
}

/** Puts kind's node image into the daemon: upstream's where that can be had and runs, else the one built here. */
async function loadNodeImage(kubernetes: string): Promise<string> {
  const upstream = `kindest/node:${KUBERNETES}`;
  if (!lacksResourceCapability() && (await pulled(upstream))) return upstream;
  const image = await nodeImage(kubernetes, await clusterImages(kubernetes));
  await dockerLoad(image);
  return image.name;
}

/**
 * Puts the images that Dockerfiles build from (node:24-bookworm-slim, registry.k8s.io/kubectl) into the daemon, by
 * way of the running registry (host:port) that serves `registryData`.
 */
export async function pullBaseImages(registry: string): Promise<void> {
  const images = await baseImages(await goPrograms('kubernetes'));
  await Promise.all(images.map((image) => dockerPull(image, registry)));
}

/**
 * Makes what is missing in the cache (all of it: about 15 minutes on two cores; nothing: a second) and loads the
 * daemon's images. Starts the docker daemon if need be. Throws with the failed part's name and output.
 */
export async function build(): Promise<Built> {
  mkdirSync(CACHE, { recursive: true });
  sweep();
  await ensurePackages();
  const docker = ensureDocker();
  order();
  const kubernetes = goPrograms('kubernetes');
  const [node, bin, bases, services, certManager, chart, ca] = await Promise.all([
    docker.then(async () => loadNodeImage(await kubernetes)),
    kubernetes.then(programs),
    kubernetes.then(baseImages),
    serviceImages(),
    certManagerImages(),
    certManagerChart(),
    rehearsalCa(),
  ]);
  return {
    bin,
    nodeImage: node,
    registryData: await registry([...bases, ...services, ...certManager]),
    certManagerChart: chart,
    traefikImage: `traefik:${TRAEFIK}`,
    ca,
  };
}

if (import.meta.main) {
  const built = await build();
  writeFileSync(process.stdout.fd, `${JSON.stringify(built, undefined, 2)}\n`);
  say('everything is built');
}
