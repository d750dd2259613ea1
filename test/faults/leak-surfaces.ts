/** Everything where a secret of a deployment could show, as text. */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { GKE, helm, kubectl, REMOTE } from './world.ts';

const CONTEXTS = [GKE, REMOTE];

/** Contents of all files below the folders, one after the other. */
export function filesBelow(folders: readonly string[]): string {
  return folders
    .filter((f) => existsSync(f))
    .flatMap((folder) =>
      statSync(folder).isFile() ? [folder] : globSync(join(folder, '**', '*')).filter((f) => statSync(f).isFile()),
    )
    .map((file) => `${file}\n${readFileSync(file, 'latin1')}`)
    .join('\n');
}

/** What the runbook may have left in the folder for temporary files. */
export function temporaryFiles(): string {
  return filesBelow(globSync(join(tmpdir(), 'kubently-runbook-*')));
}

/** Contents of all files that git knows in a checkout. */
export function gitTree(folder: string): string {
  const names = execFileSync('git', ['-C', folder, 'ls-files', '-z'], { encoding: 'utf8', maxBuffer: 64 << 20 });
  return names
    .split('\0')
    .filter((name) => name !== '' && existsSync(join(folder, name)))
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('\n');
}

interface Release {
  name: string;
  namespace: string;
}

/** Values and manifest of every release, as helm tells them. */
export async function helmValues(): Promise<string> {
  const texts = CONTEXTS.map(async (context) => {
    const releases = JSON.parse(await helm(context, 'list', '--all-namespaces', '--output', 'json')) as Release[];
    const told = releases.map(({ name, namespace }) =>
      Promise.all([
        helm(context, 'get', 'values', name, '--all', '--namespace', namespace, '--output', 'json'),
        helm(context, 'get', 'manifest', name, '--namespace', namespace),
      ]),
    );
    return (await Promise.all(told)).flat().join('\n');
  });
  return (await Promise.all(texts)).join('\n');
}

interface Item {
  kind: string;
  type?: string;
  data?: Record<string, string>;
  stringData?: unknown;
}

async function secretsOf(context: string): Promise<Item[]> {
  return (JSON.parse(await kubectl(context, 'get', 'secrets', '-A', '-o', 'json')) as { items: Item[] }).items;
}

/** What helm keeps of every revision: chart, values, manifest. */
export async function helmRecords(): Promise<string> {
  const all = (await Promise.all(CONTEXTS.map(secretsOf))).flat();
  return all
    .filter((s) => s.type === 'helm.sh/release.v1')
    .map((s) => Buffer.from(Buffer.from(s.data?.['release'] ?? '', 'base64').toString(), 'base64'))
    .map((packed) => gunzipSync(packed).toString())
    .join('\n');
}

/** Every object of both clusters, annotations and all; of Secrets all but their values. */
export async function clusterObjects(): Promise<string> {
  const texts = CONTEXTS.map(async (context) => {
    const kinds = (await kubectl(context, 'api-resources', '--verbs=list,get', '-o', 'name'))
      .split('\n')
      .filter((k) => k !== '' && k !== 'secrets' && !k.startsWith('componentstatuses'));
    const others = await kubectl(context, 'get', kinds.join(','), '-A', '-o', 'json', '--ignore-not-found');
    const secrets = (await secretsOf(context)).map(({ data, stringData, ...rest }) => ({
      ...rest,
      keys: Object.keys(data ?? {}),
      had: typeof stringData,
    }));
    return `${others}\n${JSON.stringify(secrets)}`;
  });
  return (await Promise.all(texts)).join('\n');
}
