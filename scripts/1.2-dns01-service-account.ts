/** Plan step 1.2: a service account may write the zone; its key lies in a Secret, unless cert-manager signs in by workload identity (1.4). */
import { absent, conflict, differs, done, type Check, type ChangeStep } from '../lib/step.ts';
import { accountVisible, dns01Members, hasRole, onceSeen } from '../lib/deployment/dns/dns01-account.ts';
import { deleteOrphans, keyLetIn, keysInCluster, newKey, othersKey } from '../lib/deployment/dns/dns01-key.ts';
import { secretObject } from '../lib/clients/kubectl.ts';
import type { Context } from '../lib/context.ts';
import {
  CERT_MANAGER_NAMESPACE,
  deploymentName,
  DNS01_ROLE,
  DNS01_SECRET,
  dns01Email,
  ensureNamespace,
  inGoogleCloud,
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
    const [account, bindings, { current: key }, keys] = await Promise.all([
      google.serviceAccount(email),
      google.bindings(),
      keysInCluster(ctx),
      google.keys(email),
    ]);
    const taken =
      settings.dns01Auth === 'key'
        ? await othersKey(
            ctx,
            keys.map((k) => k.id),
          )
        : undefined;
    if (taken) return taken;
    if (!account) return absent(`no service account ${email}`);
    // Somebody did that on purpose.
    if (account.disabled)
      return conflict(
        `service account ${email} is disabled`,
        `gcloud iam service-accounts enable ${email} --project=${settings.project}; or name another by DNS01_ACCOUNT`,
      );
    if (!hasRole(bindings, email)) return differs(`${email} is not bound to ${DNS01_ROLE}`);
    if (settings.dns01Auth === 'workload-identity') return done(`${email} has ${DNS01_ROLE}, and needs no key`);
    if (!key) return absent(`Secret ${DNS01_SECRET.name} holds no key`);
    const held = keys.find(({ id }) => id === key.id);
    if (!held)
      return differs(`the key in Secret ${DNS01_SECRET.name} is not one of the account's ${keys.length} live keys`);
    if (!held.usable) return differs(`the key in Secret ${DNS01_SECRET.name} is disabled or expired`);
    return done(`Secret ${DNS01_SECRET.name} holds a live key of ${email}`);
  },

  async apply(ctx) {
    const { google, gcloud, settings } = ctx;
    const { project, dns01Account } = settings;
    const email = dns01Email(settings);
    if (!(await google.serviceAccount(email))) {
      // By the description removal and rotation know this deployment's own account.
      await gcloud.create`
        iam service-accounts create ${dns01Account}
          --display-name='cert-manager DNS-01 solver' --description=${deploymentName(settings)}`;
      await accountVisible(ctx, email);
    }
    // --condition=None: without it gcloud asks, as soon as anybody has a conditional binding.
    await onceSeen(
      ctx,
      `role of ${email}`,
      () => gcloud.change`
        projects add-iam-policy-binding ${project}
          --member=serviceAccount:${email} --role=${DNS01_ROLE} --condition=None`,
    );
    if (settings.dns01Auth === 'key') await ensureKey(ctx, email);
  },

  async verify(ctx) {
    const { current: key } = await keysInCluster(ctx);
    return key ? keyLetIn(ctx, key) : `${dns01Email(ctx.settings)} has ${DNS01_ROLE}; step 2.6 proves the rest`;
  },

  owns: ({ google, settings }) => ({
    objects: [
      {
        target: { context: settings.gke.context, namespace: CERT_MANAGER_NAMESPACE },
        named: { [`Secret/${DNS01_SECRET.name}`]: ['issuers'] },
      },
    ],
    elsewhere: async () => {
      const email = dns01Email(settings);
      const [account, bindings] = await Promise.all([google.serviceAccount(email), google.bindings()]);
      const ours = account?.description === deploymentName(settings);
      const kept = ours ? undefined : 'another deployment made it (its description says so)';
      const item = { where: inGoogleCloud(settings), part: 'issuers' } as const;
      return [
        ...(account ? [{ ...item, kind: 'Service account', name: email, kept }] : []),
        ...dns01Members(settings, bindings, ours).map((name) => ({ ...item, kind: 'IAM binding', name })),
      ];
    },
  }),

  async undo(ctx, { retained }) {
    if (retained.has('issuers')) return;
    const { google, gcloud, settings } = ctx;
    const email = dns01Email(settings);
    await ctx.inGke(CERT_MANAGER_NAMESPACE).delete('Secret', DNS01_SECRET.name);
    const [account, bindings] = await Promise.all([google.serviceAccount(email), google.bindings()]);
    const ours = account?.description === deploymentName(settings);
    for (const member of dns01Members(settings, bindings, ours))
      await gcloud.delete`
        projects remove-iam-policy-binding ${settings.project}
          --member=${member} --role=${DNS01_ROLE} --condition=None`;
    // Its keys go with it.
    if (ours) await gcloud.delete`iam service-accounts delete ${email}`;
  },
};

/** The Secret holds a live key of the account, in a namespace that may be new; nothing is changed where it does. */
async function ensureKey(ctx: Context, email: string): Promise<void> {
  const [{ current }, live] = await Promise.all([keysInCluster(ctx), ctx.google.keys(email)]);
  if (current && live.some(({ id, usable }) => usable && id === current.id)) return;
  await deleteOrphans(ctx, email, []);
  const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
  await ensureNamespace(kube);
  // To stdout: no file to forget.
  const key = await newKey(
    ctx,
    email,
    () => ctx.gcloud.createSecret`iam service-accounts keys create - --iam-account=${email}`,
  );
  await kube.apply([secretObject(DNS01_SECRET.name, CERT_MANAGER_NAMESPACE, { [DNS01_SECRET.key]: key })]);
  // gcloud asks again when an answer is lost: then there are two.
  const { current: held } = await keysInCluster(ctx);
  if (held) await deleteOrphans(ctx, email, [held.id]);
}

void runAlone(import.meta);
