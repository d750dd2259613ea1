/** Images by an immutable tag. */
import type { Finding } from '../finding.ts';
import { executorImage } from '../release-spec.ts';
import { everyContainer } from '../workloads.ts';
import type { Release, Rule } from './rule.ts';

/** Tags that move by custom, and tags that are only a major version (7, 7-alpine). */
const MOVING = /^(latest|stable|edge|main|master|nightly|dev|v?\d{1,3}(-[a-z]+)?)$/;

/** True for a tag that names another image from time to time; a short commit may be all digits and does not. */
export function isMoving(tag: string | undefined): boolean {
  return tag === undefined || MOVING.test(tag);
}

export const imagesImmutable: Rule = (release) => {
  const own = ownRepositories(release);
  return release.running.flatMap((workload) =>
    everyContainer(workload).flatMap(({ name, image = '' }): Finding[] => {
      if (image.includes('@sha256:')) return [];
      const [, repository = image, tag] = /^(.*?)(?::([^:/]+))?$/.exec(image) ?? [];
      if (!isMoving(tag)) return [];
      const ours = own.includes(repository);
      return [
        {
          grade: ours ? 'error' : 'warning',
          id: 'image-moving',
          object: workload.name,
          path: name,
          message: `${image} is a moving ${tag === undefined ? 'name without a tag' : 'tag'}: another pull may bring another program`,
          remedy: ours
            ? 'name an immutable tag'
            : 'the chart fixes this image; a mirror that pins its digest is the only way around',
        },
      ];
    }),
  );
};

function ownRepositories({ spec }: Release): string[] {
  return [executorImage(spec).repository, ...(spec.side === 'gke' ? [spec.images.api.repository] : [])];
}
