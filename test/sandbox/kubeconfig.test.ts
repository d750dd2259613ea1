import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { joinKubeconfigs } from '../../sandbox/cluster/kubeconfig.ts';

const kinds = (name: string) => `
apiVersion: v1
kind: Config
current-context: kind-${name}
clusters: [{ name: kind-${name}, cluster: { server: "https://${name}", certificate-authority-data: YQ== } }]
users: [{ name: kind-${name}, user: { client-key-data: ${name} } }]
contexts: [{ name: kind-${name}, context: { cluster: kind-${name}, user: kind-${name} } }]
`;

it('joins the clusters under the wanted context names, with no current context', () => {
  const joined = parse(joinKubeconfigs({ gke_p: kinds('one'), 'kind-kubently': kinds('two') })) as Record<
    string,
    unknown
  >;
  expect(joined['current-context']).toBeUndefined();
  expect(joined['contexts']).toEqual([
    { name: 'gke_p', context: { cluster: 'gke_p', user: 'gke_p' } },
    { name: 'kind-kubently', context: { cluster: 'kind-kubently', user: 'kind-kubently' } },
  ]);
  expect(joined['clusters']).toMatchObject([
    { name: 'gke_p', cluster: { server: 'https://one' } },
    { name: 'kind-kubently' },
  ]);
  expect(joined['users']).toMatchObject([
    { name: 'gke_p', user: { 'client-key-data': 'one' } },
    { name: 'kind-kubently' },
  ]);
});

it('refuses what kind did not write', () => {
  expect(() => joinKubeconfigs({ x: 'clusters: []\nusers: []' })).toThrow();
});
