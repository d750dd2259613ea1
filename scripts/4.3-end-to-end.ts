/** Plan step 4.3: a test deployment in every cluster, and the agent answers the plan's question about all of them. */
import { clusterIds, kubentlyApi } from '../lib/deployment/kubently/api.ts';
import { Failure } from '../lib/base/failure.ts';
import { noLlmKey } from '../lib/chart/release-spec.ts';
import { waitFor } from '../lib/base/wait.ts';
import { yaml } from '../lib/base/yaml-tag.ts';
import type { Kubectl } from '../lib/clients/kubectl.ts';
import type { Context } from '../lib/context.ts';
import { PROBE_LABELS } from '../lib/deployment/cluster/policy-probe.ts';
import { waitForRollout } from '../lib/deployment/cluster/rollout.ts';
import { agentRemedy } from '../lib/deployment/kubently/agent-answer.ts';
import { proven, unproven, type Proof, type ProofStep } from '../lib/step.ts';
import { runAlone } from './entry.ts';

const NAMESPACE = 'test-app';
/** The plan's nginx:latest is a moving tag. */
const IMAGE = 'nginx:1.28.0';
const QUESTION = `What pods are running in ${NAMESPACE} namespace across all clusters?`;

export const step: ProofStep = {
  id: '4.3',
  kind: 'proof',
  title: 'Agent answers across all clusters',
  needs: ['2.7', '3.2', '4.0'],
  prove: askAcrossClusters,
};

/** The agent's answer names the test pods of every cluster. Everything made is removed again; who comes next waits for it. @returns the evidence */
async function askAcrossClusters(ctx: Context): Promise<Proof> {
  const keyless = noLlmKey(ctx.settings.llm);
  if (keyless !== undefined) return unproven(`${keyless}, so no agent can answer`);
  const kubes = [ctx.settings.gke, ...ctx.settings.remotes].map(({ context }) =>
    ctx.kube({ context, namespace: NAMESPACE }),
  );
  await Promise.all(kubes.map((kube) => isFree(ctx, kube)));
  try {
    const pods = await Promise.all(kubes.map((kube) => runTestApp(ctx, kube)));
    ctx.note('asks the agent');
    const answer = await kubentlyApi(ctx).ask(QUESTION);
    if (answer.state !== 'completed')
      throw new Failure({
        what: `the agent's run ended ${answer.state}`,
        detail: answer.text,
        next: agentRemedy(answer.text),
      });
    const missing = pods.flat().filter((name) => !answer.text.includes(name));
    if (missing.length > 0)
      throw new Failure({
        what: `the agent's answer does not name ${missing.join(', ')}`,
        detail: answer.text,
        next: './runbook 4.1',
      });
    return proven(`the agent named ${pods.flat().length} pods in ${clusterIds(ctx).join(' and ')}`);
  } finally {
    ctx.note('removes the test deployments');
    await Promise.all(kubes.map((kube) => kube.removeProbe('Namespace', NAMESPACE, false)));
  }
}

/** What an earlier run removed goes first. @throws Failure where the namespace is somebody else's */
async function isFree(ctx: Context, kube: Kubectl): Promise<void> {
  const { context } = kube.target;
  await waitFor(
    {
      what: `namespace ${NAMESPACE} in ${context}`,
      timeoutMs: 120_000,
      probe: async () => {
        const found = (await kube.get('Namespace', NAMESPACE))?.metadata;
        if (found?.deletionTimestamp !== undefined) return { state: 'pending', reason: 'is still going' };
        const foreign = found && Object.entries(PROBE_LABELS).some(([k, v]) => found.labels?.[k] !== v);
        return foreign
          ? {
              state: 'failed',
              reason: "is not the runbook's",
              next: 'the scenario uses and removes that namespace: remove it, or leave 4.3 out',
            }
          : { state: 'ready', value: undefined };
      },
      next: `kubectl --context ${context} describe namespace ${NAMESPACE}`,
    },
    ctx,
  );
}

/** @returns names of the pods */
async function runTestApp(ctx: Context, kube: Kubectl): Promise<string[]> {
  const labels = { ...PROBE_LABELS, app: 'nginx' };
  const objects = [
    yaml`
      apiVersion: v1
      kind: Namespace
      metadata:
        name: ${NAMESPACE}
        labels: ${PROBE_LABELS}`,
    yaml`
      apiVersion: apps/v1
      kind: Deployment
      metadata:
        name: nginx
        namespace: ${NAMESPACE}
        labels: ${labels}
      spec:
        replicas: 1
        selector:
          matchLabels:
            app: nginx
        template:
          metadata:
            labels: ${labels}
          spec:
            terminationGracePeriodSeconds: 0
            containers:
              - name: nginx
                image: ${IMAGE}
                resources: { requests: { cpu: 10m, memory: 32Mi } }`,
  ];
  await kube.apply(objects);
  await waitForRollout(ctx, kube, 'Deployment.apps/nginx', 120_000);
  return (await kube.list('Pod', 'app=nginx')).map((p) => p.metadata.name);
}

void runAlone(import.meta);
