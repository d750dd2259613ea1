import { createSign } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addressFor, hold, ruleOf } from '../../sandbox/google/forwarding.ts';
import { PROJECT, REGION, discard, startEmulator, type Emulator, type Json } from './google-fixture.ts';

const ADDRESSES = `/compute/v1/projects/${PROJECT}/regions/${REGION}/addresses`;
const ZONE = `/dns/v1/projects/${PROJECT}/managedZones/kubently-io`;
const ACCOUNTS = `/v1/projects/${PROJECT}/serviceAccounts`;
const EMAIL = `cert-manager-dns01@${PROJECT}.iam.gserviceaccount.com`;
const RECORD = { name: 'test-api.kubently.io.', type: 'A', ttl: 300, rrdatas: ['198.18.255.10'] };

let google: Emulator;
beforeEach(async () => {
  google = await startEmulator();
});
afterEach(() => discard(google));

const message = (answer: { body: Json }) => answer.body.error?.message;

/** A service account with one key; returns the key file. */
async function accountWithKey(): Promise<Record<string, string>> {
  await google.call('POST', ACCOUNTS, { accountId: 'cert-manager-dns01', serviceAccount: { displayName: 'DNS-01' } });
  google.clock.ms += 1000;
  const { body } = await google.call('POST', `${ACCOUNTS}/${EMAIL}/keys`, {});
  return JSON.parse(Buffer.from(String(body['privateKeyData']), 'base64').toString()) as Record<string, string>;
}

function assertion(key: Record<string, string>, claims: object = {}): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const iat = Math.floor(google.clock.ms / 1000);
  const common = { iss: key['client_email'], aud: key['token_uri'], scope: 'dns', iat, exp: iat + 3600 };
  const text = `${part({ alg: 'RS256', typ: 'JWT', kid: key['private_key_id'] })}.${part({ ...common, ...claims })}`;
  return `${text}.${createSign('RSA-SHA256')
    .update(text)
    .sign(key['private_key'] ?? '', 'base64url')}`;
}

async function token(key: Record<string, string>, claims: object = {}): Promise<{ status: number; body: Json }> {
  const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  const body = new URLSearchParams({ grant_type, assertion: assertion(key, claims) });
  const answer = await fetch(`${google.endpoint}/token`, { method: 'POST', body });
  return { status: answer.status, body: (await answer.json()) as Json };
}

async function bind(role: string, member: string): Promise<void> {
  const { body } = await google.call('POST', `/v1/projects/${PROJECT}:getIamPolicy`, {
    options: { requestedPolicyVersion: 3 },
  });
  const bindings = [...(body['bindings'] as object[]), { role, members: [member] }];
  const policy = { ...body, bindings };
  const set = await google.call('POST', `/v1/projects/${PROJECT}:setIamPolicy`, { policy });
  expect(set.status).toBe(200);
}

describe('callers', () => {
  test('no token and a wrong token get 401, another project 403, what is not emulated 501', async () => {
    const bare = await fetch(`${google.endpoint}${ADDRESSES}`);
    expect(bare.status).toBe(401);
    expect((await google.call('GET', ADDRESSES, undefined, 'ya29.wrong')).body.error?.status).toBe('UNAUTHENTICATED');
    expect((await google.call('GET', '/dns/v1/projects/other/managedZones')).status).toBe(403);
    expect((await google.call('GET', `/compute/v1/projects/${PROJECT}/zones`)).status).toBe(501);
  });

  test('the operator token is in a file that only its owner reads', () => {
    expect(statSync(join(google.folder, 'token')).mode & 0o777).toBe(0o600);
  });
});

