/** Docker Compose 2: docker's plugin where it is installed, else built from its Go module. */
import { join } from 'node:path';
import { goPrograms } from '../build/go.ts';
import { run, succeeds } from '../run.ts';
import { COMPOSE_FILE, FOLDER, PORT, PROJECT } from './folder.ts';

/** Names of the images that compose.yaml starts. */
export interface DevImages {
  api: string;
  executor: string;
}

/** Runs `docker compose ARGS` on the development project. @throws with its words */
export async function compose(args: string[], images: DevImages): Promise<string> {
  const env = {
    DEV_PORT: PORT,
    DEV_FOLDER: FOLDER,
    DEV_API_IMAGE: images.api,
    DEV_EXECUTOR_IMAGE: images.executor,
  };
  const project = ['--project-name', PROJECT, '--file', COMPOSE_FILE];
  return (await hasPlugin())
    ? run('docker', ['compose', ...project, ...args], { env })
    : run(join(await goPrograms('compose'), 'cmd'), [...project, ...args], { env });
}

const hasPlugin = () => succeeds('docker', ['compose', 'version']);
