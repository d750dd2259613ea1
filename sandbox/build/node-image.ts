/** kind's node image, put together as its own Dockerfile does, from Debian and the programs built here. */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../run.ts';
import { lacksResourceCapability } from './capability.ts';
import { goSources } from './go.ts';
import { type Image, importImage, pack, readImage, writeImage } from './image.ts';
import { cached, digest } from './parts.ts';
import { debianRootfs } from './rootfs.ts';
import { KIND, KUBERNETES } from './versions.ts';

const FILES = join(import.meta.dirname, 'node');

/** What kind's module says about its default storage: the images' names and the manifest. */
export async function kindStorage(): Promise<{ provisioner: string; helper: string; manifest: string }> {
  const sources = await goSources('kind', `sigs.k8s.io/kind@${KIND}`);
  const text = readFileSync(join(sources, 'pkg/build/nodeimage/const_storage.go'), 'utf8');
  const find = (pattern: RegExp): string => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw new Error(`kind ${KIND}: const_storage.go has nothing like ${String(pattern)}`);
    return found;
  };
  const provisioner = find(/storageProvisionerImage = "([^"]+)"/);
  const helper = find(/storageHelperImage = "([^"]+)"/);
  const manifest = find(/defaultStorageManifest = `([\s\S]*)`\s*$/)
    .replaceAll('` + storageProvisionerImage + `', provisioner)
    .replaceAll('` + storageHelperImage + `', helper);
  return { provisioner, helper, manifest };
}

/** Runs a command in the root file system, with /proc and /dev of its own that go away with it. */
function chroot(rootfs: string, command: string): [string, string[]] {
  const mounts = 'mount -t proc proc "$0/proc" && mkdir -p "$0/dev" && mount --rbind /dev "$0/dev"';
  return ['unshare', ['--mount', 'sh', '-c', `${mounts} && exec chroot "$0" /bin/bash -c "$1"`, rootfs, command]];
}

async function addFiles(rootfs: string, kubernetes: string): Promise<void> {
  const base = join(await goSources('kind', `sigs.k8s.io/kind@${KIND}`), 'images/base/files');
  await run('cp', ['-r', '--no-preserve=mode,ownership', `${base}/.`, rootfs]);
  await run('chmod', ['-R', '755', join(rootfs, 'usr/local/bin'), join(rootfs, 'kind/bin')]);
  for (const program of ['kubelet', 'kubeadm', 'kubectl']) {
    copyFileSync(join(kubernetes, program), join(rootfs, 'usr/bin', program));
  }
  writeFileSync(join(rootfs, 'kind/version'), KUBERNETES);
  mkdirSync(join(rootfs, 'kind/manifests'), { recursive: true });
  writeFileSync(join(rootfs, 'kind/manifests/default-storage.yaml'), (await kindStorage()).manifest);
  if (lacksResourceCapability()) {
    const wrapper = join(rootfs, 'usr/local/sbin/runc-without-resource');
    copyFileSync(join(FILES, 'runc-without-resource'), wrapper);
    chmodSync(wrapper, 0o755);
  }
  copyFileSync(join(FILES, 'setup.sh'), join(rootfs, 'setup.sh'));
  await run(...chroot(rootfs, 'bash /setup.sh && rm /setup.sh'));
}

/** Unpacks the images into the node's containerd, as kind does, so that a new cluster pulls none of them. */
async function preload(rootfs: string, images: Image[]): Promise<void> {
  writeFileSync(join(rootfs, 'preload.toml'), 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n');
  // The store is served in a mount namespace of its own: it ends with its input, whatever becomes of us.
  const serve =
    'containerd --config /preload.toml --address /preload.sock --state /run/preload >/preload.log 2>&1 & cat; kill $!; wait $!';
  const [command, args] = chroot(rootfs, serve);
  const server = spawn(command, args, { stdio: ['pipe', 'inherit', 'inherit'] });
  const ctr = ['chroot', rootfs, 'ctr', '--address', '/preload.sock', '--namespace', 'k8s.io'];
  try {
    await run('sh', [
      '-c',
      `for i in $(seq 100); do ${ctr.join(' ')} version >/dev/null 2>&1 && exit; sleep 0.1; done; exit 1`,
    ]);
    for (const image of images) {
      await importImage(image, 'nsenter', [
        ...[`--mount=/proc/${server.pid ?? ''}/ns/mnt`, '--', ...ctr, 'images', 'import', '-'],
      ]);
    }
    // Unpacked layers are not needed a second time as tar files.
    await run(ctr[0] ?? '', [...ctr.slice(1), 'content', 'prune', 'references']);
  } finally {
    server.stdin.end();
    await new Promise((resolve) => server.once('close', resolve));
  }
  await run('sh', ['-c', 'rm -rf "$0"/preload.* "$0"/run/preload', rootfs]);
}

/** The node image, which holds `kubernetes` (a folder of programs) and has `images` unpacked already. */
export async function nodeImage(kubernetes: string, images: Image[]): Promise<Image> {
  const rootfsTar = await debianRootfs('node');
  const preloaded = images.map((image) => `${image.name} ${image.config.digest}`);
  const wrapped = `runc wrapper: ${lacksResourceCapability()}`;
  const inputs = {
    texts: [KIND, wrapped, ...preloaded],
    files: [rootfsTar, kubernetes, FILES, import.meta.filename],
  };
  const folder = await cached('node-image', inputs, async (making) => {
    const rootfs = join(making, 'rootfs');
    mkdirSync(rootfs);
    await run('tar', ['-C', rootfs, '--xattrs', '--xattrs-include=*', '-xpf', rootfsTar]);
    await addFiles(rootfs, kubernetes);
    await preload(rootfs, images);
    const layer = await pack(rootfs, join(making, 'node.tar'), 'kept');
    await run('rm', ['-rf', rootfs]);
    await writeImage(join(making, 'image'), `kindest/node:${KUBERNETES}-${digest(inputs)}`, [layer], {
      Entrypoint: ['/usr/local/bin/entrypoint', '/sbin/init'],
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'container=docker'],
      StopSignal: 'SIGRTMIN+3',
    });
    await run('rm', [layer]);
  });
  return readImage(join(folder, 'image'));
}
