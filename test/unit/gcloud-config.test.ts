/** Endpoint overrides and universe domain, by environment or by `gcloud config`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { contextOf, fakeOutside, json, settings, temporaryFolder } from './outside.ts';

/** The URLs that are asked for the zone with this configuration of gcloud. */
async function asked(
  configurations: Record<string, string>,
  environment: Record<string, string> = {},
  active?: string,
) {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'configurations'));
  for (const [name, text] of Object.entries(configurations))
    writeFileSync(join(folder, 'configurations', `config_${name}`), text);
  if (active !== undefined) writeFileSync(join(folder, 'active_config'), active);
  const outside = fakeOutside({
    worlds: [{ request: () => json({}, 404) }],
    rows: [{ binary: 'gcloud', args: () => true, answer: 'token' }],
  });
  const given = settings({ childEnvironment: { CLOUDSDK_CONFIG: folder, ...environment } });
  const { google } = contextOf(outside, given);
  await Promise.all([google.zone('z'), google.address('a')]);
  return outside.requests.map(({ url }) => url.replace(/projects.*/, ''));
}

const PLAIN = ['https://dns.googleapis.com/dns/v1/', 'https://compute.googleapis.com/compute/v1/'];
const OVERRIDE = '[core]\nproject = x\n[api_endpoint_overrides]\ndns = https://dns.private.test\n';

test.each<[string, Record<string, string>, Record<string, string>, string | undefined, string[]]>([
  ['nothing set', {}, {}, undefined, PLAIN],
  ['gcloud config', { default: OVERRIDE }, {}, undefined, ['https://dns.private.test/dns/v1/', PLAIN[1] ?? '']],
  ['a configuration that is not active', { other: OVERRIDE }, {}, undefined, PLAIN],
  ['the active one', { other: OVERRIDE }, {}, 'other\n', ['https://dns.private.test/dns/v1/', PLAIN[1] ?? '']],
  [
    'the one that the environment names',
    { other: OVERRIDE },
    { CLOUDSDK_ACTIVE_CONFIG_NAME: 'other' },
    'default',
    ['https://dns.private.test/dns/v1/', PLAIN[1] ?? ''],
  ],
  [
    'the environment over the configuration',
    { default: OVERRIDE },
    { CLOUDSDK_API_ENDPOINT_OVERRIDES_DNS: 'https://env.test/' },
    undefined,
    ['https://env.test/dns/v1/', PLAIN[1] ?? ''],
  ],
  [
    'a universe domain',
    { default: '[core]\nuniverse_domain = apis.test\n' },
    {},
    undefined,
    ['https://dns.apis.test/dns/v1/', 'https://compute.apis.test/compute/v1/'],
  ],
  [
    'a universe domain by GOOGLE_CLOUD_UNIVERSE_DOMAIN',
    {},
    { GOOGLE_CLOUD_UNIVERSE_DOMAIN: 'apis.test' },
    undefined,
    ['https://dns.apis.test/dns/v1/', 'https://compute.apis.test/compute/v1/'],
  ],
])('%s', async (_, configurations, environment, active, urls) => {
  expect(await asked(configurations, environment, active)).toEqual(urls);
});
