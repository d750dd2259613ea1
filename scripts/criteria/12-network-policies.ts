/** The policy selects Redis, lets the API in and others not, by probes. */
import { proven, type Criterion } from '../../lib/criterion.ts';
import { Failure } from '../../lib/failure.ts';
import { podReaches } from '../../lib/policy-probe.ts';
import { redisPod } from '../../lib/redis.ts';
import { fitted, gkeRelease } from '../../lib/release.ts';
import { step } from '../2.8-redis-network-policy.ts';

export const criterion: Criterion = {
  number: 12,
  title: 'Network policies in place',
  async prove(ctx) {
    const found = await step.check(ctx);
    if (found.state !== 'done') throw new Failure({ what: found.reason, next: './runbook 2.8' });
    const kube = ctx.kube(ctx.settings.gke);
    const [around, pod] = await Promise.all([
      fitted(ctx, await gkeRelease(ctx)),
      redisPod(ctx).then((name) => kube.get('Pod', name)),
    ]);
    const policy = around.around.find((a) => a.kind === 'network-policy');
    const ip = (pod?.['status'] as { podIP?: string } | undefined)?.podIP;
    const image = (pod?.['spec'] as { containers: { image: string }[] } | undefined)?.containers[0]?.image;
    if (!policy || !ip || !image) throw new Failure({ what: 'Redis has no pod to probe', next: './runbook 2.5' });
    const target = { host: ip, port: policy.port };
    const [asApi, asOther] = await Promise.all([
      podReaches(ctx, target, image, 'runbook-probe-api', policy.api),
      podReaches(ctx, target, image, 'runbook-probe-other', {}),
    ]);
    if (!asApi)
      throw new Failure({ what: 'a pod with the labels of the API cannot reach Redis', next: './runbook 2.8' });
    if (asOther)
      return {
        state: 'unproven',
        reason: 'the policy is there, and this cluster does not enforce it (GKE: Dataplane V2 or Calico)',
      };
    return proven(`a pod labelled as the API reaches ${ip}:${policy.port}, another one does not`);
  },
};
