/** Plan step 1.2: cert-manager may write the zone, by a service account's key in a Secret or by workload identity. */
import { absent, differs, done, type Check, type ChangeStep } from '../lib/runner/step.ts';
import { bindRole, ensureAccount, hasRole, removeAccount } from '../lib/google/dns01-account.ts';
import { ensureIdentity, identityOf } from '../lib/google/dns01-identity.ts';
import { ensureKey, keyLetIn, keysInCluster } from '../lib/google/dns01-key.ts';
import { CERT_MANAGER_NAMESPACE, DNS01_ROLE, DNS01_SECRET, dns01Email } from '../lib/kubernetes/infrastructure.ts';

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
    if (!hasRole(bindings, email)) return differs(`${email} is not bound to ${DNS01_ROLE}`);
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
    const { settings } = ctx;
    const email = dns01Email(settings);
    await ensureAccount(ctx, email);
    await bindRole(ctx, email);
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
    await ctx.inGke(CERT_MANAGER_NAMESPACE).delete('Secret', DNS01_SECRET.name);
    await removeAccount(ctx, dns01Email(ctx.settings));
  },
};

if (import.meta.main)
  void import('../lib/runner/program.ts').then(({ main }) => main([step.id, ...process.argv.slice(2)]));
