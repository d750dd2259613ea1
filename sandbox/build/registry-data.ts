/**
 * The storage folder of a registry (Distribution's file system driver) that holds given images, written directly:
 * layers stay uncompressed hard links of the cache, so that neither the build nor the nodes spend time on gzip.
 * Layout: github.com/distribution/distribution, registry/storage/paths.go.
 */
import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, writeFileSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Blob, Image } from './image.ts';
import { repository } from './repository.ts';

const OCI = 'application/vnd.oci.image';

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Adds the image to the storage folder `root`, under its repository and tag. */
export function addToRegistry(root: string, image: Image): void {
  const { path, tag } = repository(image.name);
  const base = join(root, 'docker/registry/v2');
  const own = join(base, 'repositories', path);
  const data = (digest: string) => join(base, 'blobs/sha256', digest.slice(7, 9), digest.slice(7), 'data');
  const link = (folder: string, digest: string) => write(join(own, folder, 'link'), digest);

  const add = (blob: Blob) => {
    mkdirSync(dirname(data(blob.digest)), { recursive: true });
    if (!existsSync(data(blob.digest))) linkSync(blob.path, data(blob.digest));
    link(join('_layers/sha256', blob.digest.slice(7)), blob.digest);
  };
  for (const blob of [image.config, ...image.layers]) add(blob);

  const describe = ({ digest, size }: Blob, mediaType: string) => ({ mediaType, digest, size });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: describe(image.config, `${OCI}.config.v1+json`),
    layers: image.layers.map((layer) => describe(layer, `${OCI}.layer.v1.tar`)),
  });
  const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
  write(data(digest), manifest);
  link(join('_manifests/revisions/sha256', digest.slice(7)), digest);
  link(join('_manifests/tags', tag, 'current'), digest);
  link(join('_manifests/tags', tag, 'index/sha256', digest.slice(7)), digest);
}
