/** The DNS-01 service account and its role in the project (plan step 1.2). */
import { STEP } from '../../base/plan-steps.ts';
import type { Context } from '../../context.ts';
import { DNS01_ROLE, dns01Email } from '../cluster/infrastructure.ts';
import type { Settings } from '../../settings/settings.ts';
import { waitFor } from '../../base/wait.ts';
import type { Binding } from '../../clients/google-shapes.ts';

/** True when the account holds the role without a condition. */
export function hasRole(bindings: readonly Binding[], email: string): boolean {
  return bindings.some((b) => b.role === DNS01_ROLE && !b.condition && b.members.includes(`serviceAccount:${email}`));
}

/** Waits until a new account is visible: it answers 404 for a while, and a binding to it would fail. @throws TimedOut */
export async function accountVisible(ctx: Context, email: string): Promise<void> {
  await waitFor(
    {
      what: `service account ${email}`,
      timeoutMs: 120_000,
      probe: async () =>
        (await ctx.google.serviceAccount(email))
          ? { state: 'ready', value: undefined }
          : { state: 'pending', reason: 'is not visible yet' },
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
