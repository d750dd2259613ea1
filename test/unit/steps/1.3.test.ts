import { beforeEach, expect, test } from 'vitest';
import { ingressObjects } from '../../../lib/deployment/cluster/infrastructure.ts';
import { step } from '../../../scripts/1.3-ingress-controller.ts';
import { FakeCluster, rolledOut } from '../fake-cluster.ts';
import { FakeGoogle, IP } from '../fake-google.ts';
import { contextOf, fakeOutside, settings } from '../outside.ts';
import type { KubeObject } from '../../../lib/base/kubernetes.ts';
import { undo } from '../undo.ts';

const given = settings();
let cluster: FakeCluster;
let google: FakeGoogle;

/** What Kubernetes and the cloud make of the objects. */
function controllers(object: KubeObject): KubeObject {
  return object.kind === 'Service' ? balancer(object, IP) : rolledOut(object);
}

function balancer(object: KubeObject, ip: string): KubeObject {
  return { ...object, status: { loadBalancer: { ingress: [{ ip }] } } };
}

beforeEach(() => {
  cluster = new FakeCluster('gke-context');
  cluster.controllers = controllers;
  google = new FakeGoogle().reserved();
});

const make = (changed = given, http = {}) => {
  const outside = fakeOutside({ worlds: [google, cluster], http });
  return { outside, ctx: contextOf(outside, changed) };
};

