/** No debug flag is on in any pod of the deployment. */
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { Failure } from '../../lib/base/failure.ts';
import { selector } from '../../lib/deployment/kubently/redis.ts';
import { runAlone } from '../entry.ts';

export const criterion: Criterion = {
  number: 8,
  title: 'Debug flags disabled',
  async prove(ctx) {
    const { settings } = ctx;
    const lists = await Promise.all([
      ctx.kube(settings.gke).list('Pod', `app.kubernetes.io/instance=${settings.release}`),
      ...settings.remotes.map((r) => ctx.kube(r).list('Pod', selector(r.release, 'executor'))),
    ]);
    const pods = lists.flat();
    for (const pod of pods) {
      const { containers } = pod['spec'] as { containers: { env?: { name: string; value?: string }[] }[] };
      for (const { name, value = '' } of containers.flatMap((c) => c.env ?? [])) {
        const on = /DEBUG/.test(name)
          ? !['', 'false', '0', 'off'].includes(value.toLowerCase())
          : name === 'LOG_LEVEL' && value.toUpperCase() === 'DEBUG';
        if (on) throw new Failure({ what: `pod ${pod.metadata.name} has ${name}=${value}`, next: './runbook 2.5' });
      }
    }
    if (pods.length === 0) throw new Failure({ what: 'no pod of the deployment runs', next: './runbook 2.5' });
    return proven(`${pods.length} pods, none with a debug flag on`);
  },
};

void runAlone(import.meta);
