/** Gaps 10 to 14: whether the whole is built, watched and brought back by a procedure. */
import { z } from 'zod';
import { CommandFailed } from '../../base/command.ts';
import { count } from '../../base/failure.ts';
import { STEP } from '../../base/plan-steps.ts';
import { CERT_MANAGER_NAMESPACE, INGRESS_NAMESPACE } from '../../deployment/cluster/infrastructure.ts';
import { headCommit, originOf } from '../../deployment/kubently/checkout.ts';
import { runningImage } from '../../deployment/kubently/running.ts';
import { closed, NOT_HERE_YET, open, type Found, type Line, type Seen } from './line.ts';
import { prometheusOf } from './prometheus.ts';
import { byRecord } from './recorded.ts';

const DRILL_DAYS = 90;
const PLAN_DAYS = 7;

const runs = z.object({
  workflow_runs: z.array(z.object({ name: z.string().nullable(), html_url: z.string(), updated_at: z.string() })),
});

/** The last successful workflow run of the commit that is deployed. */
async function pipelineRan(seen: Seen): Promise<Found> {
  const { run, settings, http } = seen.ctx;
  const [commit, image, origin] = await Promise.all([
    headCommit(run, settings.repo),
    runningImage(seen.ctx, settings.gke, `${settings.release}-api`),
    originOf(run, settings.repo).catch((error: unknown) => {
      if (error instanceof CommandFailed) return '';
      throw error;
    }),
  ]);
  const tag = image?.split('@')[0]?.split(':').at(-1);
  if (tag !== commit.short)
    return open(
      seen,
      `${tag ?? 'nothing'} is deployed, the checkout is at ${commit.short}: no run speaks for it`,
      'make deploy',
    );
  const name = /github\.com[:/]([^/]+\/[^/]+?)(\.git)?$/.exec(origin)?.[1];
  if (name === undefined)
    return open(
      seen,
      `the checkout of ${commit.short} has no remote at GitHub: no run can be looked up`,
      `git -C ${settings.repo} remote -v`,
    );
  const url = `https://api.github.com/repos/${name}/actions/runs?head_sha=${commit.full}&status=success&per_page=1`;
  const answer = await http({ url, headers: { accept: 'application/vnd.github+json' } });
  if (answer.status !== 200)
    return open(
      seen,
      `GitHub shows no runs of ${name} without signing in (HTTP ${answer.status})`,
      `https://github.com/${name}/actions`,
    );
  const [last] = runs.parse(JSON.parse(answer.body)).workflow_runs;
  if (!last)
    return open(seen, `no workflow run of ${name} succeeded at ${commit.short}`, `https://github.com/${name}/actions`);
  const evidence = `${last.name ?? 'a workflow'} succeeded at ${commit.short}, which is deployed: ${last.html_url}`;
  return { state: 'closed', evidence, at: Date.parse(last.updated_at) };
}

function codeMatchesCloud(seen: Seen): Promise<Found> {
  return Promise.resolve(
    byRecord(seen, {
      event: 'iac-plan',
      days: PLAN_DAYS,
      never:
        'no plan of Terraform or OpenTofu was seen to match the project: cluster and zone are made by hand, the rest by steps',
      next: NOT_HERE_YET,
    }),
  );
}

