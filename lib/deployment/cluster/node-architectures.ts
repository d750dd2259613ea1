/** What the nodes of a cluster run, in the words of image platforms. */
import { CommandFailed } from '../../base/command.ts';
import type { KubeObject } from '../../base/kubernetes.ts';
import type { Kubectl } from '../../clients/kubectl.ts';

/** What Google's and kind's nodes are, where the cluster shows none: Autopilot makes them for the first pod. */
const USUAL = 'amd64';

/** Architectures (amd64, arm64) of the Linux nodes on which a pod without tolerations may start. */
export async function nodeArchitectures(kube: Kubectl): Promise<string[]> {
  try {
    const open = (await kube.list('Node')).filter(takesAnyPod).map(architecture);
    return open.length === 0 ? [USUAL] : [...new Set(open)].sort();
  } catch (error) {
    // Not everybody may list nodes, and a cluster that is away is told by the steps that need it.
    if (error instanceof CommandFailed) return [USUAL];
    throw error;
  }
}

function takesAnyPod(node: KubeObject): boolean {
  const { taints = [] } = (node['spec'] ?? {}) as { taints?: { key: string; effect: string }[] };
  // What the node controller sets (not-ready, unschedulable) passes; GKE keeps pods off arm64 by kubernetes.io/arch.
  const stays = taints.some((t) => t.effect !== 'PreferNoSchedule' && !t.key.startsWith('node.kubernetes.io/'));
  return !stays && (node.metadata.labels?.['kubernetes.io/os'] ?? 'linux') === 'linux';
}

function architecture(node: KubeObject): string {
  const { nodeInfo } = (node['status'] ?? {}) as { nodeInfo?: { architecture?: string } };
  return nodeInfo?.architecture ?? node.metadata.labels?.['kubernetes.io/arch'] ?? USUAL;
}
