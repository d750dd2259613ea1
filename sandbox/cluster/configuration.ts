/** kind's cluster configuration, and the files of ours that the nodes get. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { writeMirrors } from '../registry.ts';
import { NETWORK, STATE } from '../world.ts';

const FILES = join(STATE, 'node');
const RESOLV_CONF = '/etc/kubently-resolv.conf';

/** Writes the files that every node mounts: CNI, registry mirrors, and the name server of CoreDNS and host pods. */
export function writeNodeFiles(): void {
  mkdirSync(join(FILES, 'cni'), { recursive: true });
  copyFileSync(join(import.meta.dirname, 'bridge.conflist'), join(FILES, 'cni', '10-bridge.conflist'));
  writeMirrors(join(FILES, 'certs.d'));
  writeFileSync(join(FILES, 'resolv.conf'), `nameserver ${NETWORK.dns}\n`);
}

const kubeadm = {
  apiVersion: 'kubeadm.k8s.io/v1beta4',
  kind: 'ClusterConfiguration',
  // A rehearsal may lose its etcd in a power cut, and has nobody to elect a leader against.
  etcd: { local: { extraArgs: [{ name: 'unsafe-no-fsync', value: 'true' }] } },
  controllerManager: { extraArgs: [{ name: 'leader-elect', value: 'false' }] },
  scheduler: { extraArgs: [{ name: 'leader-elect', value: 'false' }] },
};

const kubelet = {
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  failCgroupV1: false,
  maxPods: 250,
  resolvConf: RESOLV_CONF,
  serializeImagePulls: false,
};

/** The configuration of a cluster of one node, as YAML for `kind create cluster --config -`. */
export function clusterConfiguration(nodeImage: string): string {
  const mount = (hostPath: string, containerPath: string) => ({
    hostPath: join(FILES, hostPath),
    containerPath,
    readOnly: true,
  });
  return stringify({
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    kind: 'Cluster',
    networking: { disableDefaultCNI: true },
    nodes: [
      {
        role: 'control-plane',
        image: nodeImage,
        extraMounts: [
          mount('cni', '/etc/cni/net.d'),
          mount('certs.d', '/etc/containerd/certs.d'),
          mount('resolv.conf', RESOLV_CONF),
        ],
        kubeadmConfigPatches: [kubeadm, kubelet].map((patch) => stringify(patch)),
      },
    ],
  });
}
