/** What runs now, beside the steps' checks: the certificate's lifetime, who is connected, which versions are deployed. */
import { STEP } from '../../base/plan-steps.ts';
import { clusterIds, kubentlyApi } from './api.ts';
import { headCommit } from './checkout.ts';
import { DAY_MS } from '../../base/clock.ts';
import type { Context } from '../../context.ts';
import { firstLine } from '../../base/failure.ts';
import { CERT_MANAGER_VERSION, ingressObjects } from '../cluster/infrastructure.ts';
import { certManagerImage, imageOf, runningCertificate, runningImage, traefikImage } from './running.ts';
import type { Target } from '../../base/target.ts';

/** One thing about the deployment. `unknown`: not deployed yet, or it does not answer. */
export interface DeployedFact {
  about: string;
  grade: 'fine' | 'warning' | 'unknown';
  says: string;
}

/** All facts, read at once; what is not there yet says so and fails nothing. */
export async function deployedFacts(ctx: Context): Promise<DeployedFact[]> {
  const ask = (about: string, answer: Promise<Omit<DeployedFact, 'about'>>): Promise<DeployedFact> =>
    answer.then(
      (fact) => ({ about, ...fact }),
      (error: unknown) => ({ about, grade: 'unknown', says: `not known yet: ${firstLine(error)}` }),
    );
  const { settings } = ctx;
  const commit = headCommit(ctx.run, settings.repo).then((c) => c.short);
  const image = (target: Target, name: string) => runningImage(ctx, target, name).then(tagOf);
  const versions: [string, Promise<string | undefined>, Promise<string>][] = [
    ['cert-manager', certManagerImage(ctx).then(tagOf), Promise.resolve(CERT_MANAGER_VERSION)],
    ['api', image(settings.gke, `${settings.release}-api`), commit],
    [`executor ${settings.gkeClusterId}`, image(settings.gke, `${settings.release}-executor`), commit],
    ...settings.remotes.map((r): [string, Promise<string | undefined>, Promise<string>] => [
      `executor ${r.id}`,
      image(r, `${r.release}-executor`),
      commit,
    ]),
  ];
  if (settings.ingressController === 'traefik')
    versions.splice(1, 0, ['Traefik', traefikImage(ctx).then(tagOf), Promise.resolve(pinnedTraefik(ctx))]);
  return Promise.all([
    ask('certificate', certificate(ctx)),
    ...clusterIds(ctx).map((id) => ask(`connected ${id}`, connected(ctx, id))),
    ...versions.map(([name, found, wanted]) => ask(`version ${name}`, version(found, wanted))),
  ]);
}

/** The served certificate; a warning at one third of its lifetime left, however long it lives. */
async function certificate(ctx: Context): Promise<Omit<DeployedFact, 'about'>> {
  const { comesFrom, issuer, notAfter, leftMs, lifetimeMs } = await runningCertificate(ctx);
  if (comesFrom === undefined) return { grade: 'unknown', says: 'not known yet: no Certificate' };
  const until = notAfter.toISOString().slice(0, 16).replace('T', ' ');
  const says = `${comesFrom} (${issuer}), until ${until} UTC, ${days(leftMs)} of ${Math.round(lifetimeMs / DAY_MS)} days left`;
  const remedy = ctx.settings.tls.own
    ? `renew TLS_CERT_FILE, then ./runbook ${STEP.tlsCertificate}`
    : 'kubectl describe certificate,order,challenge';
  return leftMs < lifetimeMs / 3
    ? { grade: 'warning', says: `${says}: its renewal is late (${remedy})` }
    : { grade: 'fine', says };
}

async function connected(ctx: Context, id: string): Promise<Omit<DeployedFact, 'about'>> {
  const agent = await kubentlyApi(ctx).agent(id);
  if (!agent) return { grade: 'warning', says: 'no token is registered' };
  const version = agent.version ? `, executor ${agent.version}` : '';
  return agent.connected ? { grade: 'fine', says: `yes${version}` } : { grade: 'warning', says: `no${version}` };
}

async function version(
  found: Promise<string | undefined>,
  wanted: Promise<string>,
): Promise<Omit<DeployedFact, 'about'>> {
  const [deployed, pinned] = await Promise.all([found, wanted]);
  if (deployed === undefined) return { grade: 'unknown', says: `not deployed yet; pinned here: ${pinned}` };
  return deployed === pinned
    ? { grade: 'fine', says: `${deployed}, as pinned here` }
    : { grade: 'warning', says: `${deployed} is deployed, ${pinned} is pinned here` };
}

function tagOf(image: string | undefined): string | undefined {
  return image?.split('@')[0]?.split(':').at(-1);
}

function pinnedTraefik({ settings }: Context): string {
  const deployment = ingressObjects(settings, '').find((o) => o.kind === 'Deployment');
  return tagOf(imageOf(deployment)) ?? '';
}

function days(ms: number): string {
  const n = ms / DAY_MS;
  return n < 10 ? n.toFixed(1) : String(Math.floor(n));
}
