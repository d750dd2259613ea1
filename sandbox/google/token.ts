/** The OAuth 2 token endpoint: a service account's signed assertion for an access token (RFC 7523). */
import { randomBytes } from 'node:crypto';
import { hashOf } from './access.ts';
import { verified, type Assertion } from './assertion.ts';
import { OAuthError } from './error.ts';
import { TOKEN_URI } from './keys.ts';
import type { Cloud } from './state.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const LIFETIME_SECONDS = 3600;

const invalid = (why: string) => new OAuthError('invalid_grant', why);

function assertionOf(cloud: Cloud, jwt: string): Assertion {
  try {
    return verified(cloud, jwt);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Answers POST /token: an access token of the account whose live key signed the assertion.
 * Throws OAuthError (400) for anything else, as for an assertion of a deleted key.
 */
export function grantToken(cloud: Cloud, form: URLSearchParams): object {
  if (form.get('grant_type') !== GRANT) throw new OAuthError('unsupported_grant_type', 'Invalid grant_type');
  const { account, claims } = assertionOf(cloud, form.get('assertion') ?? '');
  if (claims.aud !== TOKEN_URI) throw invalid('Invalid JWT: Failed audience check.');
  if (claims.scope === undefined || claims.scope === '') {
    throw new OAuthError('invalid_scope', 'Invalid OAuth scope or ID token audience provided.');
  }
  const token = `ya29.c.${randomBytes(48).toString('base64url')}`;
  const live = cloud.state.tokens.filter(({ expires }) => expires > cloud.now());
  const expires = cloud.now() + LIFETIME_SECONDS * 1000;
  cloud.state.tokens = [...live, { sha256: hashOf(token), uniqueId: account.uniqueId, expires }];
  cloud.save();
  return { access_token: token, expires_in: LIFETIME_SECONDS - 1, token_type: 'Bearer' };
}
