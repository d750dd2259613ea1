/** Plan step 1.2: a service account may write the zone; its key lies in a Secret, unless cert-manager signs in by workload identity (1.4). */
import { absent, differs, done, type Check, type ChangeStep } from '../lib/step.ts';
import { bindRole, ensureAccount, hasRole, removeAccount } from '../lib/deployment/dns/dns01-account.ts';
import { ensureKey, keyLetIn, keysInCluster } from '../lib/deployment/dns/dns01-key.ts';
import {
  CERT_MANAGER_NAMESPACE,
  DNS01_ROLE,
  DNS01_SECRET,
  dns01Email,
} from '../lib/deployment/cluster/infrastructure.ts';
import { runAlone } from './entry.ts';

export const step: ChangeStep = {
  id: '1.2',
  kind: 'change',
  title: 'DNS-01 service account may write the zone',
  // Its namespace it makes itself: Google needs some seconds, in which cert-manager is installed.
  needs: [],

  async check(ctx): Promise<Check> {
    const { google, settings } = ctx;
    const email = dns01Email(settings);
    const [account, bindings, { current: key }, keyIds] = await Promise.all([
      google.serviceAccount(email),
      google.bindings(),
      keysInCluster(ctx),
      google.keyIds(email),
    ]);
    if (!account) return absent(`no service account ${email}`);
    if (!hasRole(bindings, email)) return differs(`${email} is not bound to ${DNS01_ROLE}`);
    if (settings.dns01Auth === 'workload-identity') return done(`${email} has ${DNS01_ROLE}, and needs no key`);
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
    if (settings.dns01Auth === 'key') await ensureKey(ctx, email);
  },

  async verify(ctx) {
    const { current: key } = await keysInCluster(ctx);
    return key ? keyLetIn(ctx, key) : `${dns01Email(ctx.settings)} has ${DNS01_ROLE}; step 2.6 proves the rest`;
  },

  async undo(ctx, retained) {
    if (retained.has('issuers')) return;
    await ctx.inGke(CERT_MANAGER_NAMESPACE).delete('Secret', DNS01_SECRET.name);
    await removeAccount(ctx, dns01Email(ctx.settings));
  },
};

void runAlone(import.meta);
