import { expect, test } from 'vitest';
import { edgeGaps, headerGaps } from '../../lib/deployment/certificates/edge.ts';
import { criterion } from '../../scripts/criteria/04-https-accessible.ts';
import { writeFileSync } from 'node:fs';
import { contextOf, fakeOutside, settings } from './outside.ts';

const strict = {
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};
const answer = (headers: Record<string, string>) => ({ status: 200, headers, body: '' });
const HOST = 'unit-api.kubently.io';

test('an edge as meant has no gaps', async () => {
  const outside = fakeOutside({ legacyTls: { [HOST]: () => undefined } });
  expect(await edgeGaps(contextOf(outside), answer(strict))).toEqual([]);
});

test('each missing header, a short HSTS and a banner are named', () => {
  expect(headerGaps(answer({}))).toEqual([
    'Strict-Transport-Security is missing',
    'X-Content-Type-Options is not nosniff',
    'X-Frame-Options is not DENY',
  ]);
  expect(
    headerGaps(answer({ ...strict, 'strict-transport-security': 'max-age=3600', server: 'nginx/1.22.1' })),
  ).toEqual([
    'Strict-Transport-Security is "max-age=3600", wanted max-age=31536000',
    'the banner "Server: nginx/1.22.1" is sent',
  ]);
});

function criterionOf(ingressController: 'traefik' | 'existing', headers: Record<string, string>, old?: string) {
  const given = settings({ ingressController });
  writeFileSync(given.tokensFile, `API_KEY=${'k'.repeat(64)}\n`, { mode: 0o600 });
  const redirect = { status: 308, headers: { location: `https://${HOST}/health` }, body: '' };
  const outside = fakeOutside({
    http: { [`GET https://${HOST}/health`]: answer(headers), [`GET http://${HOST}/health`]: redirect },
    legacyTls: { [HOST]: () => old },
  });
  return criterion.prove(contextOf(outside, given));
}

test('criterion 4: proven with HSTS and without old TLS', async () => {
  expect(await criterionOf('traefik', strict)).toMatchObject({ state: 'proven' });
});

test("criterion 4: the runbook's own controller must be strict", async () => {
  await expect(criterionOf('traefik', strict, 'TLSv1.1')).rejects.toMatchObject({
    parts: { found: 'a client that only knows old TLS is accepted with TLSv1.1', next: './runbook 1.3' },
  });
});

test('criterion 4: of a controller that was there before, what is missing is unproven, with the remedy', async () => {
  const found = await criterionOf('existing', {});
  expect(found).toMatchObject({ state: 'unproven' });
  expect(JSON.stringify(found)).toMatch(/Strict-Transport-Security is missing.*ssl-protocols/);
});
