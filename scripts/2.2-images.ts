/** Plan step 2.2: both images of the checkout's commit are in the registry, and anybody can pull them. */
import { absent, conflict, done, type ChangeStep } from '../lib/step.ts';
import { nodeArchitectures } from '../lib/deployment/cluster/node-architectures.ts';
import { dockerfile, headCommit, IMAGES, withCommitted } from '../lib/deployment/kubently/checkout.ts';
import { Failure } from '../lib/base/failure.ts';
import { publishedImage, registryHost, type MissingImage } from '../lib/clients/registry.ts';
import { withDocker } from '../lib/clients/docker.ts';
import type { Context } from '../lib/context.ts';
import { runAlone } from './entry.ts';

const REVISION = 'org.opencontainers.image.revision';
/** What docker builds for without being told. */
const OWN_PLATFORM = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`;

export const step: ChangeStep = {
  id: '2.2',
  kind: 'change',
  title: 'Images of this commit are public',
  needs: [],

  async check(ctx) {
    const commit = await headCommit(ctx.run, ctx.settings.repo);
    const [images, needed] = await Promise.all([published(ctx, commit.short), architectures(ctx)]);
    for (const image of images) {
      const found = 'missing' in image && image.refused ? await asUser(ctx, image, commit.short) : image;
      if ('missing' in found) return absent(found.missing);
      const { revision, architectures: has } = found;
      const name = `${image.repository}:${commit.short}`;
      if (revision !== commit.full)
        return conflict(
          `${name} was built from ${revision ?? 'no labelled commit'}, the checkout is at ${commit.full}`,
          'commit again, so that the tag is new: tags are never moved',
        );
      const lacks = needed[image.name].filter((a) => !has.includes(a));
      if (lacks.length > 0)
        return conflict(
          `${name} is for ${has.join(', ') || 'no platform'}, and there are nodes of ${lacks.join(', ')}`,
          'commit again, so that the tag is new: it is then built for these nodes too (an empty commit does)',
        );
      if ('missing' in image)
        return conflict(
          `${name} is in the registry, built from this commit, and private: ${image.missing}`,
          'make the package public in its settings (GitHub: Package settings, Change visibility)',
        );
    }
    return done(`both images are public at tag ${commit.short}, built from this commit`);
  },

  async apply(ctx) {
    const { settings } = ctx;
    const commit = await headCommit(ctx.run, settings.repo);
    const name = (image: string): string => `${settings.images.registry}/${image}:${commit.short}`;
    const { registry, token, user } = settings.images;
    const needed = await architectures(ctx);
    const host = registryHost(registry);
    await withCommitted(ctx.run, settings.repo, commit, (cwd) =>
      withDocker(ctx.run, { cwd, environment: settings.childEnvironment, login: token && host }, async (docker) => {
        for (const image of IMAGES) {
          ctx.note(`builds ${name(image)}`);
          const platforms = needed[image].map((a) => `linux/${a}`).join(',');
          const platform = platforms === OWN_PLATFORM ? [] : ['--platform', platforms];
          await docker.change`build ${platform} --label ${REVISION}=${commit.full} --tag ${name(image)} --file ${dockerfile(image)} .`;
        }
        // Not before: what a Dockerfile runs has no login to find.
        if (token) await docker.withInput(token)`login ${host} --username ${user} --password-stdin`;
        for (const image of IMAGES) {
          ctx.note(`pushes ${name(image)}`);
          await docker.change`push ${name(image)}`;
        }
      }),
    );
  },

  async verify(ctx) {
    const commit = await headCommit(ctx.run, ctx.settings.repo);
    const images = await published(ctx, commit.short);
    const digests = images.map((image) => {
      if ('missing' in image)
        throw new Failure({
          what: image.missing,
          next: image.refused
            ? 'a new GHCR package is private: make it public in its settings on GitHub'
            : './runbook 2.2',
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
    IMAGES.map(async (name) => {
      const repository = `${ctx.settings.images.registry}/${name}`;
      return { name, repository, ...(await publishedImage(ctx, repository, tag)) };
    }),
  );
}

/** The image as who pushes it sees it: a tag that nobody else sees must not be moved either. */
async function asUser(ctx: Context, image: MissingImage & { repository: string }, tag: string) {
  const { token, user } = ctx.settings.images;
  if (!token) return image;
  const puller = { http: ctx.http, clock: ctx.clock, login: { user, token } };
  const seen = await publishedImage(puller, image.repository, tag);
  return 'missing' in seen && seen.refused ? image : seen;
}

/** For which nodes each image is: the executor's runs in all clusters. */
async function architectures(ctx: Context): Promise<Record<(typeof IMAGES)[number], string[]>> {
  const { gke, remotes } = ctx.settings;
  const [api = [], ...others] = await Promise.all([gke, ...remotes].map((t) => nodeArchitectures(ctx.kube(t))));
  return { api, executor: [...new Set([...api, ...others.flat()])].sort() };
}

void runAlone(import.meta);
