import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { realRun, type Command } from '../../../lib/base/command.ts';
import type { KubeObject } from '../../../lib/base/kubernetes.ts';
import { changedPaths, headCommit, withCommitted } from '../../../lib/deployment/kubently/checkout.ts';
import type { HttpAnswer } from '../../../lib/base/http.ts';
import { Secret } from '../../../lib/base/secret.ts';
import { step } from '../../../scripts/2.2-images.ts';
import { FakeCluster } from '../fake-cluster.ts';
import { contextOf, fails, fakeOutside, inputOf, json, settings, temporaryFolder, type Row } from '../outside.ts';

const COMMIT = 'c31127e3f8a94be2a1e6b6b7e2d7a0b9c8d7e6f5';
const REGISTRY = 'ghcr.io/kubently/kubently';
const given = settings();
const git: Row = { binary: 'git', args: ['-C', given.repo, 'rev-parse', 'HEAD'], answer: `${COMMIT}\n` };
const source: Row = {
  binary: 'git',
  args: ['-C', given.repo, 'checkout', '--quiet', COMMIT, '--', '.'],
  answer: '',
};

const node = (architecture: string, taints: unknown[] = []): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: `node-${architecture}` },
  spec: { taints },
  status: { nodeInfo: { architecture } },
});
const clusters = (gke = [node('amd64')], kind = [node('amd64')]) => [
  new FakeCluster('gke-context', gke),
  new FakeCluster('kind-context', kind),
];

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
  const folders: (string | undefined)[] = [];
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
    { ...source, answer: ({ env }) => (folders.push(String(env?.['GIT_WORK_TREE'])), '') },
    ...images.flatMap((i): Row[] => [
      { binary: 'docker', args: build(i), answer: remember },
      { binary: 'docker', args: ['push', `${REGISTRY}/${i}:c31127e`], answer: remember },
    ]),
  ];
  const outside = fakeOutside({ worlds: clusters(), rows, http: registry({}) });
  const ctx = contextOf(outside, given);
  expect(await step.check(ctx)).toEqual({ state: 'absent', reason: `${REGISTRY}/api:c31127e is not in the registry` });
  await step.apply(ctx);
  expect(outside.changes.map((c) => c.split(' ')[1])).toEqual(['-C', 'build', 'build', 'push', 'push']);
  expect(outside.commands.filter((c) => c.args[0] === 'build').map((c) => c.cwd)).toEqual([...folders, ...folders]);
  expect(existsSync(String(folders[0]))).toBe(false);
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
  const outside = fakeOutside({ worlds: clusters(), rows: [git, source, login, build] });
  const ctx = contextOf(outside, { ...given, images: { ...given.images, token } });
  await expect(step.apply(ctx)).rejects.toThrow(/docker build failed/);
  expect(existsSync(config)).toBe(false);
});

test('present: done, with both digests, nothing changed', async () => {
  const outside = fakeOutside({ worlds: clusters(), rows: [git], http: registry({ api: COMMIT, executor: COMMIT }) });
  const ctx = contextOf(outside, given, true);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
  expect(await step.verify(ctx)).toBe('tag c31127e: api sha256:api000000000…, executor sha256:executor0000…');
  expect(outside.changes).toEqual([]);
});

test('a tag that was built from another commit is never moved', async () => {
  const http = registry({ api: COMMIT, executor: '0'.repeat(40) });
  expect(await step.check(contextOf(fakeOutside({ worlds: clusters(), rows: [git], http }), given))).toMatchObject({
    state: 'conflict',
    next: 'commit again, so that the tag is new: tags are never moved',
  });
});

test('a private package is told as one, with its remedy', async () => {
  const http = registry({ api: COMMIT, executor: json({}, 401) });
  const ctx = contextOf(fakeOutside({ worlds: clusters(), rows: [git], http }), given);
  await expect(step.verify(ctx)).rejects.toMatchObject({
    message: `${REGISTRY}/executor:c31127e cannot be pulled anonymously (HTTP 401)`,
    parts: { next: expect.stringContaining('make it public') as string },
  });
});

const present = registry({ api: COMMIT, executor: COMMIT });

test('a registry that is ill says nothing about the tag: nothing is built, nothing is moved', async () => {
  const http = { ...present, 'GET https://ghcr.io/v2/kubently/kubently/api/manifests/c31127e': json({}, 503) };
  const outside = fakeOutside({ worlds: clusters(), rows: [git], http });
  await expect(step.check(contextOf(outside, given))).rejects.toThrow('(HTTP 503); nothing was pushed');
});

