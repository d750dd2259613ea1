/** make gitops as a program: what an engine applies is what Helm would, patched, without a Secret; no cluster is asked. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { readRendered } from '../../lib/base/rendered.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';
import { fixture } from './releases.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const TOOLS = join(ROOT, '.tools', 'bin');
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gitops-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A checkout of shape H with more templates. */
function checkout(name: string, templates: Record<string, string> = {}): string {
  const repo = withoutHistory(name, templates);
  const own = ['-c', 'user.name=unit', '-c', 'user.email=unit@kubently.io', '-c', 'commit.gpgsign=false'];
  for (const args of [
    ['init', '-q'],
    ['add', '-A'],
    ['commit', '-qm', 'chart'],
  ])
    expect(spawnSync('git', ['-C', repo, ...own, ...args], { env: { ...process.env, HOME: folder } }).status).toBe(0);
  return repo;
}

function withoutHistory(name: string, templates: Record<string, string> = {}): string {
  const repo = join(folder, name);
  const chart = join(repo, 'deployment', 'helm', 'kubently');
  cpSync(fixture('H'), chart, { recursive: true });
  for (const [file, text] of Object.entries(templates)) writeFileSync(join(chart, 'templates', file), text);
  return repo;
}

function run(script: string, repo: string, args: readonly string[], settings: Record<string, string> = {}) {
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    ENV_FILE: join(ROOT, '.env.example'),
    KUBENTLY_REPO: repo,
    REMOTE_CLUSTERS: 'kind-remote=kind-kubently,edge=kind-edge/tools',
    ...settings,
  };
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts', 'ops', script), ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const filesOf = (out: string): string[] =>
  readdirSync(out, { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile())
    .map((f) => join(f.parentPath, f.name).slice(out.length + 1))
    .sort();
const objectsIn = (path: string): KubeObject[] => readRendered(readFileSync(path, 'utf8')).objects;
const nameOf = (o: KubeObject): string => `${o.kind}/${o.metadata.name}`;
const manifests = (out: string, id: string): string => join(out, 'clusters', id, 'manifests.yaml');

const TEST_POD = `apiVersion: v1
kind: Pod
metadata: { name: "{{ .Release.Name }}-asks", annotations: { helm.sh/hook: test } }
spec: { containers: [{ name: asks, image: "docker.io/library/busybox:1.37" }] }
---
apiVersion: v1
kind: Secret
metadata: { name: "{{ .Release.Name }}-filled-later" }
`;

test('Flux: the objects of the release, patched, in a folder of each cluster; no Secret, no test of Helm’s', () => {
  const repo = checkout('flux', { 'asks.yaml': TEST_POD });
  const out = join(folder, 'of-flux');
  const { status, stdout, stderr } = run('gitops.ts', repo, ['--out', out, '--engine', 'flux']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain('left out: Pod/kubently-asks of kubently: a test that only Helm starts');
  expect(stdout).toContain('left out: Secret/kubently-filled-later of kubently: an empty Secret');
  const folders = ['edge', 'gke', 'kind-remote'];
  expect(filesOf(out)).toEqual([
    'README.md',
    ...folders.flatMap((id) => [`clusters/${id}/kustomization.yaml`, `clusters/${id}/manifests.yaml`]),
    ...folders.map((id) => `flux/${id}.yaml`),
  ]);

  const plain = join(folder, 'rendered');
  expect(run('render.ts', repo, ['--out', plain]).status).toBe(0);
  for (const [id, name] of [
    ['gke', 'gke'],
    ['edge', 'remote-edge'],
  ] as const) {
    const wanted = objectsIn(join(plain, `${name}.manifests.yaml`)).map(nameOf);
    // What scales nothing is patched away.
    const gone = id === 'gke' ? /^(Pod|Secret)\// : /^(Pod|Secret|HorizontalPodAutoscaler)\//;
    const found = objectsIn(manifests(out, id)).map(nameOf);
    expect(found.filter((n) => !n.startsWith('PodDisruptionBudget/')).sort()).toEqual(
      wanted.filter((n) => !gone.test(n)).sort(),
    );
    expect(found.join()).not.toContain('Secret/');
  }

  const gke = objectsIn(manifests(out, 'gke'));
  expect(gke.map(nameOf)).toContain('PodDisruptionBudget/kubently-api');
  const api = gke.find((o) => nameOf(o) === 'Deployment/kubently-api');
  expect(gke.map(nameOf)).toContain('HorizontalPodAutoscaler/kubently-api');
  // The autoscaler's count would be set back at each reconciliation.
  expect(api?.['spec']).not.toHaveProperty('replicas');
  // Only a patch of the runbook's says so.
  expect(api).toHaveProperty('spec.template.spec.containers.0.lifecycle.preStop');
  expect(JSON.stringify(gke)).not.toContain('kubently-runbook/secrets');

  const flux = parseAllDocuments(readFileSync(join(out, 'flux', 'edge.yaml'), 'utf8')).map((d) => d.toJS() as unknown);
  expect(flux).toMatchObject([
    {
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind: 'OCIRepository',
      metadata: { name: 'kubently-remote', namespace: 'flux-system' },
      spec: { url: 'oci://ghcr.io/kubently/kubently/gitops', ref: { tag: 'test-api.kubently.io' } },
    },
    {
      apiVersion: 'kustomize.toolkit.fluxcd.io/v1',
      kind: 'Kustomization',
      spec: {
        path: './clusters/edge',
        prune: true,
        deletionPolicy: 'Orphan',
        sourceRef: { kind: 'OCIRepository', name: 'kubently-remote' },
      },
    },
  ]);
  // As the engine builds it: each object in the release's namespace.
  const built = spawnSync(join(TOOLS, 'kubectl'), ['kustomize', join(out, 'clusters', 'edge')], { encoding: 'utf8' });
  expect(built.stderr).toBe('');
  const { objects } = readRendered(built.stdout);
  expect(objects.find((o) => o.kind === 'Deployment')?.metadata.namespace).toBe('tools');
  expect(objects.length).toBe(objectsIn(manifests(out, 'edge')).length);
  const readme = readFileSync(join(out, 'README.md'), 'utf8');
  expect(readme).toContain('- gke: kubently/kubently-api-keys (keys)');
  expect(readme).toContain('- edge: tools/');
});

test('Argo CD: an ApplicationSet over the same folders; written again, nothing differs', () => {
  const repo = checkout('argocd');
  const out = join(folder, 'of-argocd');
  const argv = ['--out', out, '--engine', 'argocd'];
  expect(run('gitops.ts', repo, argv)).toMatchObject({ status: 0, stderr: '' });
  const [set] = objectsIn(join(out, 'argocd', 'applicationset.yaml'));
  const { generators, template } = set?.['spec'] as {
    generators: { list: { elements: { cluster: string; namespace: string }[] } }[];
    template: { spec: { source: { path: string; repoURL: string }; destination: object } };
  };
  const elements = generators[0]?.list.elements ?? [];
  expect(elements.map((e) => [e.cluster, e.namespace])).toEqual([
    ['gke', 'kubently'],
    ['kind-remote', 'kubently-remote'],
    ['edge', 'tools'],
  ]);
  for (const { cluster } of elements)
    expect(
      existsSync(join(out, template.spec.source.path.replace('{{.cluster}}', cluster), 'kustomization.yaml')),
    ).toBe(true);
  expect(template.spec.source.repoURL).toBe('oci://ghcr.io/kubently/kubently/gitops');
  expect(set).toHaveProperty('spec.syncPolicy.preserveResourcesOnDeletion', true);
  const before = filesOf(out).map((f) => readFileSync(join(out, f), 'utf8'));
  expect(run('gitops.ts', repo, argv).status).toBe(0);
  expect(filesOf(out).map((f) => readFileSync(join(out, f), 'utf8'))).toEqual(before);
});

test('a folder without git history names no images', () => {
  const out = join(folder, 'of-nothing');
  const { status, stderr } = run('gitops.ts', withoutHistory('plain'), ['--out', out, '--engine', 'flux']);
  expect(status).toBe(2);
  expect(stderr).toContain('has no git history, so the tag of its images is not known');
  expect(existsSync(out)).toBe(false);
});

/** Of no form that tells it from other text. */
const KEY = 'wordsthatopeneverydoor';
test.each<[string, string, string]>([
  [
    'a Secret that the chart makes itself',
    'apiVersion: v1\nkind: Secret\nmetadata: { name: "{{ .Release.Name }}-own" }\nstringData: { a: b }\n',
    'secret-in-text (Secret/kubently-own a)',
  ],
  [
    'the value of a secret',
    `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "{{ .Release.Name }}-own" }\ndata: { a: "${KEY}" }\n`,
    'gke: ConfigMap/kubently-own holds the value of a secret',
  ],
  [
    'a hook that installs',
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: "{{ .Release.Name }}-own", annotations: { helm.sh/hook: "pre-install,pre-upgrade" } }\n',
    'gke: ConfigMap/kubently-own is a hook (pre-install, pre-upgrade), which only Helm runs at its time',
  ],
])('refused, and nothing written: %s', (name, template, words) => {
  const out = join(folder, 'of none');
  const repo = checkout(name.replaceAll(' ', '-'), { 'own.yaml': template });
  const { status, stdout, stderr } = run('gitops.ts', repo, ['--out', out, '--engine', 'flux'], {
    GITHUB_TOKEN: KEY,
    REMOTE_CLUSTERS: 'kind-remote=kind-kubently',
  });
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toContain(words);
  expect(stderr).not.toContain(KEY);
  expect(existsSync(out)).toBe(false);
});
