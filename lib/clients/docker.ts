/** docker's command tag. Its configuration is a temporary copy of the operator's: a login in ~/.docker would leave the token behind. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { Run } from '../base/command.ts';
import { codeOf, Failure } from '../base/failure.ts';
import { parsedJson } from '../base/parsed-json.ts';
import type { Secret } from '../base/secret.ts';
import { commandTag, type Tag } from '../base/tag.ts';

const TIMEOUT_MS = 1_800_000;
const CONFIG = 'config.json';
/** Of the copies' folders; the process that made one follows. */
const PREFIX = 'kubently-runbook-docker-';

/** What is read of docker's configuration; the rest of it is handed on. */
const ConfigShape = z.looseObject({ credHelpers: z.record(z.string(), z.string()).optional() });

/** What the work gets: docker in a folder, and the same with a secret on stdin. */
export interface Docker {
  change: Tag<Promise<unknown>>;
  withInput: (input: Secret) => Tag<Promise<unknown>>;
}

export interface DockerPlace {
  cwd: string;
  /** Of the children: it names the operator's configuration. */
  environment: Readonly<Record<string, string>>;
  /** The registry to which the work logs in; undefined where the operator's own logins are to do. */
  login: string | undefined;
}

/**
 * Does the work with the operator's docker (contexts, plugins, logins for base images), which forgets the work's login
 * afterwards. @throws CommandFailed; Failure where the configuration cannot be read
 */
export async function withDocker(run: Run, place: DockerPlace, work: (docker: Docker) => Promise<void>): Promise<void> {
  const { cwd, environment, login } = place;
  const own = environment['DOCKER_CONFIG'] || join(environment['HOME'] ?? homedir(), '.docker');
  await removeLeftovers();
  const config = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const how = { binary: 'docker', cwd, env: { DOCKER_CONFIG: config }, mutates: true } as const;
  try {
    await copyConfig(resolve(own), config, login);
    await work({
      change: commandTag((args) => run({ ...how, args, timeoutMs: TIMEOUT_MS })),
      withInput: (input) => commandTag((args) => run({ ...how, args, input })),
    });
  } finally {
    await rm(config, { recursive: true, force: true });
  }
}

/** Removes the copies of runs that were killed, with the logins in them. */
async function removeLeftovers(): Promise<void> {
  const left = readdirSync(tmpdir()).filter((name) => {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split('-')[0]) : 0;
    return pid > 0 && !isAlive(pid);
  });
  // Another user's cannot be removed, and is that user's to remove.
  for (const name of left) await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

/** Contexts, plugins, certificates as links; config.json as a copy, into which the login goes and not into a credential store. */
async function copyConfig(from: string, to: string, login: string | undefined): Promise<void> {
  const names = existsSync(from) ? readdirSync(from) : [];
  for (const name of names) if (name !== CONFIG) await symlink(join(from, name), join(to, name));
  const file = join(from, CONFIG);
  if (!names.includes(CONFIG)) return;
  const read = ConfigShape.safeParse(parsedJson(readFileSync(file, 'utf8')));
  if (!read.success)
    throw new Failure({
      what: `docker's configuration ${file} cannot be read`,
      found: z.prettifyError(read.error),
      next: `mend ${file}, or name another folder by DOCKER_CONFIG`,
    });
  // An empty helper for a registry is docker's word for the file itself.
  const helpers = login === undefined ? {} : { credHelpers: { ...read.data.credHelpers, [keyOf(login)]: '' } };
  await writeFile(join(to, CONFIG), JSON.stringify({ ...read.data, ...helpers }), { mode: 0o600 });
}

/** Under what docker keeps a registry's login. */
function keyOf(registry: string): string {
  return /^(docker\.io|index\.docker\.io)$/.test(registry) ? 'https://index.docker.io/v1/' : registry;
}
