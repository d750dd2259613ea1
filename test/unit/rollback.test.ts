import { beforeEach, expect, test } from 'vitest';
import { past, planMoves, revisionOf, rollBack, works, type Past } from '../../lib/operations/rollback.ts';
import { deployment, FakeCluster } from './fake-cluster.ts';
import { contextOf, fakeOutside, json, type World } from './outside.ts';
import { FakeKubently, withTokens } from './remote.ts';
import { checkedOut, checkoutRows, MANIFEST } from './released.ts';
import type { TargetedRelease } from '../../lib/deployment/release/targeted-release.ts';

const targeted = (clusterId: string, release: string): TargetedRelease =>
  ({
    spec: { side: 'gke', clusterId, release, namespace: 'kubently' },
    target: { context: 'gke-context', namespace: 'kubently' },
  }) as TargetedRelease;
const GKE = targeted('gke', 'kubently');
const REMOTE = targeted('kind-remote', 'kubently-remote');

function revision(n: number, status: string, tag: string): Past {
  return { revision: n, status, updated: '2026-11-23T12:55:07Z', description: '', tags: [tag] };
}

const HISTORY = [
  revision(1, 'superseded', 'aaa1111'),
  revision(2, 'failed', 'bbb2222'),
  revision(3, 'deployed', 'ccc3333'),
];

test('without TO: the last revision that worked; a failed one is passed over', () => {
  const [move] = planMoves({ targeted: GKE, past: HISTORY }, []);
  expect([move?.from.revision, move?.to?.revision]).toEqual([3, 1]);
});

test('TO names a revision; one that is not there, or the present one, is refused with the list', () => {
  expect(planMoves({ targeted: GKE, past: HISTORY }, [], 2)[0]?.to?.revision).toBe(2);
  expect(() => planMoves({ targeted: GKE, past: HISTORY }, [], 9)).toThrow('there is no revision 9');
  expect(() => planMoves({ targeted: GKE, past: HISTORY }, [], 3)).toThrow('is the present one');
  expect(() => planMoves({ targeted: GKE, past: HISTORY.slice(2) }, [])).toThrow('no earlier revision');
  expect(() => planMoves({ targeted: GKE, past: [] }, [])).toThrow('there is no release kubently');
});

test('a remote goes to its newest revision with the same image, or stays and says why', () => {
  const to = (history: Past[]) => planMoves({ targeted: GKE, past: HISTORY }, [{ targeted: REMOTE, past: history }])[1];
  expect(
    to([revision(4, 'superseded', 'aaa1111'), revision(5, 'superseded', 'aaa1111'), revision(6, 'deployed', 'ccc3333')])
      ?.to?.revision,
  ).toBe(5);
  expect(to([revision(1, 'deployed', 'aaa1111')])).toMatchObject({
    to: undefined,
    reason: 'it has image aaa1111 already',
  });
  expect(to([revision(1, 'deployed', 'ccc3333')])).toMatchObject({
    to: undefined,
    reason: 'it never had image aaa1111',
  });
  expect(to([])).toBeUndefined();
});

test('TO must be a number', () => {
  expect(revisionOf(undefined)).toBeUndefined();
  expect(revisionOf('2')).toBe(2);
  expect(() => revisionOf('last')).toThrow('"last" is no revision');
  expect(() => revisionOf('0')).toThrow();
});

let cluster: FakeCluster;
const image = (name: string, tag: string): string =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: ${name} }\nspec: { template: { spec: { containers: [{ image: 'ghcr.io/k/k/${name}:${tag}' }] } } }\n`;

beforeEach(() => {
  const history = [1, 2].map((n) => ({
    revision: n,
    updated: '2026-11-23T12:55:07Z',
    status: n === 2 ? 'deployed' : 'superseded',
    description: 'Upgrade complete',
    manifest: `${image('executor', `tag${n}`)}---\n${image('api', `tag${n}`)}---\n${image('redis', '7')}`,
  }));
  cluster = new FakeCluster(
    'gke-context',
    [deployment('kubently-api', 'kubently'), deployment('kubently-redis-master', 'kubently', 'StatefulSet')],
    [
      {
        name: 'kubently',
        namespace: 'kubently',
        status: 'deployed',
        revision: 2,
        chart: 'kubently-1',
        manifest: MANIFEST,
        history,
      },
    ],
  );
});

test('every revision is shown with the tags of Kubently’s own images; no release has no revisions', async () => {
  const ctx = contextOf(fakeOutside({ worlds: [cluster] }));
  expect((await past(ctx, GKE)).map((r) => [r.revision, r.tags])).toEqual([
    [1, ['tag1']],
    [2, ['tag2']],
  ]);
  expect(await past(ctx, REMOTE)).toEqual([]);
});

test('rolls back those that move, by helm, and waits for what they run; the others are not touched', async () => {
  const given = checkedOut();
  const outside = fakeOutside({ worlds: [cluster], rows: checkoutRows(given) });
  const notes: string[] = [];
  const [one, two] = await past(contextOf(outside, given), GKE);
  if (!one || !two) throw new Error('no history');
  const moves = [
    { targeted: GKE, from: two, to: one, reason: '' },
    { targeted: REMOTE, from: two, to: undefined, reason: 'it stays' },
  ];
  await rollBack(contextOf(outside, given), moves, (text) => void notes.push(text));
  expect(outside.changes).toEqual([
    'helm rollback kubently 1 --force-conflicts --kube-context gke-context --namespace kubently',
  ]);
  expect(notes).toEqual(['gke: helm rollback kubently 1', 'gke: waits for kubently-api, kubently-redis-master']);
});

test('works: /health and a command from every cluster are waited for, and the silent one is named', async () => {
  const given = withTokens(checkedOut());
  const api = new FakeKubently(given.host);
  const healthy = api.health;
  let asked = 0;
  const restarts: World = {
    request: (asking) => {
      api.health = ++asked < 3 ? json({}, 503) : healthy;
      return api.request(asking);
    },
  };
  expect(await works(contextOf(fakeOutside({ worlds: [restarts] }), given, true))).toBe(
    `https://${given.host} is healthy; a command came back from gke, kind-remote`,
  );
  api.execute = (id) => json({ status: id === 'gke' ? 'success' : 'timeout', output: 'kube-system', error: null });
  await expect(works(contextOf(fakeOutside({ worlds: [api] }), given, true))).rejects.toMatchObject({
    message: 'executor of kind-remote: timed out after 120 s',
    parts: { next: 'make logs WHAT=remote:kind-remote' },
  });
});
