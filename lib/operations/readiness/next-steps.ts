/** The plan's 7 recommended next steps: most are judged as the gap that they close. */
import { STEP } from '../../base/plan-steps.ts';
import { INGRESS_NAMESPACE } from '../../deployment/cluster/infrastructure.ts';
import { runningIsScanned } from './compliance.ts';
import { redisFailsOver } from './high-availability.ts';
import type { Found, Line, Seen } from './line.ts';
import { deployedByGitOps, everythingIsWatched, objectivesAreMeasured } from './maturity.ts';
import { byRecord } from './recorded.ts';

const RESTORE_DAYS = 30;

/** What Cloud Armor could be put on. */
async function cloudArmor({ ctx }: Seen): Promise<Found> {
  const services = await ctx.inGke(INGRESS_NAMESPACE).list('Service');
  const balancers = services.flatMap((o) =>
    (o['spec'] as { type?: string } | undefined)?.type === 'LoadBalancer' ? [o.metadata.name] : [],
  );
  const found =
    balancers.length > 0 ? `Service ${balancers.join(', ')} is one` : `step ${STEP.ingressController} makes one`;
  return {
    state: 'cannot',
    because: `its policies stand on an application load balancer, and TLS ends in the cluster behind a passthrough one (${found}): another way in, with another certificate`,
    at: ctx.clock.now(),
    next: 'line 5 for a WAF in the cluster; for floods: gcloud compute security-policies, with the network edge protection of Cloud Armor Enterprise',
  };
}

/** A backup was read back into Redis and found there. */
function restoreIsProven(seen: Seen): Promise<Found> {
  return Promise.resolve(
    byRecord(seen, {
      event: 'restore',
      days: RESTORE_DAYS,
      never: 'no backup was ever restored from here',
      next: 'make backup, then make restore BACKUP=file',
    }),
  );
}

export const NEXT_STEPS: readonly Line[] = [
  { id: 'N1', title: 'Implement Redis HA (Sentinel/Cluster or managed service)', look: redisFailsOver },
  { id: 'N2', title: 'Add Cloud Armor for DDoS protection', look: cloudArmor },
  { id: 'N3', title: 'Implement comprehensive monitoring (Prometheus/Grafana)', look: everythingIsWatched },
  { id: 'N4', title: 'Set up CI/CD with GitOps (ArgoCD/Flux)', look: deployedByGitOps },
  { id: 'N5', title: 'Add disaster recovery procedures', look: restoreIsProven },
  { id: 'N6', title: 'Implement automated security scanning', look: runningIsScanned },
  { id: 'N7', title: 'Define and monitor SLOs', look: objectivesAreMeasured },
];
