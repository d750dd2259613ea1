/** The operator's docker: contexts, plugins and logins are kept, the runbook's own login is not. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withDocker } from '../../lib/clients/docker.ts';
import { fakeOutside, temporaryFolder } from './outside.ts';

/** Looks at the configuration that docker is given. */
async function given(own: string, login: string | undefined, variable = 'DOCKER_CONFIG') {
  let config = '';
  const outside = fakeOutside({
    rows: [{ binary: 'docker', args: ['push', 'x'], answer: (c) => ((config = String(c.env?.['DOCKER_CONFIG'])), '') }],
  });
  let seen: { json: unknown; read: (path: string) => string | undefined } | undefined;
  await withDocker(outside.run, { cwd: '/', environment: { [variable]: own }, login }, async (docker) => {
    await docker.change`push x`;
    const read = (path: string): string | undefined =>
      existsSync(join(config, path)) ? readFileSync(join(config, path), 'utf8') : undefined;
    const texts = new Map(
      ['contexts/meta/a/meta.json', 'cli-plugins/docker-buildx', 'ca.pem'].map((p) => [p, read(p)]),
    );
    seen = { json: JSON.parse(read('config.json') ?? 'null') as unknown, read: (path) => texts.get(path) };
  });
  expect(existsSync(config)).toBe(false);
  return seen;
}

function operators(config: object): string {
  const folder = join(temporaryFolder(), '.docker');
  for (const sub of ['contexts/meta/a', 'cli-plugins']) mkdirSync(join(folder, sub), { recursive: true });
  writeFileSync(join(folder, 'contexts/meta/a/meta.json'), 'colima');
  writeFileSync(join(folder, 'cli-plugins/docker-buildx'), 'plugin');
  writeFileSync(join(folder, 'ca.pem'), 'PEM');
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  return folder;
}

const OWN = { currentContext: 'colima', auths: { 'base.test': { auth: 'eA==' } }, credsStore: 'osxkeychain' };

test.each([
  ['ghcr.io', 'ghcr.io'],
  ['docker.io', 'https://index.docker.io/v1/'],
])(
  'a login to %s goes into the copy alone, past the credential store; all else is the operator’s',
  async (login, key) => {
    const folder = operators({ ...OWN, credHelpers: { 'gcr.io': 'gcloud' } });
    const seen = await given(folder, login);
    expect(seen?.json).toEqual({ ...OWN, credHelpers: { 'gcr.io': 'gcloud', [key]: '' } });
    expect(seen?.read('contexts/meta/a/meta.json')).toBe('colima');
    expect(seen?.read('cli-plugins/docker-buildx')).toBe('plugin');
    expect(seen?.read('ca.pem')).toBe('PEM');
    // What the copy leads to is still there.
    expect(readFileSync(join(folder, 'contexts/meta/a/meta.json'), 'utf8')).toBe('colima');
  },
);

test('without a login of the runbook the operator’s own one is used, from HOME too', async () => {
  const folder = operators(OWN);
  expect((await given(join(folder, '..'), undefined, 'HOME'))?.json).toEqual(OWN);
});

test('no configuration is none', async () => {
  expect((await given(join(temporaryFolder(), 'none'), 'ghcr.io'))?.json).toBeNull();
});

test('one that cannot be read is named', async () => {
  const folder = operators(OWN);
  writeFileSync(join(folder, 'config.json'), '{');
  await expect(given(folder, undefined)).rejects.toThrow(
    `docker's configuration ${join(folder, 'config.json')} cannot be read`,
  );
});

test('the copy that a killed run left goes; that of a run that lives stays', async () => {
  // No process has this number: the kernel's limit is below it.
  const left = join(tmpdir(), 'kubently-runbook-docker-99999999-unit');
  const living = join(tmpdir(), `kubently-runbook-docker-${process.ppid}-unit`);
  for (const folder of [left, living]) mkdirSync(folder);
  await given(operators(OWN), undefined);
  expect([existsSync(left), existsSync(living)]).toEqual([false, true]);
  rmSync(living, { recursive: true });
});