describe('addresses', () => {
  test('are created once, described, and gone after their deletion', async () => {
    const made = await google.call('POST', ADDRESSES, { name: 'ip' });
    expect(made.body).toMatchObject({ kind: 'compute#operation', status: 'RUNNING', operationType: 'insert' });
    const again = await google.call('POST', ADDRESSES, { name: 'ip' });
    expect([again.status, message(again)]).toEqual([
      409,
      `The resource 'projects/${PROJECT}/regions/${REGION}/addresses/ip' already exists`,
    ]);
    const found = await google.call('GET', `${ADDRESSES}/ip`);
    expect(found.body).toMatchObject({ address: '198.18.255.10', status: 'RESERVED' });
    expect((await google.call('DELETE', `${ADDRESSES}/ip`)).status).toBe(200);
    expect((await google.call('GET', `${ADDRESSES}/ip`)).status).toBe(404);
    await google.call('POST', ADDRESSES, { name: 'ip' });
    expect((await google.call('GET', `${ADDRESSES}/ip`)).body['address']).toBe('198.18.255.11');
  });

  test('an operation is done after its delay', async () => {
    const { body } = await google.call('POST', ADDRESSES, { name: 'ip' });
    const path = `${ADDRESSES.replace('addresses', 'operations')}/${String(body['name'])}`;
    expect((await google.call('GET', path)).body['status']).toBe('RUNNING');
    google.clock.ms += 200;
    expect((await google.call('GET', path)).body['status']).toBe('DONE');
  });

  test('one in use is IN_USE and not deleted', async () => {
    await google.call('POST', ADDRESSES, { name: 'ip' });
    hold(google.cloud, 'a1', google.cloud.state.addresses[0]);
    const refused = await google.call('DELETE', `${ADDRESSES}/ip`);
    expect(refused.status).toBe(400);
    expect(JSON.stringify(refused.body)).toContain('resourceInUseByAnotherResource');
    expect((await google.call('GET', `${ADDRESSES}/ip`)).body['status']).toBe('IN_USE');
    hold(google.cloud, 'a1');
    expect((await google.call('DELETE', `${ADDRESSES}/ip`)).status).toBe(200);
  });

  test('a Service gets the address that it names, or is refused in the words of GKE', async () => {
    await google.call('POST', ADDRESSES, { name: 'ip' });
    const service = (spec: { loadBalancerIP?: string }, annotation?: string) => {
      const annotations: Record<string, string> = {};
      if (annotation !== undefined) annotations['networking.gke.io/load-balancer-ip-addresses'] = annotation;
      return { metadata: { uid: '0-1', annotations }, spec };
    };
    const decide = (wanted: ReturnType<typeof service>) => JSON.stringify(addressFor(google.cloud, REGION, wanted));
    expect(decide(service({}, 'ip'))).toContain('198.18.255.10');
    expect(decide(service({ loadBalancerIP: '198.18.255.10' }))).toContain('198.18.255.10');
    expect(decide(service({}, 'nope'))).toContain('was not found, notFound');
    expect(decide(service({ loadBalancerIP: '198.18.255.99' }))).toContain('neither static nor assigned to the LB');
    expect(decide(service({}))).toContain('refusal');
    hold(google.cloud, 'another', google.cloud.state.addresses[0]);
    expect(decide(service({}, 'ip'))).toContain('in-use and would result in a conflict');
    hold(google.cloud, 'another');
    hold(google.cloud, ruleOf(service({})), google.cloud.state.addresses[0]);
    expect(decide(service({}, 'ip'))).toContain('198.18.255.10');
  });
});

describe('record sets', () => {
  test('create, exists, patch, delete, gone', async () => {
    expect((await google.call('POST', `${ZONE}/rrsets`, RECORD)).status).toBe(200);
    const again = await google.call('POST', `${ZONE}/rrsets`, RECORD);
    expect([again.status, message(again)]).toEqual([
      409,
      "The resource 'entity.rrset' named 'test-api.kubently.io. (A)' already exists",
    ]);
    const path = `${ZONE}/rrsets/test-api.kubently.io./A`;
    await google.call('PATCH', path, { ...RECORD, ttl: 60 });
    expect((await google.call('GET', path)).body).toMatchObject({ ttl: 60, rrdatas: ['198.18.255.10'] });
    expect((await google.call('DELETE', path)).status).toBe(200);
    expect((await google.call('DELETE', path)).status).toBe(404);
  });

  test.each([
    [{ ...RECORD, name: 'test-api.kubently.io' }, 'entity.rrset.name'],
    [{ ...RECORD, name: 'test-api.other.io.' }, 'entity.rrset.name'],
    [{ ...RECORD, rrdatas: ['nonsense'] }, 'entity.rrset.rrdata[0]'],
    [{ ...RECORD, type: 'X' }, 'entity.rrset.type'],
  ])('refuses %j', async (record, field) => {
    const answer = await google.call('POST', `${ZONE}/rrsets`, record);
    expect(answer.status).toBe(400);
    expect(message(answer)).toContain(field);
  });

  test('a change is all or nothing; deletions must match exactly', async () => {
    await google.call('POST', `${ZONE}/rrsets`, RECORD);
    const change = (body: object) => google.call('POST', `${ZONE}/changes`, body);
    const txt = { name: '_acme-challenge.test-api.kubently.io.', type: 'TXT', ttl: 60, rrdatas: ['token'] };
    const wrong = { ...RECORD, ttl: 60 };
    const refused = await change({ additions: [txt], deletions: [wrong] });
    expect([refused.status, message(refused)]).toEqual([412, "Precondition not met for 'entity.change.deletions[0]'"]);
    const absent = await change({ additions: [], deletions: [txt] });
    expect(absent.status).toBe(404);
    const list = await google.call('GET', `${ZONE}/rrsets?name=${txt.name}&type=TXT`);
    expect(list.body['rrsets']).toEqual([]);
    const done = await change({ additions: [txt] });
    expect(done.body).toMatchObject({ status: 'pending', additions: [{ rrdatas: ['"token"'] }] });
    google.clock.ms += 1000;
    const later = await google.call('GET', `${ZONE}/changes/${String(done.body['id'])}`);
    expect(later.body['status']).toBe('done');
    expect((await change({ deletions: [txt] })).status).toBe(200);
  });

  test('the zone keeps its SOA and NS, and a CNAME stands alone', async () => {
    const { body } = await google.call('GET', `${ZONE}/rrsets?name=kubently.io.&type=SOA`);
    const soa = (body['rrsets'] as object[])[0];
    expect((await google.call('POST', `${ZONE}/changes`, { deletions: [soa] })).status).toBe(400);
    await google.call('POST', `${ZONE}/rrsets`, RECORD);
    const alias = { ...RECORD, type: 'CNAME', rrdatas: ['other.kubently.io.'] };
    expect((await google.call('POST', `${ZONE}/rrsets`, alias)).status).toBe(400);
  });
});

