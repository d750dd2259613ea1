/** Logs: which streams there are, their last lines in order of time, and what is followed when pods come and go. */
import { beforeEach, expect, test } from 'vitest';
import {
  followStream,
  inOrder,
  lastLines,
  logStreams,
  type LogLine,
  type LogStream,
} from '../../lib/operations/log-streams.ts';
import { FakeCluster } from './fake-cluster.ts';
import { contextOf, fakeOutside, settings } from './outside.ts';

const LABELS = { 'app.kubernetes.io/instance': 'kubently', 'app.kubernetes.io/component': 'api' };
const TARGET = '--context gke-context --namespace kubently';
let cluster: FakeCluster;

const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'kubently', labels: LABELS },
});

beforeEach(() => {
  cluster = new FakeCluster('gke-context', [pod('api-1'), pod('api-2')]);
});

function api(): LogStream {
  const [stream] = logStreams(settings(), 'api');
  if (!stream) throw new Error('no stream');
  return stream;
}

test('all logs of both clusters, or the one that WHAT names', () => {
  expect(logStreams(settings()).map((s) => [s.name, s.target.context, s.target.namespace])).toEqual([
    ['api', 'gke-context', 'kubently'],
    ['executor', 'gke-context', 'kubently'],
    ['remote:kind-remote', 'kind-context', 'kubently-remote'],
    ['ingress', 'gke-context', 'traefik'],
    ['cert-manager', 'gke-context', 'cert-manager'],
  ]);
  expect(logStreams(settings(), 'remote:kind-remote')).toHaveLength(1);
  expect(() => logStreams(settings(), 'redis')).toThrow('WHAT: "redis" is no log');
  expect(() => logStreams(settings({ ingressController: 'existing' }), 'ingress')).toThrow('is no log');
});

test('the last lines of every pod, in order of time, without control characters', async () => {
  const said: Record<string, string[]> = {
    'api-1': ['2026-01-01T00:00:02.000000000Z two', '2026-01-01T00:00:03.000000000Z \x1b[31mthree\x1b[0m'],
    'api-2': ['2026-01-01T00:00:01.000000000Z one', '2026-01-01T00:00:04.000000000Z '],
  };
  const outside = fakeOutside({
    worlds: [cluster],
    follows: (command, line) => {
      const name = /^kubectl logs (\S+) --timestamps --tail 5 --context gke-context --namespace kubently$/.exec(
        command,
      )?.[1];
      if (!name) throw new Error(`not listed: ${command}`);
      said[name]?.forEach(line);
      return { exitCode: 0, stderr: 'Defaulted container "api" out of: api, init' };
    },
  });
  const lines = inOrder(await lastLines(contextOf(outside, settings(), true), api(), 5));
  expect(lines.map((l) => [l.pod, l.text])).toEqual([
    ['api-2', 'one'],
    ['api-1', 'two'],
    ['api-1', 'three'],
    ['api-2', ''],
  ]);
});

