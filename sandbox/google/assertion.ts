/** JWTs that a service account signs with one of its keys: assertions for a token (RFC 7523) and self-signed ones. */
import { verify } from 'node:crypto';
import { z } from 'zod';
import type { Cloud, ServiceAccount } from './state.ts';

const LIFETIME_SECONDS = 3600;
/** How far the caller's clock may be ahead. */
const SKEW_SECONDS = 60;

const Header = z.object({ alg: z.literal('RS256'), kid: z.string().optional() });
const Claims = z.object({
  iss: z.string(),
  sub: z.string().optional(),
  aud: z.string().optional(),
  scope: z.string().optional(),
  iat: z.number(),
  exp: z.number(),
});

export interface Assertion {
  account: ServiceAccount;
  claims: z.infer<typeof Claims>;
}

function decoded<T>(schema: z.ZodType<T>, part: string): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(part, 'base64url').toString()));
  } catch {
    throw new Error('Invalid JWT: not all of alg RS256, iss, iat and exp are there.');
  }
}

/** The claims of a JWT that a live key of its issuer has signed and whose time is now. Throws Google's words. */
export function verified(cloud: Cloud, jwt: string): Assertion {
  const [head = '', body = '', signature = ''] = jwt.split('.');
  const { kid } = decoded(Header, head);
  const claims = decoded(Claims, body);
  const account = cloud.state.accounts.find(({ email }) => email === claims.iss);
  if (account === undefined) throw new Error('Invalid grant: account not found');
  const signed = account.keys
    .filter((key) => key.managed === 'USER_MANAGED' && (kid === undefined || kid === key.id))
    .some(({ publicKey }) =>
      verify('RSA-SHA256', Buffer.from(`${head}.${body}`), publicKey, Buffer.from(signature, 'base64url')),
    );
  if (!signed) throw new Error('Invalid JWT Signature.');
  const now = cloud.now() / 1000;
  if (claims.iat > now + SKEW_SECONDS || claims.exp < now || claims.exp - claims.iat > LIFETIME_SECONDS) {
    throw new Error(
      'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.',
    );
  }
  return { account, claims };
}
