/** The images of local development: the API and the executor built from sandbox/kubently, nginx and Redis as they are. */
import { join } from 'node:path';
import { goPrograms } from '../build/go.ts';
import { dockerLoad } from '../build/image.ts';
import { baseImages, serviceImages } from '../build/images.ts';
import { pulled } from '../build/upstream.ts';
import { KUBERNETES } from '../build/versions.ts';
import { contents, copySource, installDependencies } from '../checkout.ts';
import { run, succeeds } from '../run.ts';
import type { DevImages } from './compose.ts';
import { FOLDER } from './folder.ts';

const SERVICES = ['nginx:1.28.0', 'redis:7-alpine'];
const BASES = ['node:24-bookworm-slim', `registry.k8s.io/kubectl:${KUBERNETES}`];

const has = (name: string) => succeeds('docker', ['image', 'inspect', name]);

/** Gets images that the daemon lacks: from their registry where it answers, else built as the rehearsal does. */
async function ensure(names: string[], build: () => ReturnType<typeof serviceImages>): Promise<void> {
  for (const name of names) {
    if ((await has(name)) || (await pulled(name))) continue;
    const image = (await build()).find((i) => i.name === name || i.name === `docker.io/library/${name}`);
    if (image === undefined) throw new Error(`nothing here builds the image ${name}`);
    await dockerLoad(image);
  }
}

/** Makes sure that the daemon has every image of compose.yaml; answers the names of the built ones. */
export async function ensureImages(): Promise<DevImages> {
  await ensure(SERVICES, serviceImages);
  const tag = contents().slice(0, 12);
  const images = { api: `kubently-dev/api:${tag}`, executor: `kubently-dev/executor:${tag}` };
  const missing = (await Promise.all([images.api, images.executor].map(has))).includes(false);
  if (!missing) return images;
  await ensure(BASES, async () => baseImages(await goPrograms('kubernetes')));
  const context = join(FOLDER, 'context');
  copySource(context);
  await installDependencies(context);
  for (const [part, name] of Object.entries(images)) {
    await run('docker', [
      'build',
      '--quiet',
      '--tag',
      name,
      '--file',
      join(context, `deployment/docker/${part}/Dockerfile`),
      context,
    ]);
  }
  return images;
}
