/** docker's command tag. Its configuration is a temporary one: a login in ~/.docker would leave the token behind. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Run } from '../base/command.ts';
import type { Secret } from '../base/secret.ts';
import { commandTag, type Tag } from '../base/tag.ts';

const TIMEOUT_MS = 1_800_000;

/** What the work gets: docker in a folder, and the same with a secret on stdin. */
export interface Docker {
  change: Tag<Promise<unknown>>;
  withInput: (input: Secret) => Tag<Promise<unknown>>;
}

/** Does the work with a docker that works in this folder and forgets its logins afterwards. @throws CommandFailed */
export async function withDocker(run: Run, cwd: string, work: (docker: Docker) => Promise<void>): Promise<void> {
  const config = await mkdtemp(join(tmpdir(), 'kubently-runbook-docker-'));
  const how = { binary: 'docker', cwd, env: { DOCKER_CONFIG: config }, mutates: true } as const;
  try {
    await work({
      change: commandTag((args) => run({ ...how, args, timeoutMs: TIMEOUT_MS })),
      withInput: (input) => commandTag((args) => run({ ...how, args, input })),
    });
  } finally {
    await rm(config, { recursive: true, force: true });
  }
}
