/** docker, signed in to IMAGE_REGISTRY for the time of the work only (plan step 2.2). */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context } from '../../context.ts';

const TIMEOUT_MS = 1_800_000;

/**
 * Runs the work with a docker that is signed in where GITHUB_TOKEN is set. It works in the checkout's folder; its
 * configuration is a temporary one, since a login in ~/.docker would leave the token behind. @throws Failure
 */
export async function signedIn(
  { run, settings }: Context,
  work: (docker: (args: string[]) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const config = await mkdtemp(join(tmpdir(), 'kubently-runbook-docker-'));
  const how = { binary: 'docker', cwd: settings.repo, env: { DOCKER_CONFIG: config }, mutates: true } as const;
  const { token, user, registry } = settings.images;
  try {
    if (token)
      await run({
        ...how,
        args: ['login', registry.split('/')[0] ?? '', '--username', user, '--password-stdin'],
        input: token,
      });
    await work((args) => run({ ...how, args, timeoutMs: TIMEOUT_MS }));
  } finally {
    await rm(config, { recursive: true, force: true });
  }
}
