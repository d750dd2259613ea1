/** What a release looked like before it was changed in a hurry, as files for the post-mortem. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Context } from '../context.ts';
import { printable } from '../base/say.ts';
import { RUNBOOK_FOLDER } from '../base/paths.ts';
import type { KubeObject } from '../base/kubernetes.ts';
import type { TargetedRelease } from '../deployment/release/targeted-release.ts';

const LOG_LINES = 500;

/**
 * Saves descriptions, events, logs (also of containers that crashed), values and history of the releases. Nothing
 * that holds a Secret's value is asked for, and known ones are scrubbed.
 * @returns the folder, .runbook/<host>/evidence-<time> (0700, files 0600)
 */
export async function saveEvidence(ctx: Context, releases: readonly TargetedRelease[]): Promise<string> {
  const time = new Date(ctx.clock.now()).toISOString().replaceAll(':', '').slice(0, 17);
  const folder = join(RUNBOOK_FOLDER, ctx.settings.host, `evidence-${time}Z`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const targeted of releases) {
    const files = await evidenceOf(ctx, targeted);
    for (const [name, text] of files)
      await writeFile(join(folder, `${targeted.spec.clusterId}.${name}`), printable(text), { mode: 0o600, flag: 'wx' });
  }
  return folder;
}

async function evidenceOf(ctx: Context, { spec: { release }, target }: TargetedRelease): Promise<[string, string][]> {
  const kube = ctx.kube(target);
  const helm = ctx.helm(target);
  const selector = `app.kubernetes.io/instance=${release}`;
  const [pods, describes, events, history, values] = await Promise.all([
    kube.list('Pod', selector),
    kube.describe('pods,deployments,statefulsets,ingresses', selector),
    kube.list('Event'),
    helm.history(release),
    helm.release(release).then((r) => r?.values),
  ]);
  const logs = await Promise.all(pods.map((pod) => logsOf(ctx, target, pod)));
  return [
    ['describe.txt', describes],
    ['events.txt', events.map(eventLine).sort().join('\n')],
    ['history.yaml', stringify(history)],
    ['values.yaml', stringify(values)],
    ...logs.flat(),
  ];
}

async function logsOf(ctx: Context, target: TargetedRelease['target'], pod: KubeObject): Promise<[string, string][]> {
  const { name } = pod.metadata;
  const status = pod['status'] as { containerStatuses?: { restartCount: number }[] };
  const crashed = (status.containerStatuses ?? []).some((c) => c.restartCount > 0);
  const log = (extra: string[]): Promise<string> =>
    ctx.kube(target).logs([name, '--all-containers', ...extra], LOG_LINES);
  return [
    [`${name}.log`, await log([])],
    ...(crashed ? [[`${name}.previous.log`, await log(['--previous'])] satisfies [string, string]] : []),
  ];
}

function eventLine(e: KubeObject): string {
  const { kind, name } = e['involvedObject'] as { kind: string; name: string };
  const { lastTimestamp, eventTime, type, reason, message } = e as unknown as Record<string, string | null | undefined>;
  const at = lastTimestamp ?? eventTime ?? e.metadata.creationTimestamp ?? '';
  return `${at} ${type ?? ''} ${kind}/${name} ${reason ?? ''}: ${message ?? ''}`;
}
