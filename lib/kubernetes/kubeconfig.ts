/** How a context of the kubeconfig is reached, where that is plain: one file, a certificate, a token or GKE's own plugin. */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { Run } from '../command.ts';
import { Secret } from '../secret.ts';

/** What a request to the API server needs. */
export interface Access {
  server: string;
  ca: Buffer | undefined;
  cert: Buffer | undefined;
  key: Buffer | undefined;
  token: Secret | undefined;
}

interface Exec {
  apiVersion: string;
  command: string;
  args?: string[] | null;
  env?: { name: string; value: string }[] | null;
}

type Named<K extends string> = { name: string } & Partial<Record<K, Record<string, unknown>>>;

interface Kubeconfig {
  contexts?: Named<'context'>[] | null;
  clusters?: Named<'cluster'>[] | null;
  users?: Named<'user'>[] | null;
}

/** Keys of a cluster and of a user that are understood; with any other, kubectl is asked. */
const CLUSTER_KEYS = new Set(['server', 'certificate-authority', 'certificate-authority-data']);
const USER_KEYS = new Set([
  'client-certificate',
  'client-certificate-data',
  'client-key',
  'client-key-data',
  'token',
  'exec',
]);
const GKE_PLUGIN = 'gke-gcloud-auth-plugin';

/** The context's access, or undefined where only kubectl knows how. @param run for GKE's credential plugin */
export async function accessOf(
  context: string,
  run: Run,
  environment: Readonly<Record<string, string>>,
): Promise<Access | undefined> {
  const file = environment['KUBECONFIG'] ?? join(environment['HOME'] ?? '', '.kube', 'config');
  const proxied = Object.keys(environment).some((name) => /^https?_proxy$/i.test(name));
  if (file.includes(':') || proxied) return undefined;
  const config = parse(await readFile(file, 'utf8')) as Kubeconfig;
  const named = config.contexts?.find((c) => c.name === context)?.context;
  const cluster = config.clusters?.find((c) => c.name === named?.['cluster'])?.cluster;
  const user = config.users?.find((u) => u.name === named?.['user'])?.user;
  if (!cluster || !user || typeof cluster['server'] !== 'string') return undefined;
  if (!Object.keys(cluster).every((k) => CLUSTER_KEYS.has(k))) return undefined;
  if (!Object.keys(user).every((k) => USER_KEYS.has(k))) return undefined;
  const bytes = async (of: Record<string, unknown>, key: string): Promise<Buffer | undefined> => {
    const [data, path] = [of[`${key}-data`], of[key]];
    if (typeof data === 'string') return Buffer.from(data, 'base64');
    return typeof path === 'string' ? readFile(resolve(dirname(file), path)) : undefined;
  };
  const exec = user['exec'] as Exec | undefined;
  if (exec && exec.command !== GKE_PLUGIN) return undefined;
  const token = exec ? await pluginToken(exec, run) : user['token'];
  return {
    server: cluster['server'].replace(/\/$/, ''),
    ca: await bytes(cluster, 'certificate-authority'),
    cert: await bytes(user, 'client-certificate'),
    key: await bytes(user, 'client-key'),
    token: typeof token === 'string' ? new Secret(token) : undefined,
  };
}

/** What kubectl itself does with a user's `exec` (client.authentication.k8s.io). */
async function pluginToken({ apiVersion, args, env }: Exec, run: Run): Promise<string | undefined> {
  const asked = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  const { stdout } = await run({
    binary: GKE_PLUGIN,
    args: args ?? [],
    env: {
      ...Object.fromEntries((env ?? []).map((e) => [e.name, e.value])),
      KUBERNETES_EXEC_INFO: JSON.stringify(asked),
    },
    mutates: false,
    sensitive: 'both',
  });
  return (JSON.parse(stdout) as { status?: { token?: string } }).status?.token;
}
