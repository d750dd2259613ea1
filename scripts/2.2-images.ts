/** Plan step 2.2: both images of the checkout's commit are in the registry, and anybody can pull them. */
import { absent, conflict, done, type ChangeStep } from '../lib/step.ts';
import { dockerfile, headCommit, IMAGES } from '../lib/deployment/kubently/checkout.ts';
import { Failure } from '../lib/base/failure.ts';
import { publishedImage } from '../lib/clients/registry.ts';
import { withDocker } from '../lib/clients/docker.ts';
import type { Context } from '../lib/context.ts';
import { runAlone } from './entry.ts';

const REVISION = 'org.opencontainers.image.revision';

export const step: ChangeStep = {
  id: '2.2',
  kind: 'change',
  title: 'Images of this commit are public',
  needs: [],

  async check(ctx) {
    const commit = await headCommit(ctx.run, ctx.settings.repo);
    for (const image of await published(ctx, commit.short)) {
      if ('missing' in image) return absent(image.missing);
      if (image.revision !== commit.full)
        return conflict(
          `${image.repository}:${commit.short} was built from ${image.revision ?? 'no labelled commit'}, the checkout is at ${commit.full}`,
          'commit again, so that the tag is new: tags are never moved',
        );
    }
    return done(`both images are public at tag ${commit.short}, built from this commit`);
  },

  async apply(ctx) {
    const { settings } = ctx;
    const commit = await headCommit(ctx.run, settings.repo);
    const name = (image: string): string => `${settings.images.registry}/${image}:${commit.short}`;
    const { registry, token, user } = settings.images;
    const platform = process.arch === 'x64' ? [] : ['--platform', 'linux/amd64'];
    await withDocker(ctx.run, settings.repo, async (docker) => {
      if (token)
        await docker.withInput(token)`login ${registry.split('/')[0] ?? ''} --username ${user} --password-stdin`;
      for (const image of IMAGES) {
        ctx.note(`builds ${name(image)}`);
        await docker.change`build ${platform} --label ${REVISION}=${commit.full} --tag ${name(image)} --file ${dockerfile(image)} .`;
        ctx.note(`pushes ${name(image)}`);
        await docker.change`push ${name(image)}`;
      }
    });
  },

  async verify(ctx) {
    const commit = await headCommit(ctx.run, ctx.settings.repo);
    const images = await published(ctx, commit.short);
    const digests = images.map((image) => {
      if ('missing' in image)
        throw new Failure({
          what: image.missing,
          next: 'a new GHCR package is private: make it public in its settings on GitHub',
        });
      return `${image.digest.slice(0, 19)}…`;
    });
    return `tag ${commit.short}: api ${digests[0] ?? ''}, executor ${digests[1] ?? ''}`;
  },

  owns: ({ settings: { images } }) => ({
    elsewhere: () =>
      Promise.resolve([
        {
          where: images.registry.split('/')[0] ?? '',
          kind: 'Image',
          name: IMAGES.map((i) => `${images.registry}/${i}`).join(', '),
          kept: 'what was pushed there stays: other deployments may run it',
        },
      ]),
  }),

  undo: { none: 'pushed images stay: a registry has no undo, and other deployments may run them' },
};

async function published(ctx: Context, tag: string) {
  return Promise.all(
    IMAGES.map(async (image) => {
      const repository = `${ctx.settings.images.registry}/${image}`;
      return { repository, ...(await publishedImage(ctx.http, repository, tag)) };
    }),
  );
}

void runAlone(import.meta);