describe('service accounts and keys', () => {
  test('a new account is visible after the delay; a second one of the name is refused at once', async () => {
    await google.call('POST', ACCOUNTS, { accountId: 'cert-manager-dns01' });
    expect((await google.call('GET', `${ACCOUNTS}/${EMAIL}`)).status).toBe(404);
    expect((await google.call('POST', ACCOUNTS, { accountId: 'cert-manager-dns01' })).status).toBe(409);
    google.clock.ms += 1000;
    expect((await google.call('GET', `/v1/projects/-/serviceAccounts/${EMAIL}`)).status).toBe(200);
    const unknown = await google.call('POST', ACCOUNTS, { accountId: 'another-one', nonsense: 1 });
    expect(message(unknown)).toBe('Invalid JSON payload received. Unknown name "nonsense": Cannot find field.');
  });

  test('ten keys of the user at most; private parts are nowhere in the files', async () => {
    const key = await accountWithKey();
    for (let made = 1; made < 10; made++) {
      expect((await google.call('POST', `${ACCOUNTS}/${EMAIL}/keys`, {})).status).toBe(200);
    }
    const eleventh = await google.call('POST', `${ACCOUNTS}/${EMAIL}/keys`, {});
    expect([eleventh.status, eleventh.body.error?.status]).toEqual([400, 'FAILED_PRECONDITION']);
    const listed = await google.call('GET', `${ACCOUNTS}/${EMAIL}/keys?keyTypes=USER_MANAGED`);
    expect(listed.body['keys']).toHaveLength(10);
    const line = (key['private_key'] ?? '').split('\n')[1] ?? 'none';
    for (const file of ['state.json', 'requests.jsonl']) {
      const text = readFileSync(join(google.folder, file), 'utf8');
      expect(text).not.toContain(line);
      expect(text).not.toContain('PRIVATE KEY');
    }
  });

  test('a live key gets a token; a deleted one, a foreign audience and an old assertion do not', async () => {
    const key = await accountWithKey();
    expect((await token(key)).body).toMatchObject({ token_type: 'Bearer', expires_in: 3599 });
    const audience = await token(key, { aud: 'https://elsewhere' });
    expect(audience).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    const old = Math.floor(google.clock.ms / 1000) - 7200;
    expect((await token(key, { iat: old, exp: old + 3600 })).status).toBe(400);
    const id = key['private_key_id'] ?? '';
    expect((await google.call('DELETE', `${ACCOUNTS}/${EMAIL}/keys/${id}`)).status).toBe(200);
    expect(await token(key)).toMatchObject({ status: 400, body: { error_description: 'Invalid JWT Signature.' } });
  });
});

