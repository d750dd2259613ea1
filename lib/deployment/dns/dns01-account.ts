/** The DNS-01 service account and its role in the project (plan step 1.2). */
import type { Context } from '../../context.ts';
import { deploymentName, DNS01_ROLE, dns01Email } from '../cluster/infrastructure.ts';
import type { Settings } from '../../settings/settings.ts';
import { waitFor } from '../../base/wait.ts';
import type { Binding } from '../../clients/google.ts';

/** True when the account holds the role without a condition. */
export function hasRole(bindings: readonly Binding[], email: string): boolean {
  return bindings.some((b) => b.role === DNS01_ROLE && !b.condition && b.members.includes(`serviceAccount:${email}`));
}

/** Creates the account where it is missing, with this deployment's name in its description. @throws Failure */
export async function ensureAccount(ctx: Context, email: string): Promise<void> {
  const { google, settings } = ctx;
  if (await google.serviceAccount(email)) return;
  await google.create([
    'iam',
    'service-accounts',
    'create',
    settings.dns01Account,
    '--display-name=cert-manager DNS-01 solver',
    `--description=${deploymentName(settings)}`,
  ]);
  // A new account answers 404 for a while; a binding to it would fail.
  await waitFor(
    {
      what: `service account ${email}`,
      timeoutMs: 120_000,
      probe: async () =>
        (await google.serviceAccount(email))
          ? { state: 'ready', value: undefined }
          : { state: 'pending', reason: 'is not visible yet' },
      next: './runbook 1.2',
    },
    ctx,
  );
}

/** Gives the account the role in the project; content where it has it. */
export async function bindRole({ google, settings }: Context, email: string): Promise<void> {
  // --condition=None: without it gcloud asks, as soon as anybody has a conditional binding.
  await google.change([
    'projects',
    'add-iam-policy-binding',
    settings.project,
    `--member=serviceAccount:${email}`,
    `--role=${DNS01_ROLE}`,
    '--condition=None',
  ]);
}

/** Takes role and account away where they are this deployment's; keys go with the account. */
export async function removeAccount({ google, settings }: Context, email: string): Promise<void> {
  const [account, bindings] = await Promise.all([google.serviceAccount(email), google.bindings()]);
  const ours = account?.description === deploymentName(settings);
  for (const member of dns01Members(settings, bindings, ours))
    await google.remove([
      'projects',
      'remove-iam-policy-binding',
      settings.project,
      `--member=${member}`,
      `--role=${DNS01_ROLE}`,
      '--condition=None',
    ]);
  if (ours) await google.remove(['iam', 'service-accounts', 'delete', email]);
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
