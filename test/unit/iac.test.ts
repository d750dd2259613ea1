/** make iac: code that takes over what Google holds, by import ids under which Google knows it, and as `fmt` lays it out. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BadInput, explain, Failure } from '../../lib/base/failure.ts';
import type { Session } from '../../lib/runner/session.ts';
import { Stop } from '../../lib/runner/stop.ts';
import { block, quoted } from '../../lib/operations/iac/hcl.ts';
import { infrastructureCode } from '../../lib/operations/iac/infrastructure-code.ts';
import { writeIac } from '../../scripts/ops/iac.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import { FakeBucket } from './fake-bucket.ts';
import { DESCRIPTION, EMAIL, FakeGoogle, IP, PROJECT } from './fake-google.ts';
import { contextOf, fakeOutside, settings, temporaryFolder, type FakeOutside } from './outside.ts';

let google: FakeGoogle;
let outside: FakeOutside;
const BUCKET = 'unit-backups';
const ALL: Partial<Settings> = {
  dns01Auth: 'workload-identity',
  backup: { recipients: [], identityFile: undefined, bucket: BUCKET, keepDays: 30 },
};

beforeEach(() => {
  google = new FakeGoogle().reserved().withAccount(DESCRIPTION);
  google.account = { email: EMAIL, description: DESCRIPTION, displayName: 'cert-manager DNS-01 solver' };
  outside = fakeOutside({ worlds: [google, new FakeBucket(BUCKET)] });
});
afterEach(() => vi.restoreAllMocks());

const code = async (changed: Partial<Settings> = {}) => infrastructureCode(contextOf(outside, settings(changed), true));

/** The resources' addresses with their import ids. */
function imports(text = ''): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/import \{\n {2}to = (\S+)\n {2}id = "([^"]*)"\n\}/g)].map(([, to = '', id = '']) => [to, id]),
  );
}

const READ = { headers: { authorization: 'Bearer ya29.unit-access-token' } };
const answers = (url: string, body?: unknown) =>
  outside.http({ ...READ, url, ...(body === undefined ? {} : { method: 'POST', body }) });

