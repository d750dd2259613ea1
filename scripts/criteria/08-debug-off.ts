/** No debug flag is on in any pod of the deployment, wherever its variables come from. */
import type { IContainer } from 'kubernetes-models/v1/Container';
import { variablesOf } from '../../lib/chart/workloads.ts';
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { Failure } from '../../lib/base/failure.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';
import { selector } from '../../lib/deployment/kubently/redis.ts';
import { runAlone } from '../entry.ts';

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
        const [pods, maps] = await Promise.all([kube.list('Pod', labels), kube.list('ConfigMap')]);
        if (pods.length === 0)
          throw new Failure({
            what: `no pod runs in ${of.context}, namespace ${of.namespace}`,
            next: `./runbook ${step}`,
          });
        for (const pod of pods)
          for (const { name, value = '' } of containersOf(pod).flatMap((c) => {
            const { given, own } = variablesOf(c, maps);
            return [...given, ...own];
          }))
            if (isOn(name, value))
              throw new Failure({ what: `pod ${pod.metadata.name} has ${name}=${value}`, next: `./runbook ${step}` });
        return pods.length;
      }),
    );
    return proven(`${counts.reduce((a, b) => a + b, 0)} pods, none with a debug flag on`);
  },
};

function containersOf(pod: KubeObject): IContainer[] {
  const { containers, initContainers = [] } = pod['spec'] as {
    containers: IContainer[];
    initContainers?: IContainer[];
  };
  return [...containers, ...initContainers];
}

function isOn(name: string, value: string): boolean {
  if (name === 'LOG_LEVEL') return value.toUpperCase() === 'DEBUG';
  return /DEBUG/.test(name) && !['', 'false', '0', 'off'].includes(value.toLowerCase());
}

void runAlone(import.meta);
