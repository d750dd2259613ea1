/** Kubently's CLI, built in a cached copy by commit: the checkout and the machine stay as they are (plan step 4.2). */
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cliPath, headCommit } from './checkout.ts';
import type { Context } from '../../context.ts';
import { Failure } from '../../base/failure.ts';
import type { Secret } from '../../base/secret.ts';

const ENTRY = join('dist', 'index.js');

/** Path of the built CLI's entry. Its dependencies install no scripts of theirs, and its build sees neither the operator's home nor a credential. */
export async function builtCli({ run, settings, note }: Context): Promise<string> {
  const { full } = await headCommit(run, settings.repo);
  const folder = join(settings.childEnvironment['HOME'] ?? homedir(), '.cache', 'kubently-runbook', 'cli', full);
  if (existsSync(join(folder, ENTRY))) return join(folder, ENTRY);
  note('builds the CLI');
  await mkdir(join(folder, '..'), { recursive: true });
  const fresh = await mkdtemp(`${folder}.`);
  const home = await mkdtemp(join(tmpdir(), 'kubently-runbook-npm-'));
  const foreign = {
    cwd: fresh,
    env: { HOME: home, ...mirror(settings.childEnvironment) },
    foreign: true,
    mutates: true,
  } as const;
  try {
    await cp(cliPath(settings.repo), fresh, {
      recursive: true,
      filter: (path) => !/\/(node_modules|dist)$/.test(path),
    });
    const install = existsSync(join(fresh, 'package-lock.json')) ? 'ci' : 'install';
    const args = [install, '--ignore-scripts', '--no-audit', '--no-fund'];
    await run({ ...foreign, binary: 'npm', args, timeoutMs: 300_000 });
    await run({ ...foreign, binary: 'npm', args: ['run', 'build'], timeoutMs: 120_000 });
    if (!existsSync(join(fresh, ENTRY)))
      throw new Failure({
        what: `the CLI's build made no ${ENTRY}`,
        next: `look at ${cliPath(settings.repo)}/package.json`,
      });
    await rename(fresh, folder);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw error;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
  return join(folder, ENTRY);
}

/** The registry of the operator's .npmrc and the CA that it needs, without what signs in to it. */
function mirror(environment: Readonly<Record<string, string>>): Record<string, string> {
  const file = join(environment['HOME'] ?? homedir(), '.npmrc');
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const named = /^registry ?= ?(https?:\/\/\S{1,300})$/m.exec(text)?.[1];
  const url = named === undefined ? null : URL.parse(named);
  const ca = /^cafile ?= ?(\S{1,300})$/m.exec(text)?.[1];
  return {
    ...(url && url.username === '' ? { npm_config_registry: url.href } : {}),
    ...(ca === undefined ? {} : { npm_config_cafile: ca }),
  };
}

/** What the CLI prints when asked a question; its status is 0 whatever happened (docs/kubently-contract.md 5), so the text must be judged. */
export async function askCli(
  { run, settings }: Context,
  entry: string,
  key: Secret,
  clusterId: string | undefined,
  question: string,
): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'kubently-runbook-cli-'));
  try {
    const trust = settings.tls.caFile ? { NODE_EXTRA_CA_CERTS: settings.tls.caFile } : {};
    const env = {
      HOME: home,
      KUBENTLY_API_URL: `https://${settings.host}`,
      KUBENTLY_API_KEY: key,
      NO_COLOR: '1',
      ...trust,
    };
    // The key by environment: on a command line everybody on the machine could read it.
    const { stdout } = await run({
      binary: 'node',
      args: [entry, 'debug', ...(clusterId ? [clusterId] : [])],
      input: `${question}\nexit\n`,
      env,
      foreign: true,
      mutates: false,
      timeoutMs: 120_000,
    });
    return stdout;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