test('absent: one apply of the whole controller, at the reserved address', async () => {
  const { outside, ctx } = make();
  expect(await step.check(ctx)).toMatchObject({ state: 'absent' });
  await step.apply(ctx);
  expect(outside.changes).toEqual([
    'apply in traefik: Namespace/traefik, ConfigMap/traefik-dynamic, ServiceAccount/traefik, ClusterRole/traefik-ingress, ClusterRoleBinding/traefik-ingress, IngressClass/nginx, Deployment/traefik, Service/traefik, PodDisruptionBudget/traefik',
  ]);
  expect(cluster.get('Service', 'traefik')).toMatchObject({
    metadata: { annotations: { 'networking.gke.io/load-balancer-ip-addresses': 'kubently-ingress-ip' } },
    spec: { loadBalancerIP: IP },
  });
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test('present: done, proven at the address itself, nothing changed', async () => {
  cluster.objects = ingressObjects(given, IP).map(controllers);
  const redirect = { status: 301, headers: { location: `https://${IP}/` }, body: '' };
  const { outside, ctx } = make(given, { [`GET http://${IP}/`]: redirect });
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
  expect(await step.verify(ctx)).toBe(`the controller answers at ${IP} (HTTP 301 to https)`);
  expect(outside.changes).toEqual([]);
});

test('an edited controller differs, field by field, and is put right', async () => {
  cluster.objects = ingressObjects(given, IP).map(controllers);
  const object = cluster.get('Deployment', 'traefik');
  Object.assign(object?.['spec'] as object, { replicas: 3 });
  const { ctx } = make();
  expect(await step.check(ctx)).toMatchObject({
    state: 'differs',
    reason: 'Deployment/traefik spec.replicas: 3 → 1',
  });
  await step.apply(ctx);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test('a host that is answered without a redirect to https is not as meant', async () => {
  cluster.objects = ingressObjects(given, IP).map(controllers);
  const { ctx } = make(given, { [`GET http://${IP}/`]: { status: 404, headers: {}, body: '' } });
  await expect(step.verify(ctx)).rejects.toMatchObject({ parts: { found: 'HTTP 404 without a redirect to https' } });
});

test('a changed setting changes the ConfigMap, and by its hash rolls the pod', async () => {
  cluster.objects = ingressObjects(given, IP).map(controllers);
  const { ctx } = make({ ...given, hstsIncludeSubdomains: true });
  const found = await step.check(ctx);
  expect(found).toMatchObject({ state: 'differs' });
  expect(JSON.stringify(found)).toContain('kubently-runbook/dynamic');
  await step.apply(ctx);
  expect(JSON.stringify(cluster.get('ConfigMap', 'traefik-dynamic'))).toContain('stsIncludeSubdomains: true');
});

test("where the Prometheus operator's kinds are known, rules and monitors are part of the step", async () => {
  cluster.objects = ['prometheusrules', 'podmonitors'].map((kind) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind}.monitoring.coreos.com` },
  }));
  const { outside, ctx } = make();
  await step.apply(ctx);
  expect(outside.changes[0]).toMatch(/PrometheusRule\/kubently, PodMonitor\/traefik, PodMonitor\/cert-manager$/);
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test('before 1.0 nothing can be known', async () => {
  google.address = undefined;
  expect(await step.check(make().ctx)).toMatchObject({ state: 'unknown', after: '1.0' });
});

/** The Service without the address, and what the cloud says about it. */
function refused(message: string, ip?: string, reason = 'SyncLoadBalancerFailed', type = 'Warning'): void {
  cluster.objects = ingressObjects(given, IP).map((o) => (o.kind === 'Service' && ip ? balancer(o, ip) : rolledOut(o)));
  cluster.objects.push({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'e', namespace: 'traefik' },
    type,
    reason,
    message,
    lastTimestamp: '2026-01-01T00:00:00Z',
    involvedObject: { kind: 'Service', name: 'traefik' },
  });
}

test.each([
  ["Quota 'IN_USE_ADDRESSES' exceeded", 'raise the quota'],
  ['requested ip is neither static nor assigned to the LB', './runbook 1.0 reserves it'],
  ['Specified IP address is in-use and would result in a conflict', 'gcloud compute forwarding-rules list'],
  [
    'requested IP "203.0.113.7" belongs to the Standard network tier; expected Premium',
    'tier PREMIUM by STATIC_IP_NAME',
  ],
  [
    'googleapi: Error 412: Constraint constraints/compute.restrictLoadBalancerCreationForTypes violated for projects/x',
    "the organization's policies",
  ],
  ["Required 'compute.forwardingRules.create' permission for 'x', forbidden", 'roles/container.serviceAgent'],
])('the cloud refuses twice (%s): the end, with what to do', async (message, next) => {
  refused(message);
  const { outside, ctx } = make();
  await expect(step.verify(ctx)).rejects.toMatchObject({
    name: 'Failure',
    message: `load balancer at ${IP}: Service traefik: ${message}`,
    parts: {
      detail: `event Service/traefik SyncLoadBalancerFailed: ${message}`,
      next: expect.stringContaining(next) as string,
    },
  });
  expect(outside.sleeps.reduce((a, b) => a + b, 0)).toBe(12_000);
});

test.each([
  [
    'SyncExternalLoadBalancerFailed',
    'Network tier mismatch for resource Static IP (x), desired: PREMIUM, received: STANDARD',
  ],
  [
    'SyncExternalLoadBalancerFailed',
    'IP configuration error: "203.0.113.7" address not found. Check if the IP is valid',
  ],
  [
    'SyncInstanceGroupsFailed',
    'Error syncing instance group, err: googleapi: Error 403: Required permission, forbidden',
  ],
])('the backend-service controller refuses by a reason of its own (%s), whatever the type', async (reason, message) => {
  for (const type of ['Warning', 'Normal']) {
    refused(message, undefined, reason, type);
    const { outside, ctx } = make();
    await expect(step.verify(ctx)).rejects.toMatchObject({ name: 'Failure' });
    expect(outside.sleeps.reduce((a, b) => a + b, 0)).toBe(12_000);
  }
});

test('a limit of a minute is no quota of the project: it is waited for', async () => {
  refused(
    "googleapi: Error 403: Quota exceeded for quota metric 'Queries' and limit 'Queries per minute', rateLimitExceeded",
  );
  await expect(step.verify(make().ctx)).rejects.toMatchObject({ name: 'TimedOut' });
});

test('a cloud that is busy is waited for, and its words are told', async () => {
  refused('Error 503: backend error');
  await expect(step.verify(make().ctx)).rejects.toMatchObject({
    name: 'TimedOut',
    parts: { found: 'the Service has no address yet; Service traefik: Error 503: backend error' },
  });
});

test('another address than the reserved one ends verify, once it stays', async () => {
  refused('busy', '198.51.100.9');
  const { outside, ctx } = make();
  await expect(step.verify(ctx)).rejects.toMatchObject({
    name: 'Failure',
    message: `load balancer at ${IP}: the Service has 198.51.100.9 and not the reserved ${IP}`,
  });
  expect(outside.sleeps.reduce((a, b) => a + b, 0)).toBe(45_000);
});

test('existing: without the class or without the address it is a conflict, else done and never applied', async () => {
  const existing = { ...given, ingressController: 'existing' as const };
  const { outside, ctx } = make(existing);
  expect(await step.check(ctx)).toMatchObject({ state: 'conflict', next: 'set INGRESS_CONTROLLER=traefik' });
  cluster.objects = [{ apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', metadata: { name: 'nginx' } }];
  expect(await step.check(ctx)).toMatchObject({ state: 'conflict' });
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'nginx', namespace: 'other' },
    spec: { type: 'LoadBalancer' },
  };
  cluster.objects.push(balancer(service, IP));
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
  await undo(step, ctx);
  expect(outside.changes).toEqual([]);
});

const helms = { 'meta.helm.sh/release-name': 'ingress-nginx', 'meta.helm.sh/release-namespace': 'ingress-nginx' };
const ingressClass = (name: string, controller = 'k8s.io/ingress-nginx'): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'IngressClass',
  metadata: { name, annotations: helms },
  spec: { controller },
});

test.each([
  ['nginx', 'set INGRESS_CONTROLLER=existing'],
  ['internal', 'have its owner give it another spec.controller'],
])('a class %s that a running ingress-nginx serves is a conflict, and nothing is applied', async (name, next) => {
  cluster.objects = [ingressClass(name)];
  const { outside, ctx } = make();
  expect(await step.check(ctx)).toEqual({
    state: 'conflict',
    reason: `IngressClass ${name} (k8s.io/ingress-nginx) is Helm's (release ingress-nginx of namespace ingress-nginx); a second controller would serve the same Ingresses`,
    next: expect.stringContaining(next) as string,
  });
  expect(outside.changes).toEqual([]);
});

test('a class of another controller is no matter', async () => {
  cluster.objects = [ingressClass('gce', 'k8s.io/gce')];
  expect(await step.check(make().ctx)).toMatchObject({ state: 'absent' });
});

test("another team's Traefik in namespace traefik is a conflict that names the writer and the difference", async () => {
  const theirs = ingressObjects(given, IP).filter((o) => o.kind === 'Deployment' || o.kind === 'Namespace');
  cluster.objects = theirs.map((o) => ({
    ...rolledOut(o),
    metadata: { ...o.metadata, labels: {}, managers: 'terraform' },
    ...(o.kind === 'Deployment' ? { spec: { replicas: 4 } } : {}),
  }));
  const { outside, ctx } = make();
  expect(await step.check(ctx)).toMatchObject({
    state: 'conflict',
    reason: expect.stringMatching(
      /^Deployment\/traefik is somebody else's \(written by terraform\), and differs: /,
    ) as string,
    next: expect.stringContaining('--namespace traefik label Deployment.apps traefik') as string,
  });
  expect(outside.changes).toEqual([]);
});

test('a namespace that was there before is used and not marked', async () => {
  cluster.objects = [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'traefik' } }];
  const { outside, ctx } = make();
  await step.apply(ctx);
  expect(outside.changes[0]).not.toContain('Namespace/');
  expect(cluster.get('Namespace', 'traefik')?.metadata.labels).toBeUndefined();
  expect(await step.check(ctx)).toMatchObject({ state: 'done' });
});

