/** What pods reach, by pods that try (criterion "Network policies in place"). */
import type { Context } from '../../context.ts';
import { waitFor } from '../../base/wait.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

export const PROBE_LABELS: Record<string, string> = { 'app.kubernetes.io/managed-by': 'kubently-runbook-probe' };

/** A new pod's address reaches an enforcing network agent only after the pod has started. */
export const PATIENT_TRIES = 5;

export interface Endpoint {
  host: string;
  port: number;
}

/** How often a target is tried: one that must not be reached needs one, since a policy holds before the pod is there. */
export type Tried = Endpoint & { tries: number };

export interface Prober {
  name: string;
  namespace: string;
  labels: Readonly<Record<string, string>>;
  targets: readonly Tried[];
}

/** The shell line that says for each host:port/tries given whether a TCP connection opens; any answer at all is one. */
const TRY = [
  'for arg in "$@"; do (to=${arg%/*} said=no',
  'for i in $(seq ${arg#*/}); do',
  'answer=$(timeout 1 redis-cli -h "${to%:*}" -p "${to##*:}" PING 2>&1)',
  'case "$answer" in *PONG*|*NOAUTH*|*Protocol\\ error*) said=yes; break;; esac',
  'sleep 0.2; done; echo "$to $said") & done; wait',
]
  .join('; ')
  .replaceAll('do;', 'do');

/** The command that tries all at once; its output goes to reachedOf. */
export function tryCommand(targets: readonly Tried[]): string[] {
  return ['sh', '-c', TRY, 'sh', ...targets.map(({ host, port, tries }) => `${host}:${port}/${tries}`)];
}

/** Which of the targets were reached, by the output of tryCommand. */
export function reachedOf(targets: readonly Endpoint[], output: string): boolean[] {
  return targets.map(({ host, port }) => output.includes(`${host}:${port} yes`));
}

/**
 * Which targets a new pod reaches, each within about 6 s. The pod is removed again.
 * @param image one that the cluster runs already, with a shell and redis-cli
 */
export async function podReaches(ctx: Context, image: string, prober: Prober): Promise<boolean[]> {
  const { name, targets } = prober;
  const kube = ctx.inGke(prober.namespace);
  try {
    await kube.delete('Pod', name);
    await kube.apply([probePod(prober, image)]);
    await waitFor(
      {
        what: `probe pod ${name}`,
        timeoutMs: 90_000,
        everyMs: 300,
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
    return reachedOf(targets, await kube.logs([name], 20));
  } finally {
    await kube.removeProbe('Pod', name);
  }
}

function probePod({ name, namespace, labels, targets }: Prober, image: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { ...labels, ...PROBE_LABELS } },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'probe',
          image,
          command: tryCommand(targets),
          resources: { requests: { cpu: '10m', memory: '32Mi' } },
          // Never ready: with the API's labels it would join the API's Service, and requests would go to it.
          readinessProbe: { exec: { command: ['false'] } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  };
}
