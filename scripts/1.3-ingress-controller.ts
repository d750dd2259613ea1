/** Plan step 1.3: an ingress controller serves class nginx at the static IP. */
import { nameOf } from '../lib/base/kubernetes.ts';
import { absent, checkOf, type ChangeStep, type Check } from '../lib/step.ts';
import { removeObjects } from '../lib/deployment/ownership/remove-objects.ts';
import { drift } from '../lib/clients/drift.ts';
import { Failure } from '../lib/base/failure.ts';
import { INGRESS_CLASS, INGRESS_NAMESPACE, ingressObjects } from '../lib/deployment/cluster/infrastructure.ts';
import { controllerObjects, existingController, othersClass } from '../lib/deployment/cluster/ingress-controller.ts';
import { redirectsToHttps } from '../lib/deployment/certificates/edge.ts';
import { waitForBalancer } from '../lib/deployment/cluster/load-balancer.ts';
import { applicable } from '../lib/deployment/ownership/applicable.ts';
import { placeAt } from '../lib/deployment/ownership/ownership.ts';
import { rolloutGap, waitForRollout } from '../lib/deployment/cluster/rollout.ts';
import { waitFor } from '../lib/base/wait.ts';
import { runAlone } from './entry.ts';

export const step: ChangeStep = {
  id: '1.3',
  kind: 'change',
  title: 'Ingress controller serves the static IP',
  needs: ['1.0'],

  async check(ctx): Promise<Check> {
    const { settings, google } = ctx;
    const address = await google.address(settings.staticIpName);
    if (!address) return { state: 'unknown', reason: 'the address is known after 1.0', after: '1.0' };
    if (settings.ingressController === 'existing') return existingController(ctx, address.address);
    const kube = ctx.inGke(INGRESS_NAMESPACE);
    const objects = await controllerObjects(ctx, address.address);
    const [theirClass, { apply, taken }] = await Promise.all([othersClass(ctx), applicable(kube, objects)]);
    const conflicting = theirClass ?? taken;
    if (conflicting) return conflicting;
    const found = checkOf(await drift(kube, apply), `Traefik serves class ${INGRESS_CLASS} at ${address.address}`);
    const gap = rolloutGap(await kube.get('Deployment.apps', 'traefik'));
    return found.state === 'done' && gap ? absent(`Deployment traefik: ${gap}`) : found;
  },

  async apply(ctx) {
    const address = await ctx.google.address(ctx.settings.staticIpName);
    if (!address) throw new Failure({ what: 'the static IP is gone', next: './runbook 1.0' });
    const kube = ctx.inGke(INGRESS_NAMESPACE);
    const { apply } = await applicable(kube, await controllerObjects(ctx, address.address));
    await kube.apply(apply);
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
          if (typeof answer === 'string') return { state: 'pending', reason: answer };
          const { status } = answer;
          const redirected = redirectsToHttps(answer);
          // A controller that the runbook did not set up may answer as it likes; criterion 4 looks at the host itself.
          return redirected || ctx.settings.ingressController === 'existing'
            ? {
                state: 'ready',
                value: `the controller answers at ${address} (HTTP ${status}${redirected ? ' to https' : ''})`,
              }
            : { state: 'pending', reason: `HTTP ${status} without a redirect to https` };
        },
        next: `curl -v http://${address}/`,
      },
      ctx,
    );
  },

  owns: ({ settings }) => ({
    objects: [
      {
        target: { context: settings.gke.context, namespace: INGRESS_NAMESPACE },
        part: 'ingress',
        named: Object.fromEntries(
          ingressObjects(settings, '')
            .filter((o) => o.metadata.namespace === undefined)
            .map((o) => [nameOf(o), ['ingress']]),
        ),
      },
    ],
  }),

  async undo(ctx, removal) {
    if (ctx.settings.ingressController === 'existing' || removal.retained.has('ingress')) return;
    // The Service first: its load balancer must be gone before its address can be released.
    await ctx.inGke(INGRESS_NAMESPACE).delete('Service', 'traefik', 300_000);
    await removeObjects(ctx, placeAt(removal, ctx.inGke(INGRESS_NAMESPACE).target), removal.retained);
  },
};

void runAlone(import.meta);
