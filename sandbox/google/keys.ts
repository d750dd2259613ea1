/** IAM v1: keys of service accounts. */
import { createHash, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { z } from 'zod';
import { parse, route, type Call, type Route } from './api.ts';
import { GoogleError } from './error.ts';
import { accountName, findAccount } from './service-account.ts';
import type { Cloud, Key, ServiceAccount } from './state.ts';

/** Where a key's owner gets access tokens, and the audience of its assertions. */
export const TOKEN_URI = 'https://oauth2.googleapis.com/token';

const USER_KEYS_AT_MOST = 10;

const KeyBody = z.strictObject({
  privateKeyType: z.enum(['TYPE_GOOGLE_CREDENTIALS_FILE', 'TYPE_UNSPECIFIED']).optional(),
  keyAlgorithm: z.enum(['KEY_ALG_RSA_2048', 'KEY_ALG_UNSPECIFIED']).optional(),
});

/** Google's own keys live for about two years. */
const SYSTEM_KEY_LIFE_MS = 63e9;

const inSeconds = (time: number) => new Date(time).toISOString().replace(/\.\d+/, '');

const keyResource = (cloud: Cloud, account: ServiceAccount, key: Key) => ({
  name: `${accountName(cloud, account)}/keys/${key.id}`,
  validAfterTime: inSeconds(key.created),
  validBeforeTime:
    key.managed === 'USER_MANAGED' ? '9999-12-31T23:59:59Z' : inSeconds(key.created + SYSTEM_KEY_LIFE_MS),
  keyAlgorithm: 'KEY_ALG_RSA_2048',
  keyOrigin: 'GOOGLE_PROVIDED',
  keyType: key.managed,
});

/** A new RSA key; the private part (PKCS 8, PEM) is kept by nobody but the caller. */
export async function newKey(cloud: Cloud, managed: Key['managed']): Promise<{ key: Key; privateKey: string }> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const id = createHash('sha1').update(publicKey).digest('hex');
  return { key: { id, publicKey, created: cloud.now(), managed }, privateKey };
}

async function createKey(cloud: Cloud, call: Call): Promise<object> {
  const account = findAccount(cloud, call);
  parse(KeyBody, call.body ?? {});
  const { key, privateKey } = await newKey(cloud, 'USER_MANAGED');
  if (account.keys.filter(({ managed }) => managed === 'USER_MANAGED').length >= USER_KEYS_AT_MOST) {
    const names = { status: 'FAILED_PRECONDITION', reason: 'failedPrecondition' };
    throw new GoogleError(400, 'Precondition check failed.', names);
  }
  account.keys.push(key);
  cloud.save();
  const file = {
    type: 'service_account',
    project_id: cloud.project,
    private_key_id: key.id,
    private_key: privateKey,
    client_email: account.email,
    client_id: account.uniqueId,
    auth_uri: 'https://accounts.google.com/o/oauth2/auth',
    token_uri: TOKEN_URI,
    auth_provider_x509_cert_url: 'https://www.googleapis.com/oauth2/v1/certs',
    client_x509_cert_url: `https://www.googleapis.com/robot/v1/metadata/x509/${encodeURIComponent(account.email)}`,
    universe_domain: 'googleapis.com',
  };
  return {
    ...keyResource(cloud, account, key),
    privateKeyType: 'TYPE_GOOGLE_CREDENTIALS_FILE',
    privateKeyData: Buffer.from(JSON.stringify(file, null, 2)).toString('base64'),
  };
}

function findKey(account: ServiceAccount, { param }: Call): Key {
  const key = account.keys.find(({ id }) => id === param('key'));
  if (key !== undefined) return key;
  throw new GoogleError(404, `Service account key ${param('key')} does not exist.`);
}

function listKeys(cloud: Cloud, call: Call): object {
  const account = findAccount(cloud, call);
  const types = call.query.getAll('keyTypes').filter((type) => type !== 'KEY_TYPE_UNSPECIFIED');
  const keys = account.keys.filter(({ managed }) => types.length === 0 || types.includes(managed));
  return { keys: keys.map((key) => keyResource(cloud, account, key)) };
}

function deleteKey(cloud: Cloud, call: Call): object {
  const account = findAccount(cloud, call);
  const key = findKey(account, call);
  if (key.managed === 'SYSTEM_MANAGED') {
    throw new GoogleError(400, 'Google-managed keys cannot be deleted.', { status: 'FAILED_PRECONDITION' });
  }
  account.keys = account.keys.filter((known) => known !== key);
  cloud.save();
  return {};
}

/** The routes of the keys. */
export function keyRoutes(cloud: Cloud): Route[] {
  const keys = '/v1/projects/:project/serviceAccounts/:account/keys';
  return [
    route(`GET ${keys}`, 'iam.serviceAccountKeys.list', (call) => listKeys(cloud, call)),
    route(`POST ${keys}`, 'iam.serviceAccountKeys.create', (call) => createKey(cloud, call)),
    route(`GET ${keys}/:key`, 'iam.serviceAccountKeys.get', (call) => {
      const account = findAccount(cloud, call);
      return keyResource(cloud, account, findKey(account, call));
    }),
    route(`DELETE ${keys}/:key`, 'iam.serviceAccountKeys.delete', (call) => deleteKey(cloud, call)),
  ];
}