test.each<[string, KubeObject[], KubeObject[], string]>([
  ['an arm64 pool beside', [node('amd64'), node('arm64')], [node('amd64')], 'api'],
  ['a remote cluster of arm64', [node('amd64')], [node('arm64')], 'executor'],
])('%s needs an image of its own, under a new tag', async (_, gke, kind, image) => {
  const outside = fakeOutside({ worlds: clusters(gke, kind), rows: [git], http: present });
  expect(await step.check(contextOf(outside, given))).toMatchObject({
    state: 'conflict',
    reason: `${REGISTRY}/${image}:c31127e is for amd64, and there are nodes of arm64`,
  });
});

test.each<[string, KubeObject[]]>([
  ['nodes that keep pods off', [node('amd64'), node('arm64', [{ key: 'kubernetes.io/arch', effect: 'NoSchedule' }])]],
  ['no node yet (Autopilot)', []],
])('%s need none', async (_, gke) => {
  const outside = fakeOutside({ worlds: clusters(gke), rows: [git], http: present });
  expect(await step.check(contextOf(outside, given))).toMatchObject({ state: 'done' });
});

test('who may not list nodes gets the usual architecture', async () => {
  const refused: Row = { binary: 'kubectl', args: (a) => a[1] === 'Node', answer: fails('(Forbidden): nodes') };
  const outside = fakeOutside({ rows: [git, refused], http: present });
  expect(await step.check(contextOf(outside, given))).toMatchObject({ state: 'done' });
});

test('what is built is for all nodes on which it may run', async () => {
  const rows: Row[] = [git, source, { binary: 'docker', args: () => true, answer: '' }];
  const outside = fakeOutside({ worlds: clusters([node('arm64')], [node('amd64')]), rows, http: registry({}) });
  await step.apply(contextOf(outside, given));
  const builds = outside.commands.filter((c) => c.args[0] === 'build').map((c) => c.args.join(' '));
  expect(builds[0]).toContain('build --platform linux/arm64 --label');
  expect(builds[1]).toContain('build --platform linux/amd64,linux/arm64 --label');
});

test('a tag that only its owner sees is not pushed again: it is to be made public', async () => {
  const token = new Secret('ghp_unit-token-0001');
  const challenge = { 'www-authenticate': 'Bearer realm="https://ghcr.io/token"' };
  const seen = registry({ api: COMMIT, executor: COMMIT });
  const outside = fakeOutside({
    rows: [git],
    worlds: [
      ...clusters(),
      {
        request: ({ url, headers }) => {
          if (url === 'https://ghcr.io/v2/') return json({}, 401, challenge);
          const sent = headers?.['authorization'];
          if (url.startsWith('https://ghcr.io/token'))
            return sent === `Basic ${btoa('kubently:ghp_unit-token-0001')}` ? json({ token: 'own' }) : json({}, 403);
          return sent === 'Bearer own' ? seen[`GET ${url}`] : json({}, 401);
        },
      },
    ],
  });
  const check = step.check(contextOf(outside, { ...given, images: { ...given.images, token } }));
  expect(await check).toMatchObject({ state: 'conflict', next: expect.stringContaining('public') as string });
});

test('what is built holds what is committed and nothing else, and the checkout stays as it was', async () => {
  const repo = temporaryFolder();
  const sh = (...args: string[]): string =>
    execFileSync('git', ['-C', repo, '-c', 'user.name=unit', '-c', 'user.email=unit@example.com', ...args], {
      encoding: 'utf8',
    }).trim();
  sh('init', '--quiet');
  mkdirSync(join(repo, 'sub'));
  writeFileSync(join(repo, 'sub', 'committed'), 'yes');
  writeFileSync(join(repo, '.gitignore'), 'secret.env\n');
  sh('add', '--all');
  sh('commit', '--quiet', '--message=unit');
  writeFileSync(join(repo, 'secret.env'), 'ignored');
  writeFileSync(join(repo, 'stray'), 'not known');
  writeFileSync(join(repo, 'sub', 'committed'), 'changed');
  const full = sh('rev-parse', 'HEAD');
  const run = realRun({ PATH: process.env['PATH'] ?? '', HOME: temporaryFolder() });
  const before = await changedPaths(run, repo);
  let folder = '';
  const held = await withCommitted(run, repo, { full, short: full.slice(0, 7) }, (at) => {
    folder = at;
    return Promise.resolve(readdirSync(at, { recursive: true }).map(String).sort());
  });
  expect(held).toEqual(['.gitignore', 'sub', 'sub/committed']);
  expect(existsSync(folder)).toBe(false);
  expect(await changedPaths(run, repo)).toEqual(before);
  expect(before).toEqual([' M sub/committed', '?? stray']);
  // The tag does not grow as git's abbreviations do.
  sh('config', 'core.abbrev', '12');
  expect(sh('rev-parse', '--short', 'HEAD')).toHaveLength(12);
  expect(await headCommit(run, repo)).toEqual({ full, short: full.slice(0, 7) });
});
