/** What a deployment left in the rehearsal world, counted: everything once, nothing twice. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { parse } from 'dotenv';

const ROOT = join(import.meta.dirname, '..', '..');

export interface Inventory {
  counts: Record<string, number>;
  /** What is not exactly as it should be. */
  problems: string[];
}

/** Counts addresses, records, accounts, keys, bindings, releases and certificates of the deployment of a settings file. */
export async function inventory(envFile: string): Promise<Inventory> {
  const env = parse(readFileSync(envFile));
  const get = (name: string): string => env[name] ?? '';
  const google = 'http://127.0.0.1:8085';
  const token = readFileSync(get('CLOUDSDK_AUTH_ACCESS_TOKEN_FILE'), 'utf8').trim();
  const ask = async <T>(path: string, method = 'GET'): Promise<T> => {
    const answer = await fetch(`${google}${path}`, { method, headers: { authorization: `Bearer ${token}` } });
    return (await answer.json()) as T;
  };
  const project = get('GCP_PROJECT');
  const email = `${env['DNS01_ACCOUNT'] ?? 'cert-manager-dns01'}@${project}.iam.gserviceaccount.com`;
  const kube = (context: string, ...args: string[]): { items: { metadata: { name: string } }[] } =>
    JSON.parse(
      execFileSync(join(ROOT, '.tools/bin/kubectl'), ['--context', context, ...args, '-o', 'json'], {
        env: { ...process.env, KUBECONFIG: get('KUBECONFIG') },
        encoding: 'utf8',
      }),
    ) as { items: { metadata: { name: string } }[] };
  const [addresses, records, keys, policy] = await Promise.all([
    ask<{ items?: unknown[] }>(`/compute/v1/projects/${project}/regions/${get('GCP_REGION')}/addresses`),
    ask<{ rrsets?: { name: string; type: string }[] }>(
      `/dns/v1/projects/${project}/managedZones/${get('DNS_ZONE')}/rrsets`,
    ),
    ask<{ keys?: unknown[] }>(`/v1/projects/${project}/serviceAccounts/${email}/keys?keyTypes=USER_MANAGED`),
    ask<{ bindings?: { role: string; members: string[] }[] }>(`/v1/projects/${project}:getIamPolicy`, 'POST'),
  ]);
  const namespace = get('NAMESPACE') || 'kubently';
  const releases = (context: string, inside: string): unknown[] =>
    JSON.parse(
      execFileSync(join(ROOT, '.tools/bin/helm'), ['--kube-context', context, '-n', inside, 'list', '-o', 'json'], {
        env: { ...process.env, KUBECONFIG: get('KUBECONFIG') },
        encoding: 'utf8',
      }),
    ) as unknown[];
  const gke = get('GKE_CONTEXT');
  const counts = {
    addresses: addresses.items?.length ?? 0,
    'A records': (records.rrsets ?? []).filter((r) => r.type === 'A' && r.name === `${get('API_HOST')}.`).length,
    '_acme-challenge records': (records.rrsets ?? []).filter((r) => r.name.startsWith('_acme-challenge.')).length,
    'live keys': keys.keys?.length ?? 0,
    'dns.admin members': (policy.bindings ?? [])
      .filter((b) => b.role === 'roles/dns.admin')
      .flatMap((b) => b.members)
      .filter((m) => m === `serviceAccount:${email}`).length,
    Certificates: kube(gke, '-n', namespace, 'get', 'certificates.cert-manager.io').items.length,
    'GKE releases': releases(gke, namespace).length,
    'remote releases': releases('kind-kubently', 'kubently-remote').length,
  };
  const meant: Record<keyof typeof counts, number> = {
    addresses: 1,
    'A records': 1,
    '_acme-challenge records': 0,
    'live keys': 1,
    'dns.admin members': 1,
    Certificates: 1,
    'GKE releases': 1,
    'remote releases': 1,
  };
  const problems = Object.entries(counts).flatMap(([what, n]) =>
    n === meant[what as keyof typeof counts] ? [] : [`${n} ${what}, wanted ${meant[what as keyof typeof counts]}`],
  );
  return { counts, problems };
}
