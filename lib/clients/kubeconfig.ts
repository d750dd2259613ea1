/** How a context of the kubeconfig is reached without kubectl: read by the official client, whose exec plugins give tokens. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
// Its KubeConfig loads the whole generated client, at 330 ms of CPU; these two parts take 5.
import { newClusters, newContexts, newUsers, type Cluster } from '@kubernetes/client-node/dist/config_types.js';
import { ExecAuth } from '@kubernetes/client-node/dist/exec_auth.js';
import { parse } from 'yaml';
import { childOf } from '../base/command.ts';
import { Secret } from '../base/secret.ts';

/** What a request to the API server needs. */
export interface Access {
  /** https://… without a closing slash. */
  server: string;
  servername: string | undefined;
  /** The kubeconfig's CA, and the user's certificate where there is one. */
  tls: SecureContext;
  /** The bearer token of this moment; undefined where the certificate says who it is. */
  token: () => Promise<Secret | undefined>;
}

type Environment = Readonly<Record<string, string>>;
type User = ReturnType<typeof newUsers>[number];

export interface Kubeconfig {
  /** What its paths are relative to. */
  folder: string;
  read: Record<'contexts' | 'clusters' | 'users', unknown>;
}

/** The kubeconfig of the environment; undefined where it is left to kubectl: several of them, or proxies. @throws where it cannot be read */
export function kubeconfigOf(environment: Environment): Kubeconfig | undefined {
  const file = environment['KUBECONFIG'] ?? join(environment['HOME'] ?? '', '.kube', 'config');
  if (file.includes(':') || Object.keys(environment).some((name) => /^(https?|all)_proxy$/i.test(name)))
    return undefined;
  return { folder: dirname(file), read: parse(readFileSync(file, 'utf8')) as Kubeconfig['read'] };
}

/**
 * The context's access; undefined where it is left to kubectl: impersonation, TLS that is not verified by the
 * kubeconfig's own CA, and ways to sign in other than by certificate, token or exec plugin.
 * @throws where certificates cannot be read
 */
export function accessOf({ folder, read }: Kubeconfig, context: string, environment: Environment): Access | undefined {
  const named = newContexts(read.contexts).find((c) => c.name === context);
  const cluster = newClusters(read.clusters).find((c) => c.name === named?.cluster);
  const user = newUsers(read.users).find((u) => u.name === named?.user);
  if (!cluster?.server.startsWith('https:') || cluster.skipTLSVerify || cluster.proxyUrl) return undefined;
  if (!user || user.authProvider || user.username || user.impersonateUser) return undefined;
  const pem = (data: string | undefined, path: string | undefined): Buffer | undefined =>
    data ? Buffer.from(data, 'base64') : path ? readFileSync(resolve(folder, path)) : undefined;
  const [ca, cert] = [pem(cluster.caData, cluster.caFile), pem(user.certData, user.certFile)];
  if (!ca || !(cert ?? user.token ?? (user.exec as unknown))) return undefined;
  const fixed = user.token ? new Secret(user.token) : undefined;
  return {
    server: cluster.server,
    servername: cluster.tlsServerName,
    tls: createSecureContext({ ca, cert, key: pem(user.keyData, user.keyFile) }),
    token: user.exec ? pluginToken(user, cluster, ca, environment) : () => Promise.resolve(fixed),
  };
}

/** How the context goes without verified TLS, in words; undefined where it does not, or no kubeconfig has it: kubectl tells that. */
export function untrusted(environment: Environment, context: string): string | undefined {
  const files = (environment['KUBECONFIG'] ?? join(environment['HOME'] ?? '', '.kube', 'config')).split(':');
  const read = files
    .filter((file) => existsSync(file))
    .map((file) => parse(readFileSync(file, 'utf8')) as Kubeconfig['read'] | null);
  // Of several files the first that has a name counts.
  const named = read.flatMap((r) => newContexts(r?.contexts ?? [])).find((c) => c.name === context);
  const cluster = read.flatMap((r) => newClusters(r?.clusters ?? [])).find((c) => c.name === named?.cluster);
  if (cluster?.skipTLSVerify)
    return 'its kubeconfig says insecure-skip-tls-verify: whoever stands between could read every Secret';
  if (cluster && !/^https:/i.test(cluster.server)) return `it is reached without TLS (${cluster.server})`;
  return undefined;
}

/** Asks the user's exec plugin, as GKE's; what it answers is kept until it expires. */
function pluginToken(user: User, { server }: Cluster, ca: Buffer, environment: Environment): Access['token'] {
  const { apiVersion, env, provideClusterInfo } = user.exec as {
    apiVersion: string;
    env?: { name: string; value: string }[] | null;
    provideClusterInfo?: boolean;
  };
  const info = provideClusterInfo ? { cluster: { server, 'certificate-authority-data': ca.toString('base64') } } : {};
  const asked = { apiVersion, kind: 'ExecCredential', spec: { interactive: false, ...info } };
  const own = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
  const childEnvironment = { ...environment, ...own, KUBERNETES_EXEC_INFO: JSON.stringify(asked) };
  const auth = new ExecAuth();
  // The client's own spawn would hand on the whole environment (docs/architecture.md rule 9).
  Object.assign(auth, {
    execFn: (command: string, args: readonly string[] | null) => childOf(command, args ?? [], childEnvironment),
  });
  const ask = async (): Promise<Secret> => {
    const headers: Record<string, string> = {};
    await auth.applyAuthentication(user, { headers });
    const token = headers['Authorization']?.replace(/^Bearer /, '');
    if (token === undefined) throw new Error('the exec plugin gave no token');
    return new Secret(token);
  };
  let asking: Promise<Secret> | undefined;
  // Reads of one moment start one plugin.
  return () => (asking ??= ask().finally(() => (asking = undefined)));
}
