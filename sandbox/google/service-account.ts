/** Finding service accounts, with the delay after which a new one is visible. */
import type { Call } from './api.ts';
import { GoogleError } from './error.ts';
import type { Cloud, ServiceAccount } from './state.ts';

/** The resource name of an account. */
export const accountName = (cloud: Cloud, account: ServiceAccount) =>
  `projects/${cloud.project}/serviceAccounts/${account.email}`;

/** Service accounts that have become visible: a new one is not, for a settable while. */
export function visibleAccounts(cloud: Cloud): ServiceAccount[] {
  const horizon = cloud.now() - cloud.settings.delays.serviceAccount * 1000;
  return cloud.state.accounts.filter((account) => account.created <= horizon);
}

/** The account of a request, by email or unique id. Throws 404, also while a new one is not visible yet. */
export function findAccount(cloud: Cloud, { param }: Call): ServiceAccount {
  const wanted = param('account');
  const found = visibleAccounts(cloud).find(({ email, uniqueId }) => email === wanted || uniqueId === wanted);
  if (found !== undefined) return found;
  throw new GoogleError(404, 'Unknown service account');
}
