/**
 * GKE's service controller for the rehearsal: gives Services of type LoadBalancer their reserved address, which it
 * puts on the cluster's only node, where kube-proxy serves it.
 */
import {
  CoreV1Api,
  CoreV1Event,
  KubeConfig,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type V1Service,
} from '@kubernetes/client-node';
import { run } from '../run.ts';
import { addressFor, hold, ruleOf } from './forwarding.ts';
import type { Address, Cloud } from './state.ts';

/** The cluster that is served. */
export interface LoadBalancerOptions {
  cloud: Cloud;
  region: string;
  /** Need not exist yet. */
  kubeconfig: string;
  context: string;
  /** Name of the node's container. */
  node: string;
  log: (line: string) => void;
}

const FINALIZER = 'service.kubernetes.io/load-balancer-cleanup';
/** Also brings an address back to a node that was restarted. */
const RESYNC_MS = 30_000;
const RETRY_MS = 5_000;
const SETTLE_MS = 50;
const MERGE = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);

/** One connection to the cluster; ends (by an error) when the API server or the kubeconfig has gone. */
class Session {
  private readonly core: CoreV1Api;
  private readonly options: LoadBalancerOptions;
  /** Messages of the events written, with how often each was. */
  private readonly events = new Map<string, number>();

  constructor(options: LoadBalancerOptions, core: CoreV1Api) {
    this.options = options;
    this.core = core;
  }

  /** Makes the cloud and the cluster agree on all Services; answers whether one was refused its address. */
  async reconcile(services: V1Service[]): Promise<boolean> {
    const { cloud } = this.options;
    let refused = false;
    for (const service of services) refused = (await this.reconcileOne(service)) || refused;
    const rules = new Set(services.map(ruleOf));
    for (const { user } of cloud.state.addresses) {
      if (user !== undefined && !rules.has(user)) await this.release(hold(cloud, user));
    }
    return refused;
  }

  private async reconcileOne(service: V1Service): Promise<boolean> {
    const finalizers = service.metadata?.finalizers ?? [];
    const wanted = service.spec?.type === 'LoadBalancer' && service.metadata?.deletionTimestamp === undefined;
    if (!wanted) {
      if (finalizers.includes(FINALIZER)) await this.remove(service, finalizers);
      return false;
    }
    if (!finalizers.includes(FINALIZER)) {
      // The change comes back as an event, with a version of the Service that can be patched.
      await this.patch(service, { metadata: { finalizers: [...finalizers, FINALIZER] } });
      return false;
    }
    const found = addressFor(this.options.cloud, this.options.region, service);
    if ('refusal' in found) {
      const message = `Error syncing load balancer: failed to ensure load balancer: ${found.refusal}`;
      await this.event(service, 'Warning', 'SyncLoadBalancerFailed', message);
      return true;
    }
    await this.serve(service, found.address);
    return false;
  }

