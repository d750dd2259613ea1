/** No debug flag is on in any pod of the deployment, wherever its variables come from. */
import type { Kubectl } from '../../lib/clients/kubectl.ts';
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { Failure } from '../../lib/base/failure.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';
import { selector } from '../../lib/deployment/kubently/redis.ts';
import { runAlone } from '../entry.ts';

interface Container {
  env?: { name: string; value?: string; valueFrom?: { configMapKeyRef?: { name: string; key: string } } }[];
  envFrom?: { prefix?: string; configMapRef?: { name: string } }[];
}

export const criterion: Criterion = {
  number: 8,
  title: 'Debug flags disabled',
  async prove(ctx) {
    const { settings } = ctx;
    const places = [
      { of: settings.gke, labels: `app.kubernetes.io/instance=${settings.release}`, step: '2.5' },
      ...settings.remotes.map((r) => ({ of: r, labels: selector(r.release, 'executor'), step: '3.2' })),
    ];
    const counts = await Promise.all(
      places.map(async ({ of, labels, step }) => {
        const kube = ctx.kube(of);
        const pods = await kube.list('Pod', labels);
        if (pods.length === 0)
          throw new Failure({
            what: `no pod runs in ${of.context}, namespace ${of.namespace}`,
            next: `./runbook ${step}`,
          });
        for (const pod of pods)
          for (const [name, value] of await variablesOf(kube, pod))
            if (isOn(name, value))
              throw new Failure({ what: `pod ${pod.metadata.name} has ${name}=${value}`, next: `./runbook ${step}` });
        return pods.length;
      }),
    );
    return proven(`${counts.reduce((a, b) => a + b, 0)} pods, none with a debug flag on`);
  },
};

function isOn(name: string, value: string): boolean {
  if (name === 'LOG_LEVEL') return value.toUpperCase() === 'DEBUG';
  return /DEBUG/.test(name) && !['', 'false', '0', 'off', 'no'].includes(value.toLowerCase());
}

/** The variables of all its containers: as written, and from ConfigMaps. A Secret holds no flag. */
async function variablesOf(kube: Kubectl, pod: KubeObject): Promise<[name: string, value: string][]> {
  const { containers, initContainers = [] } = pod['spec'] as { containers: Container[]; initContainers?: Container[] };
  const dataOf = async (name: string): Promise<Record<string, string>> =>
    ((await kube.get('ConfigMap', name))?.['data'] ?? {}) as Record<string, string>;
  const found = await Promise.all(
    [...containers, ...initContainers].map(async ({ env = [], envFrom = [] }) => [
      ...(await Promise.all(
        envFrom.map(async ({ prefix = '', configMapRef }) =>
          configMapRef
            ? Object.entries(await dataOf(configMapRef.name)).map(([n, v]): [string, string] => [prefix + n, v])
            : [],
        ),
      ).then((all) => all.flat())),
      ...(await Promise.all(
        env.map(async ({ name, value = '', valueFrom }): Promise<[string, string]> => {
          const from = valueFrom?.configMapKeyRef;
          return [name, from ? ((await dataOf(from.name))[from.key] ?? '') : value];
        }),
      )),
    ]),
  );
  return found.flat();
}

void runAlone(import.meta);
