/** Who calls, and what the project's policy lets them do. */
import { createHash } from 'node:crypto';
import { verified } from './assertion.ts';
import { GoogleError } from './error.ts';
import { asOf } from './propagation.ts';
import type { Cloud, ServiceAccount } from './state.ts';

/** The person at the host's tools; the first policy makes them owner. */
export const OPERATOR = 'user:operator@kubently.io';

/** Permissions of the roles that a deployment may meet. */
const ROLES: Record<string, RegExp> = {
  'roles/owner': /./,
  'roles/editor': /^(?!.*setIamPolicy)/,
  'roles/viewer': /\.(get|list|getIamPolicy)$/,
  'roles/dns.admin': /^dns\./,
  'roles/dns.reader': /^dns\..*\.(get|list)$/,
  'roles/compute.networkAdmin': /^compute\./,
  'roles/compute.loadBalancerAdmin': /^compute\./,
  'roles/iam.serviceAccountAdmin': /^iam\.serviceAccounts\./,
  'roles/iam.serviceAccountKeyAdmin': /^iam\.serviceAccountKeys\./,
  'roles/resourcemanager.projectIamAdmin': /^resourcemanager\.projects\.[gs]etIamPolicy$/,
};

/** How access tokens are kept: by their SHA-256. */
export const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/** The account of a self-signed JWT for the service (AIP-4111), undefined when the token is none or not good. */
function selfSigned(cloud: Cloud, token: string, service: string): ServiceAccount | undefined {
  try {
    const { account, claims } = verified(cloud, token);
    const scoped = claims.scope?.split(' ').includes('https://www.googleapis.com/auth/cloud-platform') === true;
    return claims.sub === claims.iss && (scoped || claims.aud === `https://${service}.googleapis.com/`)
      ? account
      : undefined;
  } catch {
    return undefined;
  }
}

function accountOf(cloud: Cloud, token: string, service: string): ServiceAccount | undefined {
  if (token.split('.').length === 3 && token.startsWith('ey')) return selfSigned(cloud, token, service);
  const hash = hashOf(token);
  const live = cloud.state.tokens.find((known) => known.sha256 === hash && known.expires > cloud.now());
  return cloud.state.accounts.find((known) => known.uniqueId === live?.uniqueId);
}

/** The policy member that the Authorization header stands for at a service ("dns"). Throws 401. */
export function authenticate(cloud: Cloud, operatorToken: string, header: string | undefined, service: string): string {
  const token = /^Bearer (.+)$/i.exec(header ?? '')?.[1];
  if (token === operatorToken) return OPERATOR;
  const account = token === undefined ? undefined : accountOf(cloud, token, service);
  if (account !== undefined) return `serviceAccount:${account.email}`;
  throw new GoogleError(
    401,
    token === undefined
      ? 'Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential.'
      : 'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.',
  );
}

/** Whether the policy that has taken effect by now gives the member the permission; conditions give nothing. */
export function may(cloud: Cloud, member: string, permission: string): boolean {
  const policy = asOf(cloud.state.policy, cloud.now() - cloud.settings.delays.iam * 1000);
  return policy.bindings.some(
    ({ role, members, condition }) =>
      condition === undefined && members.includes(member) && ROLES[role]?.test(permission) === true,
  );
}

/** Throws 403, worded as the service of the permission does. */
export function authorize(cloud: Cloud, member: string, permission: string, project: string): void {
  if (project !== cloud.project && project !== '-') {
    throw new GoogleError(403, `Permission denied on resource project ${project}.`);
  }
  if (may(cloud, member, permission)) return;
  if (permission.startsWith('dns.')) throw new GoogleError(403, 'Forbidden');
  const resource = permission.startsWith('resourcemanager.') ? 'project' : 'resource';
  throw new GoogleError(403, `Permission '${permission}' denied on ${resource} (or it may not exist).`);
}
