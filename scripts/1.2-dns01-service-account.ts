/** Plan step 1.2: cert-manager may write the zone, by a service account's key in a Secret or by workload identity. */
import { absent, differs, done, type Check, type ChangeStep } from '../lib/step.ts';
import { createKey, deleteOrphans, keysInCluster, putKeys } from '../lib/dns01-key.ts';
import {
  CERT_MANAGER_NAMESPACE,
  deploymentName,
  DNS01_ROLE,
  DNS01_SECRET,
  dns01Email,
  dns01Members,
} from '../lib/infrastructure.ts';
import { waitFor } from '../lib/wait.ts';
import type { Context } from '../lib/context.ts';

const IDENTITY_ANNOTATION = 'iam.gke.io/gcp-service-account';

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
    return waitFor(
      {
        what: 'IAM lets the key into the zone',
        timeoutMs: 600_000,
        everyMs: 2000,
        probe: async () => {
          const { status } = await ctx.google.mayManageZone(key.secret, ctx.settings.dnsZone);
          if (status === 200)
            return { state: 'ready', value: `the key in the cluster reads zone ${ctx.settings.dnsZone}` };
          if (status === 404)
            return { state: 'failed', reason: `there is no zone ${ctx.settings.dnsZone}`, next: 'look at DNS_ZONE' };
          return { state: 'pending', reason: `Google answers HTTP ${status}; grants take up to some minutes` };
        },
        next: `gcloud projects get-iam-policy ${ctx.settings.project}`,
      },
      ctx,
    );
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

async function identityOf(ctx: Context): Promise<string | undefined> {
  return (await ctx.inGke(CERT_MANAGER_NAMESPACE).get('ServiceAccount', 'cert-manager'))?.metadata.annotations?.[
    IDENTITY_ANNOTATION
  ];
}

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

async function ensureKey(ctx: Context, email: string): Promise<void> {
  const [{ current }, live] = await Promise.all([keysInCluster(ctx), ctx.google.keyIds(email)]);
  if (current && live.includes(current.id)) return;
  await deleteOrphans(ctx, email, []);
  await putKeys(ctx, await createKey(ctx, email));
  // gcloud asks again when an answer is lost: then there are two.
  const { current: held } = await keysInCluster(ctx);
  if (held) await deleteOrphans(ctx, email, [held.id]);
}

async function ensureIdentity(ctx: Context, email: string): Promise<void> {
  const { google, settings } = ctx;
  const member = `serviceAccount:${settings.project}.svc.id.goog[${CERT_MANAGER_NAMESPACE}/cert-manager]`;
  await google.change([
    'iam',
    'service-accounts',
    'add-iam-policy-binding',
    email,
    '--role=roles/iam.workloadIdentityUser',
    `--member=${member}`,
  ]);
  const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
  await kube.apply([
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: {
        name: 'cert-manager',
        namespace: CERT_MANAGER_NAMESPACE,
        annotations: { [IDENTITY_ANNOTATION]: email },
      },
    },
  ]);
  await kube.change(['rollout', 'restart', 'deployment/cert-manager']);
}

if (import.meta.main) void import('../lib/program.ts').then(({ main }) => main([step.id, ...process.argv.slice(2)]));
