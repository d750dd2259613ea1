/** The DNS-01 service account and its role in the project (plan step 1.2). */
import { STEP } from '../../base/plan-steps.ts';
import type { Context } from '../../context.ts';
import { DNS01_ROLE, dns01Email } from '../cluster/infrastructure.ts';
import type { Settings } from '../../settings/settings.ts';
import { CommandFailed } from '../../base/command.ts';
import { waitFor } from '../../base/wait.ts';
import { GoogleRefused } from '../../clients/google-refusal.ts';
import type { Binding } from '../../clients/google-shapes.ts';

/** True when the account holds the role without a condition. */
export function hasRole(bindings: readonly Binding[], email: string): boolean {
  return bindings.some((b) => b.role === DNS01_ROLE && !b.condition && b.members.includes(`serviceAccount:${email}`));
}

/** A new account is not everywhere at once: reads, policies and keys see it at times of their own. */
const EVERYWHERE_MS = 120_000;
const AGAIN_MS = 2000;
/** How a call says that it does not see the account yet, in gcloud's words: 400 of the policy, 404 of keys, 403 of both. */
const NOT_SEEN =
  /service account \S+ does not exist|unknown service account|NOT_FOUND|not found|\(or it (?:or its resource )?may not exist\)/i;

/** Waits until reads see a new account: they answer 404, and 403 to who may not know. @throws TimedOut */
export async function accountVisible(ctx: Context, email: string): Promise<void> {
  await waitFor(
    {
      what: `service account ${email}`,
      timeoutMs: EVERYWHERE_MS,
      probe: async () => {
        try {
          if (await ctx.google.serviceAccount(email)) return { state: 'ready', value: undefined };
        } catch (error) {
          if (!(error instanceof GoogleRefused) || (error.status !== 400 && error.status !== 403)) throw error;
        }
        return { state: 'pending', reason: 'is not visible yet' };
      },
      next: `./runbook ${STEP.dns01ServiceAccount}`,
    },
    ctx,
  );
}

/** What the change gives once Google sees the account there as well. @throws CommandFailed for another refusal, TimedOut */
export async function onceSeen<T>(ctx: Context, what: string, change: () => Promise<T>): Promise<T> {
  return waitFor(
    {
      what,
      timeoutMs: EVERYWHERE_MS,
      everyMs: AGAIN_MS,
      probe: async () => {
        try {
          return { state: 'ready', value: await change() };
        } catch (error) {
          if (!(error instanceof CommandFailed) || !NOT_SEEN.test(error.stderr)) throw error;
          return { state: 'pending', reason: 'Google does not see the account there yet' };
        }
      },
      next: `./runbook ${STEP.dns01ServiceAccount}`,
    },
    ctx,
  );
}

/** Who holds the DNS-01 role in this deployment's name: its account, and accounts of that name that are gone. */
export function dns01Members(
  settings: Pick<Settings, 'dns01Account' | 'project'>,
  bindings: readonly Binding[],
  accountIsOurs: boolean,
): string[] {
  const member = `serviceAccount:${dns01Email(settings)}`;
  return bindings
    .filter((b) => b.role === DNS01_ROLE && !b.condition)
    .flatMap((b) => b.members)
    .filter((m) => (accountIsOurs && m === member) || m.startsWith(`deleted:${member}?`));
}