/** Prometheus reaches every pod that the alerts are made of, and has the alerts. */
export async function everythingIsWatched(seen: Seen): Promise<Found> {
  const prometheus = await prometheusOf(seen.ctx);
  const next = `install the Prometheus operator, then ./runbook ${STEP.ingressController} (docs/monitoring.md)`;
  if (!prometheus)
    return open(seen, 'no Prometheus of an operator runs in the cluster: nobody is told of anything', next);
  const parts = [INGRESS_NAMESPACE, CERT_MANAGER_NAMESPACE];
  const [up, groups] = await Promise.all([
    prometheus.query(`up{namespace=~"${parts.join('|')}"}`),
    prometheus.groups(),
  ]);
  const alerts = groups.filter((g) => g.startsWith('kubently-'));
  const down = up.filter((s) => s.value !== 1);
  const unwatched = parts.filter((p) => !up.some((s) => s.labels['namespace'] === p));
  const says = `${up.length - down.length} of ${count(up.length, 'target')} of ${parts.join(' and ')} are up, ${count(alerts.length, 'group')} of alerts loaded`;
  if (unwatched.length > 0)
    return open(seen, `${says}; nothing is asked in ${unwatched.join(', ')}`, `./runbook ${STEP.ingressController}`);
  return down.length > 0 || alerts.length === 0
    ? open(seen, says, `./runbook ${STEP.ingressController}`)
    : { state: 'closed', evidence: says, at: Math.min(...up.map((s) => s.at)) };
}

/** The error ratios of Kubently's SLOs are recorded now. */
export async function objectivesAreMeasured(seen: Seen): Promise<Found> {
  const prometheus = await prometheusOf(seen.ctx);
  if (!prometheus)
    return open(seen, 'no Prometheus of an operator runs in the cluster: nothing is measured', NOT_HERE_YET);
  const ratios = await prometheus.query('slo:sli_error:ratio_rate1h{sloth_service="kubently"}');
  const says = ratios
    .map((s) => `${s.labels['sloth_slo'] ?? 'an SLO'}: error ratio ${s.value} in the last hour`)
    .join(', ');
  return ratios.length > 0
    ? { state: 'closed', evidence: says, at: Math.min(...ratios.map((s) => s.at)) }
    : open(seen, 'Prometheus records no error ratio of an SLO of kubently', NOT_HERE_YET);
}

/** The whole was destroyed and brought back. */
function drilled(seen: Seen): Promise<Found> {
  return Promise.resolve(
    byRecord(seen, {
      event: 'drill',
      days: DRILL_DAYS,
      never: 'this machine’s journal knows of no drill: the deployment was never destroyed and brought back',
      next: `make drill DRILL=${seen.ctx.settings.host} (it destroys the deployment, and brings it back)`,
    }),
  );
}

export const MATURITY: readonly Line[] = [
  { id: '10', title: 'No CI/CD pipeline', look: pipelineRan },
  { id: '11', title: 'No IaC (Terraform)', look: codeMatchesCloud },
  { id: '12', title: 'No comprehensive monitoring', look: everythingIsWatched },
  { id: '13', title: 'No SLOs/SLIs defined', look: objectivesAreMeasured },
  { id: '14', title: 'No disaster recovery plan', look: drilled },
];

/** What is deployed came there by GitOps: a Kustomization that is ready at the commit. */
export async function deployedByGitOps(seen: Seen): Promise<Found> {
  const { ctx } = seen;
  const [commit, found] = await Promise.all([
    headCommit(ctx.run, ctx.settings.repo),
    ctx.kube(ctx.settings.gke).listAll('Kustomization.kustomize.toolkit.fluxcd.io'),
  ]);
  const ours = found
    .map((o) => kustomization.parse(o))
    .find(({ status }) => status.lastAppliedRevision?.includes(commit.short));
  if (!ours)
    return open(
      seen,
      `${count(found.length, 'Kustomization')} of Flux in the cluster, none applied ${commit.short}`,
      NOT_HERE_YET,
    );
  const ready = ours.status.conditions?.find((c) => c.type === 'Ready');
  const says = `Kustomization ${ours.metadata.name} applied ${ours.status.lastAppliedRevision ?? ''}, Ready ${ready?.status ?? 'unknown'}`;
  return ready?.status === 'True' ? closed(seen, says) : open(seen, says, 'flux get kustomizations --all-namespaces');
}

const kustomization = z.object({
  metadata: z.object({ name: z.string() }),
  status: z
    .object({
      lastAppliedRevision: z.string(),
      conditions: z.array(z.object({ type: z.string(), status: z.string() })),
    })
    .partial()
    .default({}),
});
