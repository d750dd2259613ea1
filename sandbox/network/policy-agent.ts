/**
 * Enforces NetworkPolicies in the gke cluster, where GKE's Dataplane V2 would: watches pods, namespaces and policies
 * and keeps the node's nftables in step. The bridge hands its frames to the IP layer's forward hook
 * (bridge-nf-call-iptables), behind kube-proxy's translation, so rules see the real pod addresses.
 * Runs until it is ended: node sandbox/network/policy-agent.ts
 */
import {
  CoreV1Api,
  KubeConfig,
  makeInformer,
  NetworkingV1Api,
  type Informer,
  type KubernetesObject,
  type ObjectCache,
} from '@kubernetes/client-node';
import { run } from '../run.ts';
import { CLUSTERS, PATHS } from '../world.ts';
import { ruleset } from './policy-rules.ts';

/** Changes that come together (a rollout) make one ruleset. */
const SETTLE_MS = 150;
const RETRY_MS = 2000;

const config = new KubeConfig();
config.loadFromFile(PATHS.kubeconfig);
config.setCurrentContext(CLUSTERS.gke.context);
const core = config.makeApiClient(CoreV1Api);
const networking = config.makeApiClient(NetworkingV1Api);

const pods = makeInformer(config, '/api/v1/pods', () => core.listPodForAllNamespaces());
const namespaces = makeInformer(config, '/api/v1/namespaces', () => core.listNamespace());
const policies = makeInformer(config, '/apis/networking.k8s.io/v1/networkpolicies', () =>
  networking.listNetworkPolicyForAllNamespaces(),
);

let applied = '';
let timer: NodeJS.Timeout | undefined;
let started = false;

function log(text: string): void {
  console.log(`${new Date().toISOString()} ${text}`);
}

async function apply(): Promise<void> {
  const rules = ruleset({ pods: pods.list(), namespaces: namespaces.list(), policies: policies.list() });
  if (rules === applied) return;
  await run('docker', ['exec', '-i', `${CLUSTERS.gke.name}-control-plane`, 'nft', '-f', '-'], { input: rules });
  applied = rules;
  log(`applied: ${policies.list().length} policies, ${rules.split('drop').length - 1} isolated directions of pods`);
}

let work = Promise.resolve();

function schedule(delay = SETTLE_MS): void {
  if (!started || timer !== undefined) return;
  timer = setTimeout(() => {
    timer = undefined;
    work = work.then(apply).catch((error: unknown) => {
      log(`not applied: ${String(error)}`);
      schedule(RETRY_MS);
    });
  }, delay);
}

/** Starts a watch and keeps it: after an error (API server gone) it lists afresh. */
async function follow<T extends KubernetesObject>(watch: Informer<T> & ObjectCache<T>): Promise<void> {
  watch.on('add', () => schedule());
  watch.on('change', () => schedule());
  watch.on('delete', () => schedule());
  // A node that was restarted has lost its rules, and its API server broke off the watch.
  watch.on('connect', () => (applied = ''));
  watch.on('error', (error: unknown) => {
    log(`watch ended: ${String(error)}`);
    setTimeout(() => void restart(watch), RETRY_MS);
  });
  await restart(watch);
}

async function restart<T extends KubernetesObject>(watch: Informer<T>): Promise<void> {
  try {
    await watch.start();
    schedule();
  } catch (error) {
    log(`list failed: ${String(error)}`);
    setTimeout(() => void restart(watch), RETRY_MS);
  }
}

await Promise.all([follow(pods), follow(namespaces), follow(policies)]);
started = true;
schedule(0);