  private async serve(service: V1Service, address: Address): Promise<void> {
    await this.release(hold(this.options.cloud, ruleOf(service), address));
    await this.onNode('replace', address.address);
    // Docker may have given the nodes each other's MAC after a restart, and this machine would keep to the old one.
    await run('ip', ['neighbour', 'flush', 'to', address.address]);
    const ingress = [{ ip: address.address, ipMode: 'VIP' }];
    if (service.status?.loadBalancer?.ingress?.[0]?.ip === address.address) return;
    await this.patchStatus(service, { loadBalancer: { ingress } });
    await this.event(service, 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
    this.options.log(`${key(service)} has ${address.address} (${address.name})`);
  }

  private async remove(service: V1Service, finalizers: string[]): Promise<void> {
    await this.release(hold(this.options.cloud, ruleOf(service)));
    if (service.metadata?.deletionTimestamp === undefined) await this.patchStatus(service, { loadBalancer: null });
    await this.patch(service, { metadata: { finalizers: finalizers.filter((known) => known !== FINALIZER) } });
    this.options.log(`${key(service)} has no load balancer any more`);
  }

  private async release(addresses: Address[]): Promise<void> {
    for (const { address } of addresses) await this.onNode('del', address).catch(() => undefined);
  }

  private async onNode(action: 'replace' | 'del', address: string): Promise<void> {
    await run('docker', ['exec', this.options.node, 'ip', 'address', action, `${address}/32`, 'dev', 'eth0']);
  }

  private async patch(service: V1Service, body: { metadata: { finalizers: string[] } }): Promise<void> {
    const metadata = { ...body.metadata, resourceVersion: service.metadata?.resourceVersion };
    await this.core.patchNamespacedService({ ...names(service), body: { metadata } }, MERGE);
  }

  private async patchStatus(service: V1Service, status: object): Promise<void> {
    await this.core.patchNamespacedServiceStatus({ ...names(service), body: { status } }, MERGE);
  }

  /** Writes the event, or counts it up when it was written before. */
  private async event(service: V1Service, type: string, reason: string, message: string): Promise<void> {
    const { name, namespace } = names(service);
    const id = `${name}.${ruleOf(service).slice(1, 9)}.${reason.toLowerCase()}`;
    const text = `${id} ${message}`;
    const count = (this.events.get(text) ?? 0) + 1;
    this.events.set(text, count);
    const lastTimestamp = new Date();
    const common = { type, reason, message, count, lastTimestamp, source: { component: 'service-controller' } };
    const involvedObject = { apiVersion: 'v1', kind: 'Service', name, namespace, uid: service.metadata?.uid ?? '' };
    const metadata = { name: id, namespace };
    const body = Object.assign(new CoreV1Event(), {
      metadata,
      involvedObject,
      firstTimestamp: lastTimestamp,
      ...common,
    });
    await this.core.createNamespacedEvent({ namespace, body }).catch(async () => {
      await this.core.patchNamespacedEvent({ name: id, namespace, body: { message, count, lastTimestamp } }, MERGE);
    });
  }
}

const names = (service: V1Service) => ({
  name: service.metadata?.name ?? '',
  namespace: service.metadata?.namespace ?? '',
});

const key = (service: V1Service) => `${names(service).namespace}/${names(service).name}`;

/** Follows the cluster until its watch fails or the signal aborts. */
async function follow(options: LoadBalancerOptions, signal: AbortSignal): Promise<void> {
  const config = new KubeConfig();
  config.loadFromFile(options.kubeconfig);
  config.setCurrentContext(options.context);
  const core = config.makeApiClient(CoreV1Api);
  const session = new Session(options, core);
  const services = makeInformer(config, '/api/v1/services', () => core.listServiceForAllNamespaces());
  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<undefined>();
  const abort = () => end(undefined);
  signal.addEventListener('abort', abort);
  let timer: NodeJS.Timeout | undefined;
  let work = Promise.resolve();
  let reached = false;
  let events = 0;
  const reconcile = async () => {
    if (!reached) options.log(`watching Services of ${options.context}`);
    reached = true;
    const before = events;
    let delay = RETRY_MS;
    try {
      if (!(await session.reconcile([...services.list()]))) delay = RESYNC_MS;
    } catch (error) {
      options.log(`not reconciled: ${String(error)}`);
    }
    // What came meanwhile has set the timer already.
    if (events === before) schedule(delay);
  };
  const schedule = (delay: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      work = work.then(reconcile);
    }, delay);
  };
  for (const verb of ['add', 'change', 'delete'] as const)
    services.on(verb, () => {
      events += 1;
      schedule(SETTLE_MS);
    });
  services.on('error', (error: unknown) => fail(error instanceof Error ? error : new Error(String(error))));
  try {
    await Promise.all([services.start(), ended]);
  } finally {
    signal.removeEventListener('abort', abort);
    await services.stop();
    await work;
    clearTimeout(timer);
  }
}

/** Serves the cluster until the signal aborts, over restarts of the API server and new kubeconfigs. Never throws. */
export async function balanceLoad(options: LoadBalancerOptions, signal: AbortSignal): Promise<void> {
  let last = '';
  const over = () => signal.aborted;
  while (!over()) {
    const began = Date.now();
    try {
      await follow(options, signal);
    } catch (error) {
      // The same reason each two seconds (no cluster yet) is one line.
      if (Date.now() - began > RETRY_MS) last = '';
      if (String(error) !== last) options.log(`waiting for the cluster: ${String(error)}`);
      last = String(error);
    }
    if (!over()) await new Promise((wake) => setTimeout(wake, 2000));
  }
}
