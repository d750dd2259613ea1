import { loadYaml, type V1Namespace, type V1NetworkPolicy, type V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { ruleset, selects } from '../../sandbox/network/policy-rules.ts';

const pod = (app: string, address: string, namespace = 'kubently', more = ''): V1Pod =>
  loadYaml(`
apiVersion: v1
kind: Pod
metadata: { name: ${app}, namespace: ${namespace}, labels: { app: ${app} } }
spec: { ${more}containers: [{ name: c, ports: [{ name: redis, containerPort: 6379 }] }] }
status: { podIP: ${address}, phase: Running }`);

const namespace = (name: string): V1Namespace =>
  loadYaml(`{ apiVersion: v1, kind: Namespace, metadata: { name: ${name}, labels: { team: ${name} } } }`);

/** A policy of namespace kubently for the pods with label app=APP. */
const policy = (app: string, spec: string): V1NetworkPolicy =>
  loadYaml(`
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: p, namespace: kubently }
spec: { podSelector: { matchLabels: { app: ${app} } }, ${spec} }`);

const pods = [pod('redis', '10.0.0.1'), pod('api', '10.0.0.2'), pod('x', '10.0.0.3', 'other')];
const namespaces = [namespace('kubently'), namespace('other')];
const rules = (...policies: V1NetworkPolicy[]) => ruleset({ pods, namespaces, policies });

/** The lines of one chain, without its header. */
const chain = (text: string, name: string) =>
  (text.split(`chain ${name} {\n`)[1]?.split('\n  }')[0] ?? '').split('\n').map((line) => line.trim());

describe('ruleset', () => {
  it('isolates nobody without policies', () => {
    expect(rules()).not.toContain('drop');
    expect(rules()).toContain('policy accept');
  });

  it('admits the chosen pods on the chosen port, and nothing else', () => {
    const from = 'from: [{ podSelector: { matchLabels: { app: api } } }]';
    const text = rules(policy('redis', `ingress: [{ ${from}, ports: [{ port: 6379 }] }]`));
    expect(chain(text, 'ingress_10_0_0_1')).toEqual([
      'ip saddr 10.0.0.1 return',
      'ip saddr { 10.0.0.2 } tcp dport 6379 return',
      'drop',
    ]);
    expect(text).toContain('ip daddr vmap { 10.0.0.1 : jump ingress_10_0_0_1 }');
    expect(text).not.toContain('egress_');
  });

  it('takes a peer without namespaceSelector from the own namespace only, with one from the chosen namespaces', () => {
    const own = rules(policy('redis', 'ingress: [{ from: [{ podSelector: {} }] }]'));
    expect(chain(own, 'ingress_10_0_0_1')).toContain('ip saddr { 10.0.0.1, 10.0.0.2 } return');
    const other = rules(
      policy('redis', 'ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: other } } }] }]'),
    );
    expect(chain(other, 'ingress_10_0_0_1')).toContain('ip saddr { 10.0.0.3 } return');
    const both = 'namespaceSelector: { matchLabels: { team: other } }, podSelector: { matchLabels: { app: api } }';
    const neither = rules(policy('redis', `ingress: [{ from: [{ ${both} }] }]`));
    expect(chain(neither, 'ingress_10_0_0_1')).toEqual(['ip saddr 10.0.0.1 return', 'drop']);
  });

  it('an empty rule admits all, no rule admits none, and two policies add up', () => {
    const none = policy('redis', 'policyTypes: [Ingress]');
    const all = policy('redis', 'ingress: [{}]');
    expect(chain(rules(none), 'ingress_10_0_0_1')).toEqual(['ip saddr 10.0.0.1 return', 'drop']);
    expect(chain(rules(none, all), 'ingress_10_0_0_1')).toEqual(['ip saddr 10.0.0.1 return', 'return', 'drop']);
  });

  it('reads a policy as it is watched (plain JSON) like one that is listed', () => {
    const spec = 'ingress: [{ from: [{ podSelector: { matchLabels: { app: api } } }] }]';
    const listed = policy('redis', spec);
    const watched = JSON.parse(JSON.stringify(listed).replaceAll('"_from"', '"from"')) as V1NetworkPolicy;
    expect(rules(watched)).toBe(rules(listed));
    expect(rules(watched)).toContain('ip saddr { 10.0.0.2 } return');
  });

  it('a selector that matches no pod admits none', () => {
    const text = rules(policy('redis', 'ingress: [{ from: [{ podSelector: { matchLabels: { app: gone } } }] }]'));
    expect(chain(text, 'ingress_10_0_0_1')).toEqual(['ip saddr 10.0.0.1 return', 'drop']);
  });

  it('knows ipBlock with exceptions, port ranges, protocols, and named ports of the pod they lead to', () => {
    const text = rules(
      policy(
        'api',
        `policyTypes: [Ingress, Egress],
  ingress: [{ from: [{ ipBlock: { cidr: 198.18.0.0/16, except: [198.18.0.1/32] } }, { ipBlock: { cidr: "fd00::/8" } }],
    ports: [{ port: 8000, endPort: 8090 }] }],
  egress: [{ to: [{ podSelector: { matchLabels: { app: redis } } }], ports: [{ port: redis }, { port: nosuch }] },
    { ports: [{ port: 53, protocol: UDP }] }]`,
      ),
    );
    expect(chain(text, 'ingress_10_0_0_2')).toEqual([
      'ip saddr 10.0.0.2 return',
      'ip saddr 198.18.0.0/16 ip saddr != { 198.18.0.1/32 } tcp dport 8000-8090 return',
      'drop',
    ]);
    expect(chain(text, 'egress_10_0_0_2')).toEqual([
      'ip daddr 10.0.0.2 return',
      'ip daddr 10.0.0.1 tcp dport 6379 return',
      'udp dport 53 return',
      'drop',
    ]);
  });

  it('leaves out pods of the host network and ended ones', () => {
    const ended = pod('redis', '10.0.0.8');
    if (ended.status) ended.status.phase = 'Succeeded';
    const world = { pods: [pod('redis', '10.0.0.9', 'kubently', 'hostNetwork: true, '), ended], namespaces };
    expect(ruleset({ ...world, policies: [policy('redis', 'policyTypes: [Ingress]')] })).not.toContain('drop');
  });
});

describe('selects', () => {
  const by = (expression: string, labels: Record<string, string>) =>
    selects(
      policy('redis', `ingress: [{ from: [{ podSelector: { matchExpressions: [${expression}] } }] }]`).spec
        ?.ingress?.[0]?._from?.[0]?.podSelector,
      labels,
    );

  it.each([
    ['{ key: app, operator: In, values: [api] }', true],
    ['{ key: app, operator: In, values: [x] }', false],
    ['{ key: app, operator: NotIn, values: [x] }', true],
    ['{ key: none, operator: NotIn, values: [x] }', true],
    ['{ key: app, operator: Exists }', true],
    ['{ key: app, operator: DoesNotExist }', false],
  ])('%s', (expression, expected) => {
    expect(by(expression, { app: 'api' })).toBe(expected);
  });
});
