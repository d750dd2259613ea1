/** How old each secret of the deployment is: at least, where only its Secret or its file tells. */
import { existsSync, statSync } from 'node:fs';
import { API_KEYS_SECRET, executorTokenSecret, LLM_SECRET, REDIS_SECRET } from '../../chart/secret-names.ts';
import type { Target } from '../../base/target.ts';
import { CERT_MANAGER_NAMESPACE, dns01Email, DNS01_SECRET } from '../../deployment/cluster/infrastructure.ts';
import { keysInCluster } from '../../deployment/dns/dns01-key.ts';
import type { Subject } from '../rotation/rotation.ts';
import type { Seen } from './line.ts';
import { lastDone } from './recorded.ts';

export interface SecretAge {
  /** As the operator knows it: `API_KEY`, `DNS-01 key`. */
  name: string;
  /** What `make rotate` calls it; undefined: somebody else's, replaced in the settings. */
  subject: Subject | undefined;
  /** Milliseconds since the epoch at which it was there already; undefined where nobody knows of it. */
  since: number | undefined;
  /** When `make rotate` last replaced it, as this machine's journal says. */
  rotatedAt: number | undefined;
}

/** Every secret that the clusters hold. A Secret that was applied anew hides an older value: the oldest that is known counts. */
export async function secretAges(seen: Seen): Promise<SecretAge[]> {
  const { settings } = seen.ctx;
  const { gke, release, gkeClusterId, remotes, tokensFile } = settings;
  const file = existsSync(tokensFile) ? statSync(tokensFile).mtimeMs : undefined;
  const generated = async (name: string, subject: Subject, target: Target, secret: string): Promise<SecretAge> => {
    const rotatedAt = lastDone(seen, 'rotate', subject)?.at;
    const applied = await seen.ctx.kube(target).changedAt('Secret', secret);
    const since = applied === undefined ? undefined : oldest(applied, file, rotatedAt);
    return { name, subject, since, rotatedAt };
  };
  const executor = (id: string, target: Target, of: string): Promise<SecretAge> =>
    generated(`executor token of ${id}`, `executor:${id}`, target, executorTokenSecret(of));
  const dnsKey = async (): Promise<SecretAge> => {
    const key = (await keysInCluster(seen.ctx)).current;
    const made = key && (await seen.ctx.google.keys(dns01Email(settings))).find((k) => k.id === key.id)?.madeAt;
    const applied = await seen.ctx.inGke(CERT_MANAGER_NAMESPACE).changedAt('Secret', DNS01_SECRET.name);
    const rotatedAt = lastDone(seen, 'rotate', 'dns-key')?.at;
    return { name: 'DNS-01 key', subject: 'dns-key', since: made ?? oldest(applied, rotatedAt), rotatedAt };
  };
  const llmKeys = async (): Promise<SecretAge> => {
    const since = await seen.ctx.kube(gke).changedAt('Secret', LLM_SECRET);
    return { name: Object.keys(settings.llm.keys).join(', '), subject: undefined, since, rotatedAt: undefined };
  };
  return Promise.all([
    generated('API_KEY', 'api-key', gke, API_KEYS_SECRET),
    generated('REDIS_PASSWORD', 'redis', gke, REDIS_SECRET),
    executor(gkeClusterId, gke, release),
    ...remotes.map((r) => executor(r.id, r, r.release)),
    ...(settings.dns01Auth === 'key' ? [dnsKey()] : []),
    ...(Object.keys(settings.llm.keys).length > 0 ? [llmKeys()] : []),
  ]);
}

function oldest(...times: (number | undefined)[]): number | undefined {
  const known = times.filter((t) => t !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