test('a restarted container goes on after its last line, a new pod is read from its start, a gone one is left', async () => {
  const commands: string[] = [];
  const told: LogLine[] = [];
  const enough = Promise.withResolvers<never>();
  cluster.objects = [pod('api-1')];
  const answers: Record<string, { lines: string[]; stderr: string }[]> = {
    'logs api-1': [
      { lines: ['2026-01-01T00:00:01.500000000Z a', '2026-01-01T00:00:02.500000000Z b'], stderr: '' },
      // --since-time counts whole seconds, so the last line comes again.
      { lines: ['2026-01-01T00:00:02.500000000Z b', '2026-01-01T00:00:02.700000000Z c'], stderr: '' },
      { lines: [], stderr: 'Error from server (NotFound): pods "api-1" not found' },
    ],
    'logs api-9': [{ lines: ['2026-01-01T00:00:09.000000000Z new'], stderr: 'pods "api-9" not found' }],
  };
  const outside = fakeOutside({
    worlds: [cluster],
    follows: (command, line) => {
      commands.push(command);
      if (command.startsWith('kubectl get pod')) {
        line('pod/api-1');
        line('pod/api-9');
        return enough.promise;
      }
      const answer = answers[command.split(' ').slice(1, 3).join(' ')]?.shift();
      if (!answer) throw new Error(`not listed: ${command}`);
      answer.lines.forEach(line);
      return { exitCode: answer.stderr ? 1 : 0, stderr: answer.stderr };
    },
  });
  const following = followStream(
    contextOf(outside, settings(), true),
    api(),
    7,
    (l) => told.push(l),
    () => undefined,
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  enough.reject(new Error('enough'));
  await expect(following).rejects.toThrow('enough');
  expect(told.filter((l) => l.pod === 'api-1').map((l) => l.text)).toEqual(['a', 'b', 'c']);
  expect(told.filter((l) => l.pod === 'api-9').map((l) => l.text)).toEqual(['new']);
  expect(commands.filter((c) => c.startsWith('kubectl logs'))).toEqual([
    `kubectl logs api-1 --timestamps --follow --tail 7 ${TARGET}`,
    `kubectl logs api-9 --timestamps --follow --since-time 2026-01-01T00:00:00.000Z ${TARGET}`,
    `kubectl logs api-1 --timestamps --follow --since-time 2026-01-01T00:00:02.500000000Z ${TARGET}`,
    `kubectl logs api-1 --timestamps --follow --since-time 2026-01-01T00:00:02.700000000Z ${TARGET}`,
  ]);
});

test('a cluster that cannot be watched is told, and asked again', async () => {
  const notes: string[] = [];
  let asked = 0;
  const outside = fakeOutside({
    worlds: [cluster],
    follows: (command) => {
      if (command.startsWith('kubectl logs')) return { exitCode: 1, stderr: 'not found' };
      if (asked++ === 2) throw new Error('enough');
      return { exitCode: 1, stderr: 'connection refused' };
    },
  });
  await expect(
    followStream(
      contextOf(outside, settings(), true),
      api(),
      7,
      () => undefined,
      (n) => notes.push(n),
    ),
  ).rejects.toThrow('enough');
  expect(notes).toEqual([
    'its pods cannot be watched: connection refused',
    'its pods cannot be watched: connection refused',
  ]);
});

test('a line counts only with its time: what a pod puts at the head of one silences nothing after it', async () => {
  cluster.objects = [pod('api-1')];
  let asked = 0;
  const told: string[] = [];
  const outside = fakeOutside({
    worlds: [cluster],
    follows: (command, line) => {
      if (command.startsWith('kubectl get pod')) return new Promise(() => undefined);
      if (asked++ > 0) return { exitCode: 1, stderr: 'not found' };
      line('2026-01-01T00:00:01.000000000Z before\rzzzz overwritten');
      line('zzzz no time');
      line('9999 \u2028 neither');
      line('2026-01-01T00:00:02.000000000Z after \x1b\x1b[0m]52;c;x\x07');
      return { exitCode: 0, stderr: '' };
    },
  });
  const following = followStream(
    contextOf(outside, settings(), true),
    api(),
    7,
    (l) => told.push(l.text),
    () => undefined,
  );
  await Promise.race([following, new Promise((resolve) => setTimeout(resolve, 50))]);
  // What steers the terminal is spelled out by the screen, as all that it shows.
  expect(told).toEqual(['before\rzzzz overwritten', 'after \x1b]52;c;x\x07']);
});

test.each(['pod/--kubeconfig=evil', 'pod/../x', 'secret/api', 'pod/a b'])(
  'a watch that names "%s" starts no kubectl',
  async (name) => {
    cluster.objects = [];
    const notes: string[] = [];
    const outside = fakeOutside({
      worlds: [cluster],
      follows: (command, line) => {
        if (!command.startsWith('kubectl get pod')) throw new Error(`not listed: ${command}`);
        if (notes.length > 0) throw new Error('enough');
        line(name);
        return { exitCode: 0, stderr: '' };
      },
    });
    const ctx = contextOf(outside, settings(), true);
    await expect(
      followStream(
        ctx,
        api(),
        7,
        () => undefined,
        (n) => notes.push(n),
      ),
    ).rejects.toThrow('enough');
    expect(notes[0]).toContain('it is no pod');
  },
);
