/** Container images as folders in docker's archive layout: manifest.json, the config, and plain tar layers. */
import { createHash } from 'node:crypto';
import { createReadStream, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from '../run.ts';
import { repository } from './repository.ts';

/** The parts of the OCI image configuration that the sandbox's images set. */
export interface ImageConfig {
  Entrypoint?: string[];
  Cmd?: string[];
  Env?: string[];
  User?: string;
  WorkingDir?: string;
  ExposedPorts?: Record<string, object>;
  StopSignal?: string;
}

/** A file by digest and size in bytes. */
export interface Blob {
  digest: string;
  size: number;
  path: string;
}

/** An image in a folder, under its full name (registry/repository:tag). */
export interface Image {
  name: string;
  folder: string;
  config: Blob;
  layers: Blob[];
}

async function blob(path: string): Promise<Blob> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { digest: `sha256:${hash.digest('hex')}`, size, path };
}

/** Packs the contents of `folder` into the tar file `target`, owned by root unless the folder's owners are kept. */
export async function pack(folder: string, target: string, owners: 'root' | 'kept' = 'root'): Promise<string> {
  const owner = owners === 'root' ? ['--owner=0', '--group=0'] : ['--numeric-owner', '--xattrs', '--xattrs-include=*'];
  await run('tar', ['--sort=name', '--mtime=@0', ...owner, '-C', folder, '-cf', target, '.']);
  return target;
}

/** Writes the image `name` of the layers (tar files on the same file system, hard-linked) into `folder`. */
export async function writeImage(folder: string, name: string, layers: string[], config: ImageConfig): Promise<Image> {
  mkdirSync(folder, { recursive: true });
  const files = layers.map((layer, index) => {
    const path = join(folder, `layer-${index}.tar`);
    linkSync(layer, path);
    return path;
  });
  const blobs: Blob[] = [];
  for (const file of files) blobs.push(await blob(file));
  const path = join(folder, 'config.json');
  writeFileSync(
    path,
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], ...config },
      rootfs: { type: 'layers', diff_ids: blobs.map((layer) => layer.digest) },
    }),
  );
  const names = files.map((_, index) => `layer-${index}.tar`);
  writeFileSync(
    join(folder, 'manifest.json'),
    JSON.stringify([{ Config: 'config.json', RepoTags: [name], Layers: names }]),
  );
  const image = { name, folder, config: await blob(path), layers: blobs };
  writeFileSync(join(folder, 'image.json'), JSON.stringify(image));
  return image;
}

/** Reads an image that `writeImage` has written; its folder may have moved since. */
export function readImage(folder: string): Image {
  const image = JSON.parse(readFileSync(join(folder, 'image.json'), 'utf8')) as Image;
  const moved = (part: Blob, name: string) => ({ ...part, path: join(folder, name) });
  return {
    name: image.name,
    folder,
    config: moved(image.config, 'config.json'),
    layers: image.layers.map((layer, index) => moved(layer, `layer-${index}.tar`)),
  };
}

/** Feeds the image as a docker archive to the standard input of a command (`docker load`, `ctr images import -`). */
export async function importImage(image: Image, command: string, args: string[]): Promise<void> {
  const parts = ['manifest.json', 'config.json', ...image.layers.map((_, index) => `layer-${index}.tar`)];
  const tar = spawn('tar', ['-C', image.folder, '-cf', '-', ...parts], { stdio: ['ignore', 'pipe', 'pipe'] });
  const load = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [tar.stderr, load.stdout, load.stderr])
    stream.on('data', (text: Buffer) => (output += text.toString()));
  const ended = new Promise<number | null>((resolve, reject) => load.once('error', reject).once('close', resolve));
  // ctr reads no further than the archive's end marker, so tar's padding may meet a closed pipe: its status decides.
  const [status] = await Promise.all([ended, pipeline(tar.stdout, load.stdin).catch(() => undefined)]);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status} on ${image.name}: ${output}`);
}

/** Loads the image into the docker daemon unless that has this very image under the name. */
export async function dockerLoad(image: Image): Promise<void> {
  if (!(await dockerHas(image.name, image))) await importImage(image, 'docker', ['load', '--quiet']);
}

const dockerHas = async (name: string, image: Image): Promise<boolean> =>
  (await run('docker', ['image', 'inspect', '--format', '{{.Id}}', name]).catch(() => '')).trim() ===
  image.config.digest;

/**
 * Gives the docker daemon the image by way of `registry` (host:port), which holds it, under its own name too. Docker
 * then knows where the layers came from, and a push of what is built on them compresses and uploads none of them.
 */
export async function dockerPull(image: Image, registry: string): Promise<void> {
  const { path, tag } = repository(image.name);
  const source = `${registry}/${path}:${tag}`;
  if ((await dockerHas(source, image)) && (await dockerHas(image.name, image))) return;
  // Were the layers there already, docker would not ask the registry for them, and learn nothing.
  await run('docker', ['rmi', source, image.name]).catch(() => undefined);
  await run('docker', ['pull', '--quiet', source]);
  await run('docker', ['tag', source, image.name]);
}
