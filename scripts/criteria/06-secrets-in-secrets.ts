/** No secret value stands in a ConfigMap, a pod spec or a Helm value. */
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { Failure } from '../../lib/base/failure.ts';
import { runAlone } from '../entry.ts';

export const criterion: Criterion = {
  number: 6,
  title: 'All secrets in Kubernetes Secrets (not ConfigMaps)',
  async prove(ctx) {
    const { settings } = ctx;
    const secrets = [...Object.values(ctx.tokens()), ...Object.values(settings.llm.keys)].map((s) => s.reveal());
    const places = [{ ...settings.gke, release: settings.release }, ...settings.remotes];
    let texts = 0;
    for (const place of places) {
      const kube = ctx.kube(place);
      const [maps, pods, values] = await Promise.all([
        kube.list('ConfigMap'),
        kube.list('Pod'),
        ctx
          .helm(place)
          .release(place.release)
          .then((r) => r?.values ?? null),
      ]);
      const named: [string, unknown][] = [...maps, ...pods].map((o) => [`${o.kind}/${o.metadata.name}`, o]);
      for (const [where, what] of [...named, [`Helm values of ${place.release}`, values] as const]) {
        texts += 1;
        const text = JSON.stringify(what);
        if (secrets.some((s) => text.includes(s)))
          throw new Failure({
            what: `${where} in ${place.context} holds a secret value`,
            next: 'rotate it after the leak is mended',
          });
      }
    }
    return proven(`${secrets.length} secret values are in none of ${texts} ConfigMaps, pods and Helm values`);
  },
};

void runAlone(import.meta);
