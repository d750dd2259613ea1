/** The running images are the registry's digest of the tag, built from the checkout's commit. */
import { headCommit, IMAGES } from '../../lib/deployment/kubently/checkout.ts';
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { Failure } from '../../lib/base/failure.ts';
import { selector } from '../../lib/deployment/kubently/redis.ts';
import { publishedImage } from '../../lib/clients/registry.ts';
import { runAlone } from '../entry.ts';

export const criterion: Criterion = {
  number: 7,
  title: 'Immutable image tags used (git SHA)',
  async prove(ctx) {
    const { settings } = ctx;
    const commit = await headCommit(ctx.run, settings.repo);
    const digests = new Map<string, string>();
    for (const image of IMAGES) {
      const found = await publishedImage(ctx, `${settings.images.registry}/${image}`, commit.short);
      if ('missing' in found) throw new Failure({ what: found.missing, next: './runbook 2.2' });
      if (found.revision !== commit.full)
        throw new Failure({
          what: `image ${image}:${commit.short} was not built from ${commit.full}`,
          found: found.revision,
          next: 'commit again and ./runbook 2.2',
        });
      digests.set(image, found.digest);
    }
    const places = [
      ...IMAGES.map((image) => ({ target: settings.gke, release: settings.release, image })),
      ...settings.remotes.map((r) => ({ target: r, release: r.release, image: 'executor' as const })),
    ];
    let pods = 0;
    for (const { target, release, image } of places) {
      const all = await ctx.kube(target).list('Pod', selector(release, image));
      // What is going belongs to the revision before.
      const running = all.filter((pod) => pod.metadata.deletionTimestamp === undefined);
      if (running.length === 0)
        throw new Failure({
          what: `no ${image} pod of release ${release} runs in ${target.context}`,
          next: target === settings.gke ? './runbook 2.5' : './runbook 3.2',
        });
      for (const pod of running) {
        const statuses =
          (pod['status'] as { containerStatuses?: { image: string; imageID: string }[] }).containerStatuses ?? [];
        const [main] = statuses.filter((s) => s.imageID.includes(`/${image}@`) || s.image.includes(`/${image}:`));
        if (!main?.imageID.endsWith(digests.get(image) ?? 'none'))
          throw new Failure({
            what: `pod ${pod.metadata.name} does not run the image of this commit`,
            wanted: digests.get(image),
            found: main?.imageID ?? 'no such container',
            next: './runbook 2.5',
          });
        pods += 1;
      }
    }
    return proven(`${pods} pods run the digests of tag ${commit.short}, labelled with commit ${commit.full}`);
  },
};

void runAlone(import.meta);
