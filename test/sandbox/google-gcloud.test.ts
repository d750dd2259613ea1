import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gcloudEnvironment } from '../../sandbox/google/gcloud.ts';
import { PROJECT, discard, startEmulator, type Emulator } from './google-fixture.ts';

const EMAIL = `cert-manager-dns01@${PROJECT}.iam.gserviceaccount.com`;

let google: Emulator;
beforeAll(async () => {
  google = await startEmulator();
  // gcloud polls by the real clock, which the fixture's does not follow.
  await google.admin({ delays: { serviceAccount: 0, iam: 0, dns: 0, operation: 0 } });
});
afterAll(() => discard(google));

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

function gcloud(...args: string[]): Promise<Result> {
  const settings = gcloudEnvironment(google.endpoint, join(google.folder, 'token'), join(google.folder, 'gcloud'));
  const env = { PATH: process.env['PATH'], HOME: google.folder, ...settings };
  return new Promise((resolve) => {
    execFile('gcloud', [...args, `--project=${PROJECT}`], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const region = '--region=us-central1';
const record = ['test-api.kubently.io.', '--zone=kubently-io', '--type=A'];
const values = ['--ttl=300', '--rrdatas=198.18.255.10'];

describe('real gcloud', { timeout: 60_000 }, () => {
  test('addresses of step 1.0', async () => {
    expect((await gcloud('compute', 'addresses', 'create', 'ip', region)).code).toBe(0);
    const again = await gcloud('compute', 'addresses', 'create', 'ip', region);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('already exists')]);
    const shown = await gcloud('compute', 'addresses', 'describe', 'ip', region, '--format=get(address)');
    expect(shown.stdout.trim()).toBe('198.18.255.10');
    expect((await gcloud('compute', 'addresses', 'delete', 'ip', region)).code).toBe(0);
    const gone = await gcloud('compute', 'addresses', 'describe', 'ip', region);
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('was not found')]);
  });

  test('record sets of step 1.0', async () => {
    expect((await gcloud('dns', 'record-sets', 'create', ...record, ...values)).code).toBe(0);
    const again = await gcloud('dns', 'record-sets', 'create', ...record, ...values);
    expect(again.stderr).toContain('ALREADY_EXISTS');
    const updated = await gcloud('dns', 'record-sets', 'update', ...record, '--ttl=60', '--rrdatas=198.18.255.11');
    expect(updated.stdout).toContain('198.18.255.11');
    expect((await gcloud('dns', 'record-sets', 'delete', ...record)).code).toBe(0);
    expect((await gcloud('dns', 'record-sets', 'describe', ...record)).stderr).toContain('NOT_FOUND');
  });

  test('service account, binding and key of step 1.2', async () => {
    const create = ['iam', 'service-accounts', 'create', 'cert-manager-dns01', '--display-name=cert-manager DNS-01'];
    expect((await gcloud(...create)).code).toBe(0);
    expect((await gcloud(...create)).stderr).toContain('already exists');
    const bind = ['projects', 'add-iam-policy-binding', PROJECT, `--member=serviceAccount:${EMAIL}`];
    const refused = await gcloud(...bind, '--role=roles/dns.admin');
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--condition=None')]);
    const bound = await gcloud(...bind, '--role=roles/dns.admin', '--condition=None');
    expect([bound.code, bound.stdout]).toEqual([0, expect.stringContaining(EMAIL)]);
    const key = await gcloud('iam', 'service-accounts', 'keys', 'create', '-', `--iam-account=${EMAIL}`);
    expect(JSON.parse(key.stdout)).toMatchObject({ client_email: EMAIL, type: 'service_account' });
    expect((await gcloud('iam', 'service-accounts', 'delete', EMAIL)).code).toBe(0);
    expect((await gcloud('iam', 'service-accounts', 'describe', EMAIL)).stderr).toContain('NOT_FOUND');
  });
});
