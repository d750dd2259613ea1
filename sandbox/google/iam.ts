/** IAM v1: service accounts and their own policies. */
import { z } from 'zod';
import { parse, route, type Call, type Route } from './api.ts';
import { GoogleError } from './error.ts';
import { newKey } from './keys.ts';
import { GetPolicyBody, SetPolicyBody, policyResource, replacePolicy } from './policy.ts';
import { latest, withVersion } from './propagation.ts';
import { accountName, findAccount, visibleAccounts } from './service-account.ts';
import { newEtag, newId, type Cloud, type ServiceAccount } from './state.ts';

const Shown = z.object({ displayName: z.string().max(100).optional(), description: z.string().max(256).optional() });
const CreateBody = z.strictObject({ accountId: z.string(), serviceAccount: Shown.optional() });
const PatchBody = z.strictObject({ serviceAccount: Shown, updateMask: z.string() });

const accountResource = (cloud: Cloud, account: ServiceAccount) => ({
  name: accountName(cloud, account),
  projectId: cloud.project,
  uniqueId: account.uniqueId,
  email: account.email,
  ...(account.displayName === '' ? {} : { displayName: account.displayName }),
  ...(account.description === '' ? {} : { description: account.description }),
  etag: account.policy.etag,
  oauth2ClientId: account.uniqueId,
});

async function createAccount(cloud: Cloud, body: unknown): Promise<object> {
  const { accountId, serviceAccount } = parse(CreateBody, body);
  if (!/^[a-z](?=.{5,29}$)([-a-z0-9]*[a-z0-9])$/.test(accountId)) {
    const rule = 'Account ID must be between 6 and 30 lowercase letters, digits and hyphens, beginning with a letter.';
    throw new GoogleError(400, `The account ID "${accountId}" does not have a valid form. ${rule}`);
  }
  // Google has a key of its own in each account; it is listed, and counts for nothing.
  const { key } = await newKey(cloud, 'SYSTEM_MANAGED');
  const email = `${accountId}@${cloud.project}.iam.gserviceaccount.com`;
  if (cloud.state.accounts.some((known) => known.email === email)) {
    throw new GoogleError(409, `Service account ${accountId} already exists within project projects/${cloud.project}.`);
  }
  const account: ServiceAccount = {
    email,
    uniqueId: newId(21),
    displayName: serviceAccount?.displayName ?? '',
    description: serviceAccount?.description ?? '',
    created: cloud.now(),
    keys: [key],
    policy: { etag: newEtag(), bindings: [] },
  };
  cloud.state.accounts.push(account);
  cloud.save();
  return accountResource(cloud, account);
}

function patchAccount(cloud: Cloud, call: Call): object {
  const account = findAccount(cloud, call);
  const { serviceAccount, updateMask } = parse(PatchBody, call.body);
  const fields = updateMask.split(',');
  if (fields.includes('displayName') || fields.includes('display_name')) {
    account.displayName = serviceAccount.displayName ?? '';
  }
  if (fields.includes('description')) account.description = serviceAccount.description ?? '';
  cloud.save();
  return accountResource(cloud, account);
}

/** Deletes the account; the project's policy keeps its bindings, for a member that no later account can be. */
function deleteAccount(cloud: Cloud, call: Call): object {
  const account = findAccount(cloud, call);
  const { state } = cloud;
  state.accounts = state.accounts.filter((known) => known !== account);
  state.tokens = state.tokens.filter(({ uniqueId }) => uniqueId !== account.uniqueId);
  const member = `serviceAccount:${account.email}`;
  const policy = latest(state.policy);
  const bindings = policy.bindings.map((binding) => ({
    ...binding,
    members: binding.members.map((known) => (known === member ? `deleted:${member}?uid=${account.uniqueId}` : known)),
  }));
  // The new etag makes whoever read before the deletion read again.
  state.policy = withVersion(state.policy, { etag: newEtag(), bindings }, cloud.now());
  cloud.save();
  return {};
}

function setPolicy(cloud: Cloud, call: Call): object {
  const account = findAccount(cloud, call);
  account.policy = replacePolicy(cloud, account.policy, parse(SetPolicyBody, call.body).policy);
  cloud.save();
  return policyResource(account.policy, 3);
}

/** getIamPolicy takes its version from the query or, as gcloud sends it, from the body. */
function getPolicy(cloud: Cloud, call: Call): object {
  const { options } = parse(GetPolicyBody, call.body ?? {});
  const query = Number(call.query.get('options.requestedPolicyVersion') ?? 1);
  return policyResource(findAccount(cloud, call).policy, options?.requestedPolicyVersion ?? query);
}

/** The routes of the service, less those of the keys. */
export function iamRoutes(cloud: Cloud): Route[] {
  const accounts = '/v1/projects/:project/serviceAccounts';
  const account = `${accounts}/:account`;
  return [
    route(`GET ${accounts}`, 'iam.serviceAccounts.list', () => ({
      accounts: visibleAccounts(cloud).map((known) => accountResource(cloud, known)),
    })),
    route(`POST ${accounts}`, 'iam.serviceAccounts.create', ({ body }) => createAccount(cloud, body)),
    route(`GET ${account}`, 'iam.serviceAccounts.get', (call) => accountResource(cloud, findAccount(cloud, call))),
    route(`PATCH ${account}`, 'iam.serviceAccounts.update', (call) => patchAccount(cloud, call)),
    route(`DELETE ${account}`, 'iam.serviceAccounts.delete', (call) => deleteAccount(cloud, call)),
    route(
      `POST ${account}\\:getIamPolicy`,
      'iam.serviceAccounts.getIamPolicy',
      (call) => getPolicy(cloud, call),
      'reads',
    ),
    route(`POST ${account}\\:setIamPolicy`, 'iam.serviceAccounts.setIamPolicy', (call) => setPolicy(cloud, call)),
  ];
}
