import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Command } from '../../../lib/base/command.ts';
import type { HttpAnswer } from '../../../lib/base/http.ts';
import { Secret } from '../../../lib/base/secret.ts';
import { step } from '../../../scripts/2.2-images.ts';
import { contextOf, fails, fakeOutside, inputOf, json, settings, type Row } from '../outside.ts';

const COMMIT = 'c31127e3f8a94be2a1e6b6b7e2d7a0b9c8d7e6f5';
const REGISTRY = 'ghcr.io/kubently/kubently';
const given = settings();
const git: Row = { binary: 'git', args: ['-C', given.repo, 'rev-parse', 'HEAD'], answer: `${COMMIT}\n` };

/** A registry that anybody may read; images by name with the commit they were built from. */
function registry(images: Record<string, string | HttpAnswer>): Record<string, HttpAnswer> {
  const answers: Record<string, HttpAnswer> = { 'GET https://ghcr.io/v2/': json({}) };
  for (const image of ['api', 'executor']) {
    const base = `GET https://ghcr.io/v2/kubently/kubently/${image}`;
    const built = images[image];
    if (typeof built !== 'string') {
      answers[`${base}/manifests/c31127e`] = built ?? json({}, 404);
      continue;
    }
    const digest = { 'docker-content-digest': `sha256:${image.padEnd(64, '0')}` };
    answers[`${base}/manifests/c31127e`] = json({ config: { digest: 'sha256:config' } }, 200, digest);
    const Labels = { 'org.opencontainers.image.revision': built };
    answers[`${base}/blobs/sha256:config`] = json({ config: { Labels } });
  }
  return answers;
}

test('absent: builds with the commit’s label, pushes, with no login where there is no token', async () => {
  const configs: unknown[] = [];
  const remember = ({ env }: Command): string => (configs.push(env?.['DOCKER_CONFIG']), '');
  const build = (image: string): string[] => [
    'build',
    ...(process.arch === 'x64' ? [] : ['--platform', 'linux/amd64']),
    '--label',
    `org.opencontainers.image.revision=${COMMIT}`,
    '--tag',
    `${REGISTRY}/${image}:c31127e`,
    '--file',
    `deployment/docker/${image}/Dockerfile`,
    '.',
  ];
  const images = ['api', 'executor'];
  const rows: Row[] = [
    git,
    ...images.flatMap((i): Row[] => [
      { binary: 'docker', args: build(i), answer: remember },
      { binary: 'docker', args: ['push', `${REGISTRY}/${i}:c31127e`], answer: remember },
    ]),
  ];
  const outside = fakeOutside({ rows, http: registry({}) });
  const ctx = contextOf(outside, given);
  expect(await step.check(ctx)).toEqual({ state: 'absent', reason: `${REGISTRY}/api:c31127e is not in the registry` });
  await step.apply(ctx);
  expect(outside.changes.map((c) => c.split(' ')[1])).toEqual(['build', 'push', 'build', 'push']);
  expect(outside.commands.filter((c) => c.args[0] === 'build').map((c) => c.cwd)).toEqual([given.repo, given.repo]);
  expect(new Set(configs).size).toBe(1);
  expect(existsSync(String(configs[0]))).toBe(false);
});

test('the token goes by stdin into a login that does not outlive the step, even when it fails', async () => {
  const token = new Secret('ghp_unit-token-0001');
  let config = '';
  const login: Row = {
    binary: 'docker',
    args: ['login', 'ghcr.io', '--username', 'kubently', '--password-stdin'],
    answer: (command) => {
      config = String(command.env?.['DOCKER_CONFIG']);
      expect(inputOf(command)).toBe('ghp_unit-token-0001');
      expect(existsSync(config)).toBe(true);
      return '';
    },
  };
  const build: Row = { binary: 'docker', args: (a) => a[0] === 'build', answer: fails('no space left on device') };
  const outside = fakeOutside({ rows: [git, login, build] });
  const ctx = contextOf(outside, { ...given, images: { ...given.images, token } });
  await expect(step.apply(ctx)).rejects.toThrow(/docker build failed/);
  expect(existsSync(config)).toBe(false);
});

test('present: done, with both digests, nothing changed', async () => {
  const outside = fakeOutside({ rows: [git], http: registry({ api: COMMIT, executor: COMMIT }) });
  const ctx = contextOf(outside, given, true);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
  expect(await step.verify(ctx)).toBe('tag c31127e: api sha256:api000000000…, executor sha256:executor0000…');
  expect(outside.changes).toEqual([]);
});

test('a tag that was built from another commit is never moved', async () => {
  const http = registry({ api: COMMIT, executor: '0'.repeat(40) });
  expect(await step.check(contextOf(fakeOutside({ rows: [git], http }), given))).toMatchObject({
    state: 'conflict',
    next: 'commit again, so that the tag is new: tags are never moved',
  });
});

test('a private package is told as one, with its remedy', async () => {
  const http = registry({ api: COMMIT, executor: json({}, 401) });
  const ctx = contextOf(fakeOutside({ rows: [git], http }), given);
  await expect(step.verify(ctx)).rejects.toMatchObject({
    message: `${REGISTRY}/executor:c31127e cannot be pulled anonymously (HTTP 401)`,
    parts: { next: expect.stringContaining('make it public') as string },
  });
});
