/** What a rotation has to show: the new one works everywhere, the old one nowhere. */
import { kubentlyApi } from '../../deployment/kubently/api.ts';
import type { Context } from '../../context.ts';
import { Kubently } from '../../clients/kubently-api.ts';
import type { Secret } from '../../base/secret.ts';
import { waitFor } from '../../base/wait.ts';

/** Answers in a row for each replica: the ingress spreads requests over them, and may keep an ended pod for a moment. */
const ROUNDS = 3;
const LONGEST_MS = 120_000;

/** Waits until every replica takes the key, or refuses it (401). @throws TimedOut */
export async function apiKeyIs(ctx: Context, state: 'taken' | 'refused', key: Secret): Promise<void> {
  const api = new Kubently(ctx.http, `https://${ctx.settings.host}`, key);
  const wanted = ROUNDS * ctx.settings.apiReplicas;
  await waitFor(
    {
      what: `the ${state === 'taken' ? 'new' : 'old'} API key ${state} by every replica`,
      timeoutMs: LONGEST_MS,
      probe: async () => {
        for (let i = 0; i < wanted; i++) {
          const taken = await api.takesKey().catch(unlessFault);
          if (typeof taken === 'string') return { state: 'pending', reason: taken };
          if (taken !== (state === 'taken'))
            return { state: 'pending', reason: `a replica still ${taken ? 'takes' : 'refuses'} it` };
        }
        return { state: 'ready', value: undefined };
      },
      next: 'rerun the same command to resume',
    },
    ctx,
  );
}

/** Waits until the API refuses the executor's former token. @throws TimedOut when it does not */
export async function executorTokenRefused(ctx: Context, id: string, token: Secret): Promise<void> {
  await waitFor(
    {
      what: `the former executor token of ${id} refused`,
      timeoutMs: LONGEST_MS,
      probe: async () => {
        const status = await kubentlyApi(ctx).executorStatus(id, token);
        if (status === 401) return { state: 'ready', value: undefined };
        const found = status === undefined ? 'its stream opens, or the API does not answer' : `HTTP ${status}`;
        return { state: 'pending', reason: `${found}, wanted HTTP 401` };
      },
      next: 'rerun the same command to resume',
    },
    ctx,
  );
}

/** While pods restart, the API is away now and then: that is a reason to wait. */
function unlessFault(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