test('undo removes the Service, and with it the load balancer, first', async () => {
  cluster.objects = ingressObjects(given, IP).map(controllers);
  const { outside, ctx } = make();
  await undo(step, ctx);
  expect(outside.changes[0]).toMatch(/^kubectl delete Service\/traefik .*--timeout=300s/);
  expect(outside.changes.at(-1)).toMatch(/^kubectl delete Namespace\/traefik/);
});

test('INGRESS_REPLICAS: so many pods, on nodes of their own where there are several; a drain takes one at a time', () => {
  const [one, two] = [1, 2].map((ingressReplicas) => ingressObjects(settings({ ingressReplicas }), '203.0.113.1'));
  const of = (objects: KubeObject[] | undefined, kind: string) => objects?.find((o) => o.kind === kind)?.['spec'];
  expect(of(one, 'Deployment')).toMatchObject({ replicas: 1 });
  expect(of(two, 'Deployment')).toMatchObject({
    replicas: 2,
    template: { spec: { topologySpreadConstraints: [{ topologyKey: 'kubernetes.io/hostname' }] } },
  });
  expect(of(two, 'PodDisruptionBudget')).toMatchObject({
    maxUnavailable: 1,
    unhealthyPodEvictionPolicy: 'AlwaysAllow',
  });
});
