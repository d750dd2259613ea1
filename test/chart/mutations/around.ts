/** What is made around the chart follows the render. */
import { expect } from 'vitest';
import { API, both, file, insert, swap, type Mutation } from './mutation.ts';

const budget = (name: string, component: string) =>
  file(
    `apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: { name: ${name} }\nspec: { maxUnavailable: 1, selector: { matchLabels: { app.kubernetes.io/instance: "{{ .Release.Name }}", app.kubernetes.io/component: ${component} } } }\n`,
  );
const metricsFirst = insert(
  '            - { name: http, containerPort',
  '            - { name: metrics, containerPort: 9090 }\n',
);
const apiPort =
  (port: number): NonNullable<Mutation['adapted']> =>
  ({ extras }) => {
    expect(extras.find((e) => e.kind === 'network-policy')?.apiPort).toBe(port);
  };

export const AROUND: readonly Mutation[] = [
  {
    name: "the chart's own PodDisruptionBudget kubently-api",
    changes: { 'templates/pdb.yaml': budget('kubently-api', 'api') },
    adapted: ({ extras }) => {
      expect(extras.map((e) => e.kind)).not.toContain('pod-disruption-budget');
    },
  },
  {
    name: "the chart's own PodDisruptionBudget of the API by another name",
    changes: { 'templates/pdb.yaml': budget('api-stays', 'api') },
  },
  {
    name: 'the name kubently-api for the budget of Redis',
    changes: { 'templates/pdb.yaml': budget('kubently-api', 'redis') },
    adapted: ({ extras }) => {
      expect(extras.find((e) => e.kind === 'pod-disruption-budget')?.name).toBe('kubently-api-runbook');
    },
  },
  { name: 'a metrics port before http', changes: { [API]: metricsFirst }, adapted: apiPort(8080) },
  {
    name: 'a metrics port before http, which is called web',
    changes: {
      [API]: both(
        metricsFirst,
        swap('name: http, containerPort', 'name: web, containerPort'),
        swap('port: http }', 'port: web }'),
      ),
      'templates/api-service.yaml': swap('targetPort: http', 'targetPort: web'),
    },
    adapted: apiPort(8080),
  },
  {
    name: 'a metrics port before http, which the Service names by number',
    changes: {
      [API]: both(
        metricsFirst,
        swap('name: http, containerPort', 'name: web, containerPort'),
        swap('port: http }', 'port: web }'),
      ),
      'templates/api-service.yaml': swap('targetPort: http', 'targetPort: 8080'),
    },
    adapted: apiPort(8080),
  },
];