test('every resource is imported, by an id under which Google holds it', async () => {
  const { files, leftOut } = await code(ALL);
  expect(leftOut).toEqual([]);
  const ids = imports(files['imports.tf']);
  const resources = [...(files['main.tf'] ?? '').matchAll(/^resource "(\S+)" "(\S+)" \{$/gm)];
  expect(resources.map(([, type, name]) => `${type}.${name}`)).toEqual(Object.keys(ids));
  const id = (address: string): string => ids[address] ?? '';

  const address = await answers(`https://compute.googleapis.com/compute/v1/${id('google_compute_address.ingress')}`);
  expect(JSON.parse(address.body)).toEqual(google.address);
  const account = await answers(`https://iam.googleapis.com/v1/${id('google_service_account.dns01')}`);
  expect(JSON.parse(account.body)).toEqual(google.account);
  const [zone = '', record = ''] = id('google_dns_record_set.api').split('/rrsets/');
  const [name, type] = record.split('/');
  const records = await answers(`https://dns.googleapis.com/dns/v1/${zone}/rrsets?name=${name}&type=${type}`);
  expect(JSON.parse(records.body)).toEqual({ rrsets: [google.record] });
  const [project, role, member] = id('google_project_iam_member.dns01').split(' ');
  const policy = `https://cloudresourcemanager.googleapis.com/v1/projects/${project}:getIamPolicy`;
  expect(JSON.parse((await answers(policy, {})).body)).toEqual({ bindings: [{ role, members: [member] }] });
  const [owner, bucket] = id('google_storage_bucket.backups').split('/');
  expect([owner, (await answers(`https://storage.googleapis.com/storage/v1/b/${bucket}`)).status]).toEqual([
    PROJECT,
    200,
  ]);
  // As 1.4 makes it: the fake refuses any other line.
  const [of = '', identity, who] = id('google_service_account_iam_member.cert_manager').split(' ');
  expect(of).toBe(id('google_service_account.dns01'));
  await contextOf(outside).gcloud
    .change`iam service-accounts add-iam-policy-binding ${of.split('/').at(-1) ?? ''} --role=${identity ?? ''} --member=${who ?? ''}`;
});

test('what is there is what the code says, so that a plan changes nothing', async () => {
  const main = (await code(ALL)).files['main.tf'] ?? '';
  for (const line of [
    `description = "${DESCRIPTION}"`,
    'display_name = "cert-manager DNS-01 solver"',
    'rrdatas      = [google_compute_address.ingress.address]',
    'ttl          = 300',
    'location                    = "US-CENTRAL1"',
    'uniform_bucket_level_access = true',
    'public_access_prevention    = "enforced"',
  ])
    expect(main).toContain(line);
  expect(main).not.toContain(IP);
  expect(outside.changes).toEqual([]);
});

test('with a key there is no workload identity, without BACKUP_BUCKET no bucket; the key is not in it', async () => {
  const { files } = await code();
  expect(Object.keys(imports(files['imports.tf']))).toEqual([
    'google_compute_address.ingress',
    'google_dns_record_set.api',
    'google_service_account.dns01',
    'google_project_iam_member.dns01',
  ]);
  expect(files['main.tf']).not.toContain('google_service_account_key');
  expect(files['README.md']).toContain('wanted: 4 to import, 0 to add, 0 to change, 0 to destroy');
});

test('what others made stays theirs, and is named', async () => {
  google.address = { name: 'kubently-ingress-ip', address: IP, description: 'the shop’s' };
  google.account = { email: EMAIL, description: 'kubently-runbook other.kubently.io' };
  const { files, leftOut } = await code(ALL);
  expect(Object.keys(imports(files['imports.tf']))).toEqual([
    'google_dns_record_set.api',
    'google_storage_bucket.backups',
  ]);
  expect(files['main.tf']).toContain(`rrdatas      = ["${IP}"]`);
  expect(leftOut).toEqual([
    'address kubently-ingress-ip: the runbook did not reserve it (its description is another)',
    `service account ${EMAIL} and its bindings: this deployment did not make it (its description is another)`,
  ]);
  for (const text of leftOut) expect(files['README.md']).toContain(`- ${text}`);
});

test('what is not there yet is told at once, and nothing is written', async () => {
  google = new FakeGoogle();
  outside = fakeOutside({ worlds: [google] });
  const error = await code().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(Failure);
  for (const text of [
    'no address kubently-ingress-ip in us-central1',
    'no A record',
    `no service account ${EMAIL}`,
    'not bound',
  ])
    expect(explain(error)).toContain(text);
  google = new FakeGoogle().reserved().withAccount(DESCRIPTION);
  outside = fakeOutside({ worlds: [google, new FakeBucket('another')] });
  await expect(code(ALL)).rejects.toThrow(BadInput);
});

test('values are texts: neither templates nor escapes of the language', async () => {
  google.account = { email: EMAIL, description: DESCRIPTION, displayName: 'a "b" \\ ${c} %{d}\n$${e}' };
  expect((await code()).files['main.tf']).toContain('"a \\"b\\" \\\\ $${c} %%{d}\\n$$${e}"');
});

const terraform = spawnSync('terraform', ['version'], { encoding: 'utf8' }).status === 0;

/** What `fmt` would say, by the rules that this code meets: no tabs, two blanks a level, equals signs in one column. */
function misformatted(text: string): string[] {
  let depth = 0;
  let column = -1;
  return text.split('\n').flatMap((line) => {
    if (/^\s*\}/.test(line)) depth--;
    const { 0: indent = '' } = /^\s*/.exec(line) ?? [];
    const at = line.search(/ = (?!\{)/);
    const wrong =
      (line !== '' && indent !== '  '.repeat(depth)) ||
      /\s$|\t/.test(line) ||
      (at >= 0 && column >= 0 && at !== column);
    column = at;
    if (line.endsWith('{')) depth++;
    return wrong ? [line] : [];
  });
}

test('the files lie as fmt lays them; written twice they are the same', async () => {
  const folder = join(temporaryFolder(), 'tofu');
  vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  const lines: string[] = [];
  const session = {
    ctx: contextOf(outside, settings(ALL), true),
    outside,
    stop: new Stop(),
    out: { line: (text: string) => lines.push(text) },
    journal: () => undefined,
  } as unknown as Session;
  expect(await writeIac(session, folder)).toBe(0);
  expect(lines).toEqual([]);
  const names = readdirSync(folder).sort();
  expect(names).toEqual(['README.md', 'imports.tf', 'main.tf', 'versions.tf']);
  const read = (): string[] => names.map((n) => readFileSync(join(folder, n), 'utf8'));
  const first = read();
  await writeIac(session, folder);
  expect(read()).toEqual(first);
  for (const [i, text] of first.entries())
    if (names[i]?.endsWith('.tf')) expect(misformatted(text), names[i]).toEqual([]);
  if (!terraform) return;
  const fmt = spawnSync('terraform', ['fmt', '-check', '-diff', folder], { encoding: 'utf8' });
  expect([fmt.status, fmt.stdout]).toEqual([0, '']);
});

test.runIf(terraform)('a text means itself to the language', () => {
  const texts = ['$${a}', '${x}', '%{if}', '$$', '%%{', 'a"b\\n\n\t\r\u0001é–😀', '\\${x}', '$', '$$${y}'];
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'texts.json'), JSON.stringify(texts));
  writeFileSync(join(folder, 'main.tf'), `${block('locals', { texts: `[${texts.map(quoted).join(', ')}]` })}\n`);
  const same = 'jsonencode([for i, text in local.texts : text == jsondecode(file("texts.json"))[i]])';
  const { stdout } = spawnSync('terraform', ['console'], { cwd: folder, input: same, encoding: 'utf8' });
  expect(stdout.trim()).toBe(JSON.stringify(JSON.stringify(texts.map(() => true))).replaceAll('\\', ''));
  expect(existsSync(join(folder, '.terraform'))).toBe(false);
});
