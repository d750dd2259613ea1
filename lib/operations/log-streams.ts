/** The logs of the deployment's parts in all clusters: their last lines, or followed through every replaced pod. */
import type { Context } from '../context.ts';
import { BadInput, firstLine } from '../base/failure.ts';
import { isPodName } from '../base/outside-names.ts';
import { bounded, oneLine } from '../base/say.ts';
import {
  CERT_MANAGER_NAMESPACE,
  CERT_MANAGER_RELEASE,
  INGRESS_NAMESPACE,
} from '../deployment/cluster/infrastructure.ts';
import { selector } from '../deployment/kubently/redis.ts';
import type { Settings } from '../settings/settings.ts';
import { targetFlags, type Target } from '../base/target.ts';

/** A line of a pod's log as the kubelet gives it: its own time first. */
const TIMED = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ?(.*)$/s;
/** Colours, which a pod may well have; all else that steers a terminal is spelled out where the line is shown. */
const COLOURS = /\x1b\[[\d;]{0,20}m/g;

/** How long after the end of a log or a watch it is asked for again. */
const AGAIN_MS = 2000;

export interface LogStream {
  /** What WHAT calls it. */
  name: string;
  target: Target;
  selector: string;
}

export interface LogLine {
  stream: string;
  pod: string;
  /** RFC 3339, as the kubelet noted it. */
  time: string;
  text: string;
}

/** All streams, or those that WHAT names. @throws BadInput on a name that there is not */
export function logStreams(settings: Settings, what?: string): LogStream[] {
  const { gke, release, remotes, ingressController } = settings;
  const inGke = (namespace: string): Target => ({ context: gke.context, namespace });
  const all: LogStream[] = [
    { name: 'api', target: gke, selector: selector(release, 'api') },
    { name: 'executor', target: gke, selector: selector(release, 'executor') },
    ...remotes.map((r) => ({ name: `remote:${r.id}`, target: r, selector: selector(r.release, 'executor') })),
    // Where somebody else's controller runs is not known.
    ...(ingressController === 'traefik'
      ? [{ name: 'ingress', target: inGke(INGRESS_NAMESPACE), selector: 'app.kubernetes.io/name=traefik' }]
      : []),
    {
      name: 'cert-manager',
      target: inGke(CERT_MANAGER_NAMESPACE),
      selector: `app.kubernetes.io/instance=${CERT_MANAGER_RELEASE}`,
    },
  ];
  const chosen = all.filter((s) => what === undefined || s.name === what);
  if (chosen.length > 0) return chosen;
  const names = all.map((s) => s.name).join(', ');
  throw new BadInput([{ about: 'WHAT', message: `"${what ?? ''}" is no log`, remedy: `the logs: ${names}` }]);
}

/** The last lines of a stream's pods. @throws CommandFailed when the cluster does not answer */
export async function lastLines(ctx: Context, stream: LogStream, tail: number): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for (const pod of await podsOf(ctx, stream))
    await readPod(ctx, stream, pod, ['--tail', String(tail)], (line) => lines.push(line));
  return lines;
}

/** In the order of time, whatever cluster they come from. */
export function inOrder(lines: readonly LogLine[]): LogLine[] {
  return [...lines].sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
}

/**
 * Follows a stream until the process ends: pods that come later are read from their start, and one whose container
 * starts again goes on after its last line.
 * @param note told what stands in the way, such as a cluster that does not answer
 */
export async function followStream(
  ctx: Context,
  stream: LogStream,
  tail: number,
  tell: (line: LogLine) => void,
  note: (text: string) => void,
): Promise<never> {
  const followed = new Set<string>();
  const broken = Promise.withResolvers<never>();
  const since = new Date(ctx.clock.now()).toISOString();
  const follow = (pod: string, from: string[]): void => {
    if (followed.has(pod)) return;
    followed.add(pod);
    followPod(ctx, stream, pod, from, tell).then(() => followed.delete(pod), broken.reject);
  };
  const watch = async (): Promise<never> => {
    const first = await podsOf(ctx, stream).catch((error: unknown) => {
      note(firstLine(error));
      return [];
    });
    for (const pod of first) follow(pod, ['--tail', String(tail)]);
    for (;;) {
      const args = ['get', 'pod', '--selector', stream.selector, '--watch', '--output', 'name'];
      const ended = await ctx.follow({ binary: 'kubectl', args: [...args, ...targetFlags(stream.target)] }, (line) => {
        const name = line.replace(/^pod\//, '');
        if (isPodName(name)) follow(name, ['--since-time', since]);
        else note(`not followed, for it is no pod's name: ${oneLine(line, 80)}`);
      });
      // The API server ends each watch after some time, with status 0.
      if (ended.exitCode !== 0) note(`its pods cannot be watched: ${ended.stderr}`);
      await ctx.clock.sleep(AGAIN_MS);
    }
  };
  return Promise.race([watch(), broken.promise]);
}

async function podsOf(ctx: Context, { target, selector: labels }: LogStream): Promise<string[]> {
  return (await ctx.kube(target).list('Pod', labels)).map((p) => p.metadata.name);
}

/** Ends when the pod is gone. */
async function followPod(
  ctx: Context,
  stream: LogStream,
  pod: string,
  from: string[],
  tell: (line: LogLine) => void,
): Promise<void> {
  let last = '';
  for (;;) {
    const range = last === '' ? from : ['--since-time', last];
    const { stderr } = await readPod(ctx, stream, pod, ['--follow', ...range], (line) => {
      // --since-time counts whole seconds.
      if (line.time <= last) return;
      last = line.time;
      tell(line);
    });
    if (/not ?found/i.test(stderr)) return;
    await ctx.clock.sleep(AGAIN_MS);
  }
}

function readPod(
  ctx: Context,
  { name, target }: LogStream,
  pod: string,
  range: readonly string[],
  tell: (line: LogLine) => void,
) {
  const args = ['logs', pod, '--timestamps', ...range, ...targetFlags(target)];
  return ctx.follow({ binary: 'kubectl', args }, (line) => {
    const [, time, text = ''] = TIMED.exec(line) ?? [];
    // Without the kubelet's time it would stand nowhere, and a later line might be taken for an earlier one.
    if (time !== undefined) tell({ stream: name, pod, time, text: bounded(text.replace(COLOURS, '')) });
  });
}
