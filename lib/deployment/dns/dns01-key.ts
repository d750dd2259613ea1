/** The DNS-01 service account's keys: the one in cert-manager's Secret, and in a rotation the former one beside it. */
import { STEP } from '../../base/plan-steps.ts';
import type { Context } from '../../context.ts';
import { Failure } from '../../base/failure.ts';
import { z } from 'zod';
import { conflict, type Check } from '../../step.ts';
import { parsedJson } from '../../base/parsed-json.ts';
import { adopt, ownerOf } from '../ownership/applicable.ts';
import { isMarked } from '../ownership/ownership.ts';
import { CERT_MANAGER_NAMESPACE, deploymentName, dns01Email, DNS01_SECRET } from '../cluster/infrastructure.ts';
import { googleWords, lastingRefusal } from '../../clients/google-refusal.ts';
import { secretObject, secretValue } from '../../clients/kubectl.ts';
import type { Secret } from '../../base/secret.ts';
import { waitFor } from '../../base/wait.ts';
import { onceSeen } from './dns01-account.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

/** Key of the Secret for what a rotation replaced and has not yet proven to be refused; nothing else reads it. */
const PREVIOUS = 'previous.json';

/** What is read of a key's file. */
const KeyShape = z.object({ private_key_id: z.string(), client_email: z.string().optional() });

export interface Key {
  secret: Secret;
  /** Google's id of it. */
  id: string;
}

/** The keys that the Secret holds. */
export async function keysInCluster(ctx: Context): Promise<{ current?: Key; previous?: Key }> {
  const secret = await ctx.inGke(CERT_MANAGER_NAMESPACE).get('Secret', DNS01_SECRET.name);
  const [current, previous] = [keyOf(secret, DNS01_SECRET.key), keyOf(secret, PREVIOUS)];
  return { ...(current ? { current } : {}), ...(previous ? { previous } : {}) };
}

/** A Secret of that name that is not the runbook's and holds no key of the account is somebody else's solver's: a conflict. */
export async function othersKey(ctx: Context, keyIds: readonly string[]): Promise<Check | undefined> {
  const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
  const { current } = await keysInCluster(ctx);
  const secret = await kube.get('Secret', DNS01_SECRET.name);
  if (!secret || isMarked(secret.metadata.labels) || (current && keyIds.includes(current.id))) return undefined;
  const text = secretValue(secret, DNS01_SECRET.key);
  const account = text && KeyShape.safeParse(parsedJson(text.reveal())).data?.client_email;
  return conflict(
    `Secret ${DNS01_SECRET.name} is ${await ownerOf(kube, secret)}; its key is ${account ? `that of ${account}` : "no key of Google's"}, not one of ${dns01Email(ctx.settings)}`,
    `set DNS01_AUTH=workload-identity (no Secret), or let the runbook replace the key: ${adopt(kube, secret)}`,
  );
}

function keyOf(secret: KubeObject | undefined, name: string): Key | undefined {
  const text = secretValue(secret, name);
  const id = text && KeyShape.safeParse(parsedJson(text.reveal())).data?.private_key_id;
  return text && id ? { secret: text, id } : undefined;
}

/** Puts the keys into the Secret; a previous one that is not given is taken out. */
export async function putKeys(ctx: Context, current: Secret, previous?: Secret): Promise<void> {
  const values = { [DNS01_SECRET.key]: current, ...(previous ? { [PREVIOUS]: previous } : {}) };
  await ctx.inGke(CERT_MANAGER_NAMESPACE).apply([secretObject(DNS01_SECRET.name, CERT_MANAGER_NAMESPACE, values)]);
}

/** Makes a key, as soon as Google sees the account everywhere. @throws Failure where none was printed */
export async function newKey(ctx: Context, email: string, create: () => Promise<Secret>): Promise<Secret> {
  const key = await onceSeen(ctx, `a key of ${email}`, create);
  if (!key.reveal().includes('private_key'))
    throw new Failure({ what: 'gcloud created a key and printed none', next: `./runbook ${STEP.dns01ServiceAccount}` });
  return key;
}

/** Deletes a key of the account; content where it is gone. */
export async function deleteKey({ gcloud }: Context, email: string, id: string): Promise<void> {
  await gcloud.delete`iam service-accounts keys delete ${id} --iam-account=${email}`;
}

/** A killed run may have left a key that no Secret holds; only an account of this deployment is tidied. */
export async function deleteOrphans(ctx: Context, email: string, held: readonly string[]): Promise<void> {
  const { google, settings } = ctx;
  const [live, account] = await Promise.all([google.keys(email), google.serviceAccount(email)]);
  if (account?.description !== deploymentName(settings)) return;
  for (const { id } of live) if (!held.includes(id)) await deleteKey(ctx, email, id);
}

/** Waits until the key reads the zone: grants take up to some minutes. @returns the evidence */
export async function keyLetIn(ctx: Context, key: Key): Promise<string> {
  return waitFor(
    {
      what: 'IAM lets the key into the zone',
      timeoutMs: 600_000,
      everyMs: 1000,
      probe: async () => {
        const answer = await ctx.google.mayManageZone(key.secret, ctx.settings.dnsZone);
        const { status } = answer;
        if (status === 200)
          return { state: 'ready', value: `the key in the cluster reads zone ${ctx.settings.dnsZone}` };
        if (status === 404)
          return { state: 'failed', reason: `there is no zone ${ctx.settings.dnsZone}`, next: 'look at DNS_ZONE' };
        const lasting = lastingRefusal(answer, ctx.settings.project, ctx.clock.now());
        if (lasting) return { state: 'failed', ...lasting };
        return {
          state: 'pending',
          reason: `Google answers HTTP ${status} (${googleWords(answer)}); grants take up to some minutes`,
        };
      },
      next: `gcloud projects get-iam-policy ${ctx.settings.project}`,
    },
    ctx,
  );
}
