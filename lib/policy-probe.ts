/** Whether pods reach Redis, by a pod that tries (criterion "Network policies in place"). */
import type { Context } from './context.ts';
import type { KubeObject } from './kubectl.ts';
import { waitFor } from './wait.ts';

export const PROBE_LABELS: Record<string, string> = { 'app.kubernetes.io/managed-by': 'kubently-runbook-probe' };
/** A new pod's address reaches an enforcing network agent only after the pod has started. */
const TRIES = 5;
const SECONDS_TO_CONNECT = 1;

/**
 * True when a new pod with these labels can open TCP host:port, within about 6 s. The pod is removed again.
 * @param image one that the cluster runs already, with a shell and redis-cli
 */
export async function podReaches(
  ctx: Context,
  target: { host: string; port: number },
  image: string,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<boolean> {
  const kube = ctx.kube(ctx.settings.gke);
  const { host, port } = target;
  // Redis answers NOAUTH to whoever gets through: any answer at all is a connection.
  const once = `timeout ${SECONDS_TO_CONNECT} redis-cli -h ${host} -p ${port} PING 2>&1 | grep -qE 'PONG|NOAUTH'`;
  const script = `for i in $(seq ${TRIES}); do ${once} && echo reached && exit; sleep 0.2; done; echo refused`;
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: kube.target.namespace, labels: { ...labels, ...PROBE_LABELS } },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'probe',
          image,
          command: ['sh', '-c', script],
          // Never ready: with the API's labels it would join the API's Service, and requests would go to it.
          readinessProbe: { exec: { command: ['false'] } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  };
  try {
    await kube.delete('Pod', name);
    await kube.apply([pod]);
    await waitFor(
      {
        what: `probe pod ${name}`,
        timeoutMs: 90_000,
        everyMs: 500,
        probe: async () => {
          const phase =
            ((await kube.get('Pod', name))?.['status'] as { phase?: string } | undefined)?.phase ?? 'absent';
          return phase === 'Succeeded' || phase === 'Failed'
            ? { state: 'ready', value: undefined }
            : { state: 'pending', reason: `is ${phase}` };
        },
        next: `kubectl --context ${kube.target.context} --namespace ${kube.target.namespace} describe pod ${name}`,
      },
      ctx,
    );
    return (await kube.logs([name], 5)).includes('reached');
  } finally {
    await kube.removeProbe('Pod', name);
  }
}
