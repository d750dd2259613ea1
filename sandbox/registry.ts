/** The image registry: read-write for docker on loopback, read-only for the nodes, over the same files. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ensureDaemon } from './processes.ts';
import { run } from './run.ts';
import { REGISTRY, STATE } from './world.ts';

const DATA = join(STATE, 'registry');
/** Names the built images that DATA has. */
const COPIED = join(STATE, 'registry.from');

/** Host names whose images the nodes pull from here instead. */
const MIRRORED = ['registry.k8s.io', 'quay.io', 'ghcr.io', 'docker.io', REGISTRY.host];

async function listen(name: string, address: string, readonly: boolean): Promise<boolean> {
  const file = join(STATE, `${name}.yml`);
  const settings = {
    version: '0.1',
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: DATA },
      delete: { enabled: true },
      maintenance: { readonly: { enabled: readonly } },
    },
    http: { addr: address },
  };
  writeFileSync(file, stringify(settings));
  const ready = () =>
    fetch(`http://${address}/v2/`).then(
      (answer) => answer.ok,
      () => false,
    );
  return ensureDaemon({ name, command: 'docker-registry', args: ['serve', file], sources: [file] }, ready);
}

/**
 * Copies the built images to the running world, where they are not there yet, and serves them; images that were
 * pushed stay. Answers whether anything was started.
 */
export async function ensureRegistry(built: string): Promise<boolean> {
  if (!existsSync(COPIED) || readFileSync(COPIED, 'utf8') !== built) {
    mkdirSync(DATA, { recursive: true });
    // No hard links: the registry rewrites tag files in place and would change the cache.
    await run('cp', ['--archive', '--reflink=auto', `${built}/.`, DATA]);
    writeFileSync(COPIED, built);
  }
  const started = [
    await listen('registry', REGISTRY.host, false),
    await listen('registry-nodes', REGISTRY.nodes, true),
  ];
  return started.includes(true);
}

/** Writes containerd's certs.d under `folder`: every mirrored name leads to the nodes' registry. */
export function writeMirrors(folder: string): void {
  const url = `http://${REGISTRY.nodes}`;
  for (const host of MIRRORED) {
    mkdirSync(join(folder, host), { recursive: true });
    const toml = `server = "${url}"\n\n[host."${url}"]\n  capabilities = ["pull", "resolve"]\n`;
    writeFileSync(join(folder, host, 'hosts.toml'), toml);
  }
}
