/** The DNS-01 account's key: the new one in the Secret, with the old one beside it until Google refuses that. */
import { STEP } from '../../base/plan-steps.ts';
import type { Context } from '../../context.ts';
import { deleteKey, deleteOrphans, keysInCluster, newKey, putKeys } from '../../deployment/dns/dns01-key.ts';
import { Failure } from '../../base/failure.ts';
import { dns01Email } from '../../deployment/cluster/infrastructure.ts';
import type { Secret } from '../../base/secret.ts';
import { waitFor } from '../../base/wait.ts';
import { forgetNext } from './marks.ts';

/** Its mark in TOKENS_FILE; the key itself never lies there. */
export const DNS_KEY = 'DNS01_KEY';

/** True when a key is on its way out. */
export async function isDnsKeyUnfinished(ctx: Context): Promise<boolean> {
  return (await keysInCluster(ctx)).previous !== undefined;
}

/** Finishes the key's rotation from wherever it stands. @returns the evidence */
export async function rotateDnsKey(ctx: Context): Promise<string> {
  const email = dns01Email(ctx.settings);
  const held = await keysInCluster(ctx);
  if (!held.current)
    throw new Failure({ what: 'no Secret holds a DNS-01 key yet', next: `./runbook ${STEP.dns01ServiceAccount}` });
  let current = held.current.secret;
  let previous = held.previous;
  if (!previous) {
    await deleteOrphans(ctx, email, [held.current.id]);
    previous = held.current;
    current = await newKey(
      ctx,
      email,
      () => ctx.gcloud.createSecret`iam service-accounts keys create - --iam-account=${email}`,
    );
    await putKeys(ctx, current, previous.secret);
  }
  await forgetNext(ctx, DNS_KEY);
  await googleSays(ctx, 'takes the new DNS-01 key', current, 200);
  await deleteKey(ctx, email, previous.id);
  await googleSays(ctx, 'refuses the old DNS-01 key', previous.secret, 401);
  await putKeys(ctx, current);
  return `the new key reads zone ${ctx.settings.dnsZone}; key ${previous.id.slice(0, 8)}… is deleted and refused (401)`;
}

async function googleSays(ctx: Context, what: string, key: Secret, wanted: number): Promise<void> {
  await waitFor(
    {
      what: `Google ${what}`,
      timeoutMs: 600_000,
      everyMs: 2000,
      probe: async () => {
        const { status } = await ctx.google.mayManageZone(key, ctx.settings.dnsZone);
        return status === wanted
          ? { state: 'ready', value: undefined }
          : { state: 'pending', reason: `it answers HTTP ${status}; changes of keys take up to some minutes` };
      },
      next: 'rerun the same command to resume',
    },
    ctx,
  );
}
