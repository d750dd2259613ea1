/** What is deployed, read from the clusters, the registry's digests in the pods and the served certificate. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { headCommit } from '../../deployment/kubently/checkout.ts';
import type { Context } from '../../context.ts';
import { firstLine } from '../../base/failure.ts';
import { certManagerImage, runningCertificate, traefikImage } from '../../deployment/kubently/running.ts';
import { selector } from '../../deployment/kubently/redis.ts';
import type { Target } from '../../base/target.ts';

export interface Fact {
  section: string;
  name: string;
  value: string;
}

type Facts = Promise<[name: string, value: string][]>;

/** Every fact; what cannot be read says why instead of its value. */
export async function readFacts(ctx: Context): Promise<Fact[]> {
  const { gke, release, gkeClusterId, remotes } = ctx.settings;
  const sections: [string, Facts][] = [
    ['Deployment', deployment(ctx)],
    ['Certificate', certificate(ctx)],
    [`Cluster ${gkeClusterId}`, cluster(ctx, gke, release, ['api', 'executor', 'redis'])],
    ...remotes.map((r): [string, Facts] => [`Cluster ${r.id}`, cluster(ctx, r, r.release, ['executor'])]),
    ['Infrastructure', infrastructure(ctx)],
  ];
  const read = await Promise.allSettled(sections.map(([, facts]) => facts));
  return read.flatMap((result, i): Fact[] => {
    const section = sections[i]?.[0] ?? '';
    if (result.status === 'fulfilled') return result.value.map(([name, value]) => ({ section, name, value }));
    return [{ section, name: 'not readable', value: firstLine(result.reason) }];
  });
}

async function deployment(ctx: Context): Facts {
  const { settings, google, run } = ctx;
  const [commit, address] = await Promise.all([
    headCommit(run, settings.repo),
    google.address(settings.staticIpName).catch(() => undefined),
  ]);
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return [
    ['API', `https://${settings.host}`],
    ['Address', `${address?.address ?? 'not readable'} (${settings.staticIpName}, ${settings.region})`],
    ['Project and zone', `${settings.project}, ${settings.dnsZone}`],
    ['Commit of Kubently', commit.full],
    ['Runbook', version],
  ];
}

async function certificate(ctx: Context): Facts {
  const served = await runningCertificate(ctx);
  return [
    ['Comes from', served.comesFrom ?? 'none'],
    ['Served by', served.issuer],
    ['Names', served.subjectAltNames.join(', ')],
    ['Valid from', minute(served.notBefore)],
    ['Ends', minute(served.notAfter)],
    ['Left of its lifetime', `${Math.round((served.leftMs / served.lifetimeMs) * 100)} %`],
    ['Serial number', served.serialNumber],
    ['Protocol', served.protocol],
    ['Chain', served.trusted ? 'trusted' : `not trusted: ${served.refusal ?? ''}`],
  ];
}

async function cluster(
  ctx: Context,
  target: Target,
  release: string,
  components: readonly ('api' | 'executor' | 'redis')[],
): Facts {
  const kube = ctx.kube(target);
  const [version, helm, ...pods] = await Promise.all([
    kube.raw('/version'),
    ctx.helm(target).release(release),
    ...components.map((c) => kube.list('Pod', selector(release, c))),
  ]);
  return [
    ['Context', target.context],
    ['Kubernetes', (JSON.parse(version) as { gitVersion: string }).gitVersion],
    [
      'Release',
      helm ? `${release}: ${helm.chart}, revision ${helm.revision}, ${helm.status}` : `no release ${release}`,
    ],
    ...components.flatMap((component, i) => podFacts(component, pods[i] ?? [])),
  ];
}

interface PodStatus {
  containerStatuses?: { image: string; imageID: string; ready: boolean; restartCount: number }[];
}

function podFacts(component: string, pods: readonly { [key: string]: unknown }[]): [string, string][] {
  const containers = pods.flatMap((p) => (p['status'] as PodStatus | undefined)?.containerStatuses ?? []);
  if (containers.length === 0) return [[component, 'no pod']];
  const restarts = containers.reduce((n, c) => n + c.restartCount, 0);
  const ready = containers.filter((c) => c.ready).length;
  const unique = (list: string[]): string => [...new Set(list)].join(', ');
  return [
    [component, `${ready} of ${containers.length} ready, ${restarts} restarts`],
    [`${component} image`, unique(containers.map((c) => c.image))],
    [`${component} digest`, unique(containers.map((c) => c.imageID.replace(/^.*@/, '')))],
  ];
}

async function infrastructure(ctx: Context): Facts {
  const [certManager, traefik] = await Promise.all([certManagerImage(ctx), traefikImage(ctx)]);
  return [
    ['cert-manager', certManager ?? 'none'],
    ['Ingress controller', traefik ?? 'one that was there before'],
  ];
}

function minute(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
