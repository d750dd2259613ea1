/** The ingress controller's load balancer: whether it has the reserved address, and why not. */
import { STEP } from '../../base/plan-steps.ts';
import type { Context } from '../../context.ts';
import { eventsOf, warningLines, type KubeEvent } from '../../clients/events.ts';
import { balancerWayOut, isRefusal, type Place } from './balancer-refusals.ts';
import { INGRESS_NAMESPACE } from './infrastructure.ts';
import { patience, waitFor, type Suspect } from '../../base/wait.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

/** The cloud's controller tries again after 5 and 10 s: the second refusal counts. */
const SECOND_TRY_MS = 12_000;
/** A Service that changes its address has the old one for a while. */
const OTHER_ADDRESS_MS = 45_000;

/** Waits until a LoadBalancer Service has the address. @throws Failure when the cloud refuses it */
export async function waitForBalancer(ctx: Context, address: string): Promise<void> {
  const kube = ctx.inGke(INGRESS_NAMESPACE);
  const judge = patience(ctx.clock);
  const started = ctx.clock.now();
  const isBalancer = (e: KubeEvent): boolean => e.kind === 'Service' || e.kind === '';
  await waitFor(
    {
      what: `load balancer at ${address}`,
      timeoutMs: 300_000,
      probe: async () => {
        const given = (await loadBalancers(ctx)).flatMap(addressesOf);
        if (given.includes(address)) return { state: 'ready', value: undefined };
        const events = eventsOf(await kube.list('Event'));
        return judge(
          [...refusals(events, started, ctx.settings), ...otherAddress(given, address)],
          `the Service has ${given.join(', ') || 'no address yet'}`,
        );
      },
      diagnose: async () => warningLines(eventsOf(await kube.list('Event')), isBalancer).join('\n'),
      next: `kubectl --context ${kube.target.context} --namespace ${INGRESS_NAMESPACE} describe service traefik`,
    },
    ctx,
  );
}

function refusals(events: readonly KubeEvent[], started: number, place: Place): Suspect[] {
  // Said again since the wait began: an older one may be mended by now. A minute for clocks that differ.
  const said = events.findLast((e) => isRefusal(e) && e.at >= started - 60_000);
  if (!said) return [];
  const next = balancerWayOut(said.message, place);
  return [
    {
      key: `${said.name}/refused`,
      reason: `Service ${said.name}: ${said.message}`,
      next,
      graceMs: next === undefined ? Infinity : SECOND_TRY_MS,
    },
  ];
}

function otherAddress(given: readonly string[], address: string): Suspect[] {
  const [other] = given;
  if (other === undefined) return [];
  return [
    {
      key: 'other-address',
      reason: `the Service has ${given.join(', ')} and not the reserved ${address}`,
      next: `delete the Service, or release the other address, then ./runbook ${STEP.ingressController}`,
      graceMs: OTHER_ADDRESS_MS,
    },
  ];
}

/** The LoadBalancer Services: of the runbook's controller, or with INGRESS_CONTROLLER=existing of the whole cluster. */
export async function loadBalancers(ctx: Context): Promise<KubeObject[]> {
  const kube = ctx.inGke(INGRESS_NAMESPACE);
  const services =
    ctx.settings.ingressController === 'existing' ? await kube.listAll('Service') : await kube.list('Service');
  return services.filter((s) => (s['spec'] as { type?: string }).type === 'LoadBalancer');
}

/** The addresses that a Service was given. */
export function addressesOf(service: KubeObject): string[] {
  const status = service['status'] as { loadBalancer?: { ingress?: { ip?: string }[] } } | undefined;
  return (status?.loadBalancer?.ingress ?? []).flatMap((i) => (i.ip ? [i.ip] : []));
}

/** Waits until no load balancer holds the address: Google refuses to release it before. */
export async function balancerGone(ctx: Context): Promise<void> {
  const { google, settings } = ctx;
  await waitFor(
    {
      what: `address ${settings.staticIpName}`,
      timeoutMs: 180_000,
      everyMs: 2000,
      probe: async () =>
        (await google.address(settings.staticIpName))?.status === 'IN_USE'
          ? { state: 'pending', reason: 'a load balancer still holds it' }
          : { state: 'ready', value: undefined },
      next: `gcloud compute forwarding-rules list --project=${google.project}`,
    },
    ctx,
  );
}
