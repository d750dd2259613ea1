/** Debian root file systems, as tar files. */
import { join } from 'node:path';
import pLimit from 'p-limit';
import { run } from '../run.ts';
import { cached } from './parts.ts';
import { DEBIAN } from './versions.ts';

/** What each root file system holds besides the minimal Debian. */
const ROOTFS = {
  'kube-proxy': ['iptables', 'nftables', 'conntrack', 'kmod', 'ipset'],
  // Those of kind's Dockerfile (without rootless and network storage), and what it builds from source.
  node: [
    ...['systemd', 'dbus', 'conntrack', 'iptables', 'nftables', 'iproute2', 'ethtool', 'util-linux', 'mount', 'kmod'],
    ...['libseccomp2', 'pigz', 'e2fsprogs', 'bash', 'ca-certificates', 'curl', 'jq', 'procps', 'hostname', 'socat'],
    ...['ebtables', 'containerd', 'runc', 'containernetworking-plugins'],
  ],
  slim: ['ca-certificates', 'libstdc++6', 'tini'],
  services: ['redis-server', 'redis-tools', 'nginx-light', 'ca-certificates'],
};

/** Left out as Debian's slim images do. */
const EXCLUDED = ['/usr/share/man/*', '/usr/share/doc/*', '/usr/share/locale/*', '/usr/share/info/*'];

/** mmdebstrap is single-threaded for the most part, and shares the machine with the Go builds: one at a time. */
const inTurn = pLimit(1);
const asked = new Map<string, Promise<string>>();

/** Returns the path of a tar file with the root file system (20 s to 40 s of work when not cached). */
export function debianRootfs(name: keyof typeof ROOTFS): Promise<string> {
  const rootfs = asked.get(name) ?? inTurn(() => build(name));
  asked.set(name, rootfs);
  return rootfs;
}

async function build(name: keyof typeof ROOTFS): Promise<string> {
  const options = [
    '--mode=root',
    '--variant=minbase',
    `--include=${ROOTFS[name].join(',')}`,
    ...EXCLUDED.map((path) => `--dpkgopt=path-exclude=${path}`),
    // mknod is not allowed everywhere, and containers get their own /dev.
    '--skip=output/dev',
  ];
  const folder = await cached(`debian-${name}`, { texts: [DEBIAN, ...options] }, async (making) => {
    await run('nice', ['mmdebstrap', ...options, DEBIAN, join(making, 'rootfs.tar')]);
  });
  return join(folder, 'rootfs.tar');
}
