/** Debian packages that the sandbox needs on the host: only what is missing is installed. */
import { existsSync } from 'node:fs';
import { part } from '../progress.ts';
import { run } from '../run.ts';

const PACKAGES = [
  'busybox-static',
  'ca-certificates',
  'debian-archive-keyring',
  'dnsutils',
  'docker-registry',
  'git',
  'iproute2',
  'iptables',
  'jq',
  'mmdebstrap',
  'openssl',
  'python3-pip',
  'util-linux',
];

async function missing(packages: string[]): Promise<string[]> {
  const listed = await run('dpkg-query', ['-W', '-f', '${db:Status-Abbrev} ${Package}\n']);
  const installed = new Set(listed.split('\n').flatMap((line) => (line.startsWith('ii ') ? line.slice(3).trim() : [])));
  return packages.filter((name) => !installed.has(name));
}

/**
 * Installs those of `packages` (by default the host tools of the sandbox) that are missing.
 * Throws when the machine has no dpkg or apt-get fails.
 */
export async function ensurePackages(packages: string[] = PACKAGES): Promise<void> {
  const wanted = await missing(packages).catch((error: unknown) => {
    throw new Error('the sandbox needs a Debian or Ubuntu machine: dpkg-query does not run', { cause: error });
  });
  if (wanted.length === 0) return;
  const apt = (...args: string[]) =>
    run('apt-get', ['-y', '-o', 'DPkg::Lock::Timeout=120', ...args], {
      env: {
        DEBIAN_FRONTEND: 'noninteractive',
        // Packages must not start their services: the sandbox runs its own.
        RUNLEVEL: '1',
      },
    });
  await part(`install ${wanted.join(' ')}`, async () => {
    await apt('update');
    await apt('install', '--no-install-recommends', ...wanted);
    // Under systemd the package starts a registry on the port of ours.
    const started = wanted.includes('docker-registry') && existsSync('/run/systemd/system');
    if (started) await run('systemctl', ['disable', '--now', 'docker-registry']);
  });
}

/** What the suites need beside the sandbox: a Redis on loopback, and the linter of shell files. */
const SUITES = ['redis-server', 'shellcheck', 'tmux'];

if (import.meta.main) await ensurePackages([...PACKAGES, ...SUITES]);
