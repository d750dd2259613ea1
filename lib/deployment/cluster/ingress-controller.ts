/** The ingress controller: the runbook's Traefik, or one that is already there (plan step 1.3). */
import type { Context } from '../../context.ts';
import { conflict, done, type Check } from '../../step.ts';
import { INGRESS_CLASS, INGRESS_NAMESPACE, ingressObjects, monitoringObjects } from './infrastructure.ts';
import { addressesOf, loadBalancers } from './load-balancer.ts';
import { adopt, ownerOf } from '../ownership/applicable.ts';
import { isMarked } from '../ownership/ownership.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

interface IngressClassSpec {
  controller?: string;
}

/** Whose Ingresses Traefik's provider takes (values/traefik.yaml). */
const CONTROLLER = 'k8s.io/ingress-nginx';

/** The controller, and what Prometheus shall know of it where its operator's kinds are installed. */
export async function controllerObjects(ctx: Context, address: string): Promise<KubeObject[]> {
  const kube = ctx.inGke(INGRESS_NAMESPACE);
  const known = await Promise.all(
    monitoringObjects(ctx.settings).map(async (object) => {
      const crd = `${object.kind.toLowerCase()}s.${object.apiVersion.split('/')[0] ?? ''}`;
      return (await kube.get('CustomResourceDefinition.apiextensions.k8s.io', crd)) ? [object] : [];
    }),
  );
  return [...ingressObjects(ctx.settings, address), ...known.flat()];
}

/**
 * A class that somebody else's controller serves: one of our name, or one of the same `controller`, by which both
 * controllers would take each other's Ingresses and write their status. A conflict, whatever its fields are.
 */
export async function othersClass(ctx: Context): Promise<Check | undefined> {
  const kube = ctx.inGke(INGRESS_NAMESPACE);
  const theirs = (await kube.list('IngressClass.networking.k8s.io')).find((c) => {
    const same = c.metadata.name === INGRESS_CLASS || (c['spec'] as IngressClassSpec).controller === CONTROLLER;
    return same && !isMarked(c.metadata.labels);
  });
  if (!theirs) return undefined;
  const { name } = theirs.metadata;
  const beside =
    name === INGRESS_CLASS
      ? 'set INGRESS_CONTROLLER=existing (it is used as it is, once its Service has the address)'
      : `have its owner give it another spec.controller than ${CONTROLLER}`;
  return conflict(
    `IngressClass ${name} (${CONTROLLER}) is ${await ownerOf(kube, theirs)}; a second controller would serve the same Ingresses`,
    `${beside}; or, where that controller is gone, take the class over: ${adopt(kube, theirs)}`,
  );
}

/** INGRESS_CONTROLLER=existing: the class must be there, and some LoadBalancer Service must hold the address. */
export async function existingController(ctx: Context, address: string): Promise<Check> {
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
