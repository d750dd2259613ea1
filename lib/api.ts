/** Kubently's API of this deployment, at its public name. */
import type { Context } from './context.ts';
import { tokenOf } from './deployment.ts';
import { Kubently } from './kubently.ts';
import { readTokens } from './tokens.ts';

/** The API with the deployment's key. @throws Failure when 2.1 has not run */
export function kubentlyApi({ http, settings }: Context): Kubently {
  return new Kubently(http, `https://${settings.host}`, tokenOf(readTokens(settings.tokensFile), 'API_KEY'));
}

/** Ids of all clusters that the deployment connects. */
export function clusterIds({ settings }: Pick<Context, 'settings'>): string[] {
  return [settings.gkeClusterId, ...settings.remotes.map((r) => r.id)];
}
