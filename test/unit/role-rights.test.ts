/** lint-chart: rights by which an executor would do more than read. */
import { expect, test } from 'vitest';
import { rolesThatDoMore } from '../../lib/chart/rules/exposure.ts';
import { valuesFile } from '../../lib/deployment/cluster/infrastructure.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';

const role = (rules: unknown): KubeObject => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name: 'executor' },
  rules,
});

test.each([
  ['resource nodes/proxy', { apiGroups: [''], resources: ['nodes', 'nodes/proxy'], verbs: ['get'] }],
  ['resource pods/exec', { apiGroups: [''], resources: ['pods/exec'], verbs: ['create'] }],
  ['resource serviceaccounts/token', { apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] }],
  ['resource */exec', { apiGroups: ['*'], resources: ['*/exec'], verbs: ['get'] }],
  ['resource *', { apiGroups: ['apps'], resources: ['*'], verbs: ['list'] }],
  ['verb *', { apiGroups: [''], resources: ['pods'], verbs: ['*'] }],
  ['verb escalate', { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['escalate'] }],
  ['verb bind', { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['bind'] }],
  ['verb impersonate', { apiGroups: [''], resources: ['users'], verbs: ['impersonate'] }],
])('a role that gives more than reading is told: %s', (right, rule) => {
  expect(rolesThatDoMore([role([rule])])).toMatchObject([
    { id: 'role-does-more', object: 'ClusterRole/executor', message: expect.stringContaining(right) as string },
  ]);
});

test('the role that the runbook gives reads, and nothing more; a role without rules is one, too', () => {
  const [{ executor }] = valuesFile('executor-role.yaml', {}) as [{ executor: { rbacRules: unknown } }];
  expect(rolesThatDoMore([role(executor.rbacRules), role(null)])).toEqual([]);
});