describe('the policy of the project', () => {
  test('dns calls with a key need the role, and it has its effect after the delay', async () => {
    const key = await accountWithKey();
    const access = String((await token(key)).body['access_token']);
    const list = () => google.call('GET', `${ZONE}/rrsets`, undefined, access);
    expect((await list()).status).toBe(403);
    await bind('roles/dns.admin', `serviceAccount:${EMAIL}`);
    expect((await list()).body.error?.status).toBe('PERMISSION_DENIED');
    google.clock.ms += 2000;
    expect((await list()).status).toBe(200);
    expect((await google.call('GET', ADDRESSES, undefined, access)).status).toBe(403);
    google.clock.ms += 3_600_000;
    expect((await list()).status).toBe(401);
  });

  test('a self-signed JWT of a live key stands for the account, at the service of its audience only', async () => {
    const key = await accountWithKey();
    await bind('roles/dns.admin', `serviceAccount:${EMAIL}`);
    google.clock.ms += 2000;
    const list = (claims: object) => google.call('GET', `${ZONE}/rrsets`, undefined, assertion(key, claims));
    const sub = EMAIL;
    expect((await list({ sub, aud: 'https://dns.googleapis.com/' })).status).toBe(200);
    expect((await list({ sub, aud: 'https://compute.googleapis.com/' })).status).toBe(401);
    expect((await list({ aud: 'https://dns.googleapis.com/' })).status).toBe(401);
    await google.call('DELETE', `${ACCOUNTS}/${EMAIL}/keys/${key['private_key_id'] ?? ''}`);
    expect((await list({ sub, aud: 'https://dns.googleapis.com/' })).status).toBe(401);
  });

  test('conditional bindings need version 3, an etag must be the last one, members must exist', async () => {
    const path = `/v1/projects/${PROJECT}`;
    const plain = await google.call('POST', `${path}:getIamPolicy`, {});
    expect(JSON.stringify(plain.body)).toContain('roles/viewer_withcond_');
    expect((await google.call('POST', `${path}:setIamPolicy`, { policy: plain.body })).status).toBe(400);
    const full = await google.call('POST', `${path}:getIamPolicy`, { options: { requestedPolicyVersion: 3 } });
    const downgraded = await google.call('POST', `${path}:setIamPolicy`, { policy: { ...full.body, version: 1 } });
    expect(message(downgraded)).toContain('version must be 3');
    expect((await google.call('POST', `${path}:setIamPolicy`, { policy: full.body })).status).toBe(200);
    const stale = await google.call('POST', `${path}:setIamPolicy`, { policy: full.body });
    expect([stale.status, stale.body.error?.status]).toEqual([409, 'ABORTED']);
    const bindings = [{ role: 'roles/dns.admin', members: [`serviceAccount:${EMAIL}`] }];
    const nobody = await google.call('POST', `${path}:setIamPolicy`, { policy: { bindings } });
    expect(message(nobody)).toBe(`Service account ${EMAIL} does not exist.`);
  });

  test('a deleted account stays in the policy as deleted, and its successor has no rights', async () => {
    await accountWithKey();
    await bind('roles/dns.admin', `serviceAccount:${EMAIL}`);
    await google.call('DELETE', `${ACCOUNTS}/${EMAIL}`);
    const key = await accountWithKey();
    google.clock.ms += 10_000;
    const access = String((await token(key)).body['access_token']);
    expect((await google.call('GET', `${ZONE}/rrsets`, undefined, access)).status).toBe(403);
    const policy = await google.call('POST', `/v1/projects/${PROJECT}:getIamPolicy`, {});
    expect(JSON.stringify(policy.body)).toContain(`deleted:serviceAccount:${EMAIL}?uid=`);
  });
});

describe('rehearsals', () => {
  test('a fault hits as often as it says; a late one after the effect', async () => {
    const faults = [{ method: 'POST', path: 'addresses$', status: 503, count: 1, late: true }];
    expect(await google.admin({ faults })).toBe(200);
    expect((await google.call('POST', ADDRESSES, { name: 'ip' })).status).toBe(503);
    expect((await google.call('POST', ADDRESSES, { name: 'ip' })).status).toBe(409);
    await google.admin({ faults: [{ status: 429, count: 2 }] });
    const statuses = [];
    for (let call = 0; call < 3; call++) statuses.push((await google.call('GET', ADDRESSES)).status);
    expect(statuses).toEqual([429, 429, 200]);
    expect(await google.admin({ faults: [{ path: '(' }] })).toBe(400);
    expect(await google.admin({ delays: { nonsense: 1 } })).toBe(400);
  });

  test('the log tells reads from changes and holds no secret', async () => {
    await google.call('POST', ADDRESSES, { name: 'ip' });
    await google.call('POST', `/v1/projects/${PROJECT}:getIamPolicy`, {});
    const { body } = await google.call('GET', '/_sandbox/requests');
    expect(body['requests']).toMatchObject([
      { method: 'POST', path: ADDRESSES, status: 200, mutating: true },
      { path: `/v1/projects/${PROJECT}:getIamPolicy`, status: 200, mutating: false },
    ]);
    expect(readFileSync(join(google.folder, 'requests.jsonl'), 'utf8')).not.toContain(google.token);
  });

  test('a restart finds the state, and tokens given before', async () => {
    const key = await accountWithKey();
    await bind('roles/dns.admin', `serviceAccount:${EMAIL}`);
    await google.call('POST', `${ZONE}/rrsets`, RECORD);
    const access = String((await token(key)).body['access_token']);
    const { folder } = google;
    await google.close();
    google = await startEmulator(folder);
    google.clock.ms += 10_000;
    const found = await google.call('GET', `${ZONE}/rrsets/test-api.kubently.io./A`, undefined, access);
    expect(found.body['rrdatas']).toEqual(['198.18.255.10']);
    expect((await token(key)).status).toBe(200);
  });
});
