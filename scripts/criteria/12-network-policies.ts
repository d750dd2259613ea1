/** The policies let in who needs it and nobody else, by probes; Redis calls nobody. */
import type { Context } from '../../lib/context.ts';
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { Failure } from '../../lib/base/failure.ts';
import { policyExtra } from '../../lib/deployment/cluster/network-policies.ts';
import { CERT_MANAGER_NAMESPACE } from '../../lib/deployment/cluster/infrastructure.ts';
import {
  PATIENT_TRIES,
  podReaches,
  reachedOf,
  tryCommand,
  type Tried,
} from '../../lib/deployment/cluster/policy-probe.ts';
import { redisPod, selector } from '../../lib/deployment/kubently/redis.ts';
import { fitted } from '../../lib/deployment/release/fitted.ts';
import { gkeRelease } from '../../lib/deployment/release/release.ts';
import { step } from '../2.8-redis-network-policy.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';
import { servingPods } from '../../lib/clients/conditions.ts';
import { runAlone } from '../entry.ts';

export const criterion: Criterion = {
  number: 12,
  title: 'Network policies in place',
  async prove(ctx) {
    const found = await step.check(ctx);
    if (found.state !== 'done') throw new Failure({ what: found.reason, next: './runbook 2.8' });
    const { gke, release } = ctx.settings;
    const kube = ctx.kube(gke);
    const extra = policyExtra(await fitted(ctx, await gkeRelease(ctx)));
    const name = await redisPod(ctx);
    const [redisObject, apiPods] = await Promise.all([
      kube.get('Pod', name),
      kube.list('Pod', selector(release, 'api')),
    ]);
    // A pod that is going answers nobody, whatever the policies say.
    const [apiObject] = servingPods(apiPods);
    if (!apiObject) throw new Failure({ what: 'no pod of the API is ready', next: './runbook 2.5' });
    const image = (redisObject?.['spec'] as { containers: { image: string }[] } | undefined)?.containers[0]?.image;
    if (!image) throw new Failure({ what: 'Redis has no pod to probe', next: './runbook 2.5' });
    const redis = { host: addressOf(redisObject), port: extra.port, tries: 1 };
    const api = { host: addressOf(apiObject), port: extra.apiPort, tries: 1 };
    const ingress = await ingressOf(ctx);
    const prober = (
      who: string,
      labels: Readonly<Record<string, string>>,
      targets = [redis, api],
      namespace = gke.namespace,
    ) => podReaches(ctx, image, { name: `runbook-probe-${who}`, namespace, labels, targets });
    const patiently = (target: Tried): Tried => ({ ...target, tries: PATIENT_TRIES });
    const [asApi, asExecutor, asOther, elsewhere, outwards] = await Promise.all([
      prober('api', extra.api, [patiently(redis)]),
      extra.executor ? prober('executor', extra.executor, [patiently(api), redis]) : [true, false],
      prober('other', {}),
      // A namespace of the probe's own would take 5 s to go; that nothing else holds its pods back, the ingress shows.
      prober('elsewhere', extra.api, [patiently(ingress), redis, api], CERT_MANAGER_NAMESPACE),
      redisReaches(ctx, name, ingress),
    ]);
    const shut = (who: string, missing: string): Failure =>
      new Failure({ what: `a pod with the labels of ${who} cannot reach ${missing}`, next: './runbook 2.8' });
    if (!asApi[0]) throw shut('the API', 'Redis');
    if (!asExecutor[0]) throw shut('the executor', 'the API');
    const open = [
      ...(asExecutor[1] ? ['the executor reaches Redis'] : []),
      ...(asOther[0] ? ['any pod of the namespace reaches Redis'] : []),
      ...(asOther[1] ? ['any pod of the namespace reaches the API'] : []),
      ...(elsewhere[1] ? ['a pod of another namespace reaches Redis'] : []),
      ...(elsewhere[2] ? ['a pod of another namespace reaches the API'] : []),
      ...(outwards ? ['Redis reaches the world outside'] : []),
    ];
    if (open.length > 0)
      return {
        state: 'unproven',
        reason: `the policies are there, and this cluster does not enforce them (GKE: Dataplane V2 or Calico): ${open.join(', ')}`,
      };
    if (!elsewhere[0])
      return {
        state: 'unproven',
        reason: `a pod in ${CERT_MANAGER_NAMESPACE} does not even reach ${ingress.host}:${ingress.port}: that it reaches neither Redis nor the API says nothing`,
      };
    return proven(
      `Redis ${redis.host}:${redis.port} is reached by a pod labelled as the API, the API by one as the executor; all other pods, of the namespace and of another one, are blocked; Redis has no egress`,
    );
  },
};

/** The ingress's public address: what any pod may reach, if nothing holds it back. */
async function ingressOf(ctx: Context): Promise<Tried> {
  const address = (await ctx.google.address(ctx.settings.staticIpName))?.address;
  if (!address) throw new Failure({ what: 'the static IP is gone', next: './runbook 1.0' });
  return { host: address, port: 80, tries: 1 };
}

/** Whether the Redis pod itself can open a connection to the target. */
async function redisReaches(ctx: Context, pod: string, target: Tried): Promise<boolean> {
  const output = await ctx.kube(ctx.settings.gke).exec(pod, undefined, tryCommand([target]));
  return reachedOf([target], output)[0] === true;
}

function addressOf(pod: KubeObject | undefined): string {
  const ip = (pod?.['status'] as { podIP?: string } | undefined)?.podIP;
  if (!ip) throw new Failure({ what: 'a pod to probe has no address yet', next: './runbook 2.5' });
  return ip;
}

void runAlone(import.meta);
