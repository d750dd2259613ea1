/** Kubently's API of this deployment, at its public name. */
import type { Context } from '../../context.ts';
import { tokenOf } from './secrets.ts';
import { Kubently } from '../../clients/kubently-api.ts';
import { registered } from './redis.ts';
import type { Secret } from '../../base/secret.ts';

/** The API with the deployment's key. @throws Failure when 2.1 has not run */
export function kubentlyApi({ http, settings, tokens }: Context): Kubently {
  return new Kubently(http, `https://${settings.host}`, tokenOf(tokens(), 'API_KEY'));
}

/** Makes this token the registered one of the cluster; nothing is sent where it is. */
export async function ensureRegistered(ctx: Context, id: string, token: Secret): Promise<void> {
  const known = (await registered(ctx, new Map([[id, token]]))).get(id);
  if (known === 'registered') return;
  const api = kubentlyApi(ctx);
  if (known === 'other') await api.unregister(id);
  await api.register(id, token);
}

/** Ids of all clusters that the deployment connects. */
export function clusterIds({ settings }: Pick<Context, 'settings'>): string[] {
  return [settings.gkeClusterId, ...settings.remotes.map((r) => r.id)];
}
