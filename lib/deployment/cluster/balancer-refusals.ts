/** What GKE's two controllers of load balancers say when Google refuses one, and what a person does then. */
import { STEP } from '../../base/plan-steps.ts';
import type { KubeEvent } from '../../clients/events.ts';

/**
 * The reasons of their events, whatever the type:
 * the target-pool controller (k8s.io/cloud-provider, controllers/service/controller.go; the words are from
 * kubernetes/cloud-provider-gcp, providers/gce/gce_loadbalancer_external.go), and the backend-service one, the default
 * from GKE 1.37 (kubernetes/ingress-gce, pkg/l4lb/l4netlbcontroller.go; words from pkg/address/manager.go, pkg/utils).
 */
const REASONS: ReadonlySet<string> = new Set([
  'SyncLoadBalancerFailed',
  'SyncExternalLoadBalancerFailed',
  'SyncInstanceGroupsFailed',
]);

/** Where a refusal is to be mended. */
export interface Place {
  project: string;
  region: string;
  staticIpName: string;
}

interface Refusal {
  /** Of Google's and the controllers' words. */
  says: RegExp;
  /** What a person does; undefined: it passes by itself. */
  next: ((place: Place) => string) | undefined;
}

const reserve = ({ region }: Place): string =>
  `gcloud compute addresses list: the address must be reserved in the cluster’s region (${region}); ./runbook ${STEP.staticIpAndDns} reserves it`;

/** The first that fits. */
const REFUSALS: readonly Refusal[] = [
  // Limits of a minute, servers that are ill (googleapi: Error 429, 503).
  { says: /rate ?limit ?exceeded|per minute|Error (429|5\d\d)|backend error/i, next: undefined },
  {
    // googleapi: Error 412: Constraint constraints/compute.… violated for project …, conditionNotMet
    says: /constraint .{0,200}violated|constraints\/compute\.|org ?policy/i,
    next: ({ project }) =>
      `ask who keeps the organization's policies to except project ${project}: gcloud resource-manager org-policies list --project=${project}`,
  },
  {
    // requested IP "…" belongs to the Standard network tier; expected Premium (the older ones say "requrested");
    // Network tier mismatch for resource …, desired: …, received: …
    says: /network tier/i,
    next: ({ staticIpName }) =>
      `name an address of tier PREMIUM by STATIC_IP_NAME (${staticIpName} is of another); where there is none of that name, ./runbook ${STEP.staticIpAndDns} reserves it`,
  },
  {
    says: /quota/i,
    next: () => 'raise the quota of the project (gcloud compute project-info describe), then the same command again',
  },
  {
    // Specified IP address is in-use and would result in a conflict.
    says: /in[- ]use/i,
    next: ({ project, region }) =>
      `see who has it: gcloud compute forwarding-rules list --regions=${region} --project=${project}; release it there, or name another by STATIC_IP_NAME`,
  },
  {
    // address type mismatch, expected "EXTERNAL", actual: "INTERNAL"
    says: /address type mismatch/i,
    next: () => 'name an external address by STATIC_IP_NAME',
  },
  {
    // requested ip "…" is neither static nor assigned to the LB; address not found. Check if the IP is valid …
    says: /neither static nor assigned|not reserved|address not found|IP mismatch|does not exist|not found|Error 404/i,
    next: reserve,
  },
  {
    says: /forbidden|permission|Error 40[13]/i,
    next: ({ project }) =>
      `give GKE's service agent its role in the project back: roles/container.serviceAgent to service-NUMBER@container-engine-robot.iam.gserviceaccount.com (gcloud projects get-iam-policy ${project})`,
  },
  { says: /invalid|Error 400/i, next: reserve },
];

/** True for an event by which a controller says that it got no load balancer. */
export function isRefusal({ reason }: KubeEvent): boolean {
  return REASONS.has(reason);
}

/** What a person does about it; undefined where it may pass by itself. */
export function balancerWayOut(message: string, place: Place): string | undefined {
  return REFUSALS.find(({ says }) => says.test(message))?.next?.(place);
}
