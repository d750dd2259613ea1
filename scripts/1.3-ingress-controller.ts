/** Plan step 1.3: an ingress controller serves class nginx at the static IP. */
import { absent, checkOf, conflict, done, type ChangeStep, type Check } from '../lib/step.ts';
import { clear } from '../lib/clear.ts';
import { drift } from '../lib/drift.ts';
import { Failure } from '../lib/failure.ts';
import { INGRESS_CLASS, INGRESS_NAMESPACE, ingressObjects } from '../lib/infrastructure.ts';
import { addressesOf, loadBalancers, waitForBalancer } from '../lib/load-balancer.ts';
import { placeOf } from '../lib/ownership.ts';
import { rolloutGap, waitForRollout } from '../lib/rollout.ts';
import { waitFor } from '../lib/wait.ts';
import type { Context } from '../lib/context.ts';

export const step: ChangeStep = {
  id: '1.3',
  kind: 'change',
  title: 'Ingress controller serves the static IP',
  needs: ['1.0'],

  async check(ctx): Promise<Check> {
    const { settings, google } = ctx;
    const address = await google.address(settings.staticIpName);
    if (!address) return { state: 'unknown', reason: 'the address is known after 1.0', after: '1.0' };
    if (settings.ingressController === 'existing') return existing(ctx, address.address);
    const kube = ctx.inGke(INGRESS_NAMESPACE);
    const found = checkOf(
      await drift(kube, ingressObjects(settings, address.address)),
      `Traefik serves class ${INGRESS_CLASS} at ${address.address}`,
    );
    const gap = rolloutGap(await kube.get('Deployment.apps', 'traefik'));
    return found.state === 'done' && gap ? absent(`Deployment traefik: ${gap}`) : found;
  },

  async apply(ctx) {
    const address = await ctx.google.address(ctx.settings.staticIpName);
    if (!address) throw new Failure({ what: 'the static IP is gone', next: './runbook 1.0' });
    const kube = ctx.inGke(INGRESS_NAMESPACE);
    await kube.apply(ingressObjects(ctx.settings, address.address));
    await waitForRollout(ctx, kube, 'Deployment.apps/traefik');
  },

  async verify(ctx) {
    const address = (await ctx.google.address(ctx.settings.staticIpName))?.address ?? '';
    await waitForBalancer(ctx, address);
    return waitFor(
      {
        what: `http://${address}`,
        timeoutMs: 60_000,
        probe: async () => {
          const answer = await ctx
            .http({ url: `http://${address}/`, timeoutMs: 3000 })
            .catch((error: unknown) => String(error));
          return typeof answer === 'string'
            ? { state: 'pending', reason: answer }
            : { state: 'ready', value: `the controller answers at ${address} (HTTP ${answer.status})` };
        },
        next: `curl -v http://${address}/`,
      },
      ctx,
    );
  },

  async undo(ctx, spared) {
    if (ctx.settings.ingressController === 'existing' || spared.has('ingress')) return;
    // The Service first: its load balancer must be gone before its address can be released.
    await ctx.inGke(INGRESS_NAMESPACE).delete('Service', 'traefik', 300_000);
    await clear(ctx, placeOf(ctx.settings, 'ingress'), spared);
  },
};

/** INGRESS_CONTROLLER=existing: the class must be there, and some LoadBalancer Service must hold the address. */
async function existing(ctx: Context, address: string): Promise<Check> {
  const ingressClass = await ctx.inGke(INGRESS_NAMESPACE).get('IngressClass.networking.k8s.io', INGRESS_CLASS);
  if (!ingressClass)
    return conflict(
      `INGRESS_CONTROLLER=existing, and the cluster has no IngressClass ${INGRESS_CLASS}`,
      'set INGRESS_CONTROLLER=traefik',
    );
  const found = (await loadBalancers(ctx)).flatMap(addressesOf);
  if (!found.includes(address))
    return conflict(
      `no LoadBalancer Service has ${address}; found ${found.join(', ') || 'none'}`,
      "give the controller's Service the annotation networking.gke.io/load-balancer-ip-addresses",
    );
  return done(`the existing controller of class ${INGRESS_CLASS} is at ${address}`);
}

if (import.meta.main) void import('../lib/program.ts').then(({ main }) => main([step.id, ...process.argv.slice(2)]));
