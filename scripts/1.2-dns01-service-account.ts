/** Plan step 1.2: cert-manager may write the zone, by a service account's key in a Secret or by workload identity. */
import { absent, differs, done, type Check, type ChangeStep } from '../lib/step.ts';
import { ensureIdentity, identityOf } from '../lib/dns01-identity.ts';
import { ensureKey, keyLetIn, keysInCluster } from '../lib/dns01-key.ts';
import {
  CERT_MANAGER_NAMESPACE,
  deploymentName,
  DNS01_ROLE,
  DNS01_SECRET,
  dns01Email,
  dns01Members,
} from '../lib/infrastructure.ts';
import type { Context } from '../lib/context.ts';
import { waitFor } from '../lib/wait.ts';

export const step: ChangeStep = {
  id: '1.2',
  kind: 'change',
  title: 'DNS-01 service account may write the zone',
  needs: ['1.1'],

  async check(ctx): Promise<Check> {
    const { google, settings } = ctx;
    const email = dns01Email(settings);
    const [account, bindings, { current: key }, keyIds, identity] = await Promise.all([
      google.serviceAccount(email),
      google.bindings(),
      keysInCluster(ctx),
      google.keyIds(email),
      identityOf(ctx),
    ]);
    if (!account) return absent(`no service account ${email}`);
    const bound = bindings.some(
      (b) => b.role === DNS01_ROLE && !b.condition && b.members.includes(`serviceAccount:${email}`),
    );
    if (!bound) return differs(`${email} is not bound to ${DNS01_ROLE}`);
    if (settings.dns01Auth === 'workload-identity')
      return identity === email
        ? done(`cert-manager signs in as ${email} without a key`)
        : differs(`cert-manager's ServiceAccount is not annotated with ${email}`);
    if (!key) return absent(`Secret ${DNS01_SECRET.name} holds no key`);
    if (!keyIds.includes(key.id))
      return differs(`the key in Secret ${DNS01_SECRET.name} is not one of the account's ${keyIds.length} live keys`);
    return done(`Secret ${DNS01_SECRET.name} holds a live key of ${email}`);
  },

  async apply(ctx) {
    const { google, settings } = ctx;
    const email = dns01Email(settings);
    if (!(await google.serviceAccount(email))) {
      await google.create([
        'iam',
        'service-accounts',
        'create',
        settings.dns01Account,
        '--display-name=cert-manager DNS-01 solver',
        `--description=${deploymentName(settings)}`,
      ]);
      await visible(ctx, email);
    }
    // --condition=None: without it gcloud asks, as soon as anybody has a conditional binding.
    await google.change([
      'projects',
      'add-iam-policy-binding',
      settings.project,
      `--member=serviceAccount:${email}`,
      `--role=${DNS01_ROLE}`,
      '--condition=None',
    ]);
    await (settings.dns01Auth === 'key' ? ensureKey(ctx, email) : ensureIdentity(ctx, email));
  },

  async verify(ctx) {
    const { current: key } = await keysInCluster(ctx);
    if (!key)
      return `cert-manager's ServiceAccount is annotated with ${dns01Email(ctx.settings)}; step 1.4 proves the rest`;
    return keyLetIn(ctx, key);
  },

  async undo(ctx, spared) {
    if (spared.has('issuers')) return;
    const { google, settings } = ctx;
    const email = dns01Email(settings);
    await ctx.inGke(CERT_MANAGER_NAMESPACE).delete('Secret', DNS01_SECRET.name);
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
    // Its keys go with it.
    if (ours) await google.remove(['iam', 'service-accounts', 'delete', email]);
  },
};

/** A new account answers 404 for a while; a binding to it would fail. */
async function visible(ctx: Context, email: string): Promise<void> {
  await waitFor(
    {
      what: `service account ${email}`,
      timeoutMs: 120_000,
      probe: async () =>
        (await ctx.google.serviceAccount(email))
          ? { state: 'ready', value: undefined }
          : { state: 'pending', reason: 'is not visible yet' },
      next: './runbook 1.2',
    },
    ctx,
  );
}

if (import.meta.main) void import('../lib/program.ts').then(({ main }) => main([step.id, ...process.argv.slice(2)]));
