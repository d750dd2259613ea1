/** The plan's 7 recommended next steps: most are judged as the gap that they close. */
import { ageText, DAY_MS } from '../../base/clock.ts';
import { STEP } from '../../base/plan-steps.ts';
import { INGRESS_NAMESPACE } from '../../deployment/cluster/infrastructure.ts';
import { storedBackups } from '../backup/bucket.ts';
import { runningIsScanned } from './compliance.ts';
import { redisFailsOver } from './high-availability.ts';
import { open, type Found, type Line, type Seen } from './line.ts';
import { deployedByGitOps, everythingIsWatched, objectivesAreMeasured } from './maturity.ts';
import { byRecord, lastDone } from './recorded.ts';

const RESTORE_DAYS = 30;
/** A daily backup may fail once. */
const BACKUP_DAYS = 2;

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

/** A backup was read back into Redis and found there, and there is a new one. */
async function restoreIsProven(seen: Seen): Promise<Found> {
  const found = byRecord(seen, {
    event: 'restore',
    days: RESTORE_DAYS,
    never: 'no backup was ever restored from here',
    next: 'make backup, then make restore BACKUP=file',
  });
  if (found.state !== 'closed') return found;
  const { bucket } = seen.ctx.settings.backup;
  const where = bucket === undefined ? 'on this machine' : `in gs://${bucket}`;
  const at = bucket === undefined ? lastDone(seen, 'backup')?.at : (await storedBackups(seen.ctx, bucket))[0]?.at;
  if (at === undefined) return open(seen, `no backup was made ${where}`, 'make backup');
  const age = seen.ctx.clock.now() - at;
  if (age > BACKUP_DAYS * DAY_MS)
    return { state: 'open', evidence: `the newest backup ${where} is ${ageText(age)} old`, at, next: 'make backup' };
  return { ...found, evidence: `${found.evidence}; the newest backup ${where} is ${ageText(age)} old` };
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
