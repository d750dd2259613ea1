/** Reads of Google's API that fail for a moment are tried again; a refusal is told at once. */
import { expect, test } from 'vitest';
import { Failure } from '../../lib/failure.ts';
import { FakeGoogle, IP } from './fake-google.ts';
import { contextOf, fakeOutside, json, type World } from './outside.ts';

/** Google that answers so to the first `times` requests. */
function ill(status: number, times: number) {
  const google = new FakeGoogle().reserved();
  let left = times;
  const illness: World = { request: () => (left-- > 0 ? json({ error: { message: 'not now' } }, status) : undefined) };
  const outside = fakeOutside({ worlds: [illness, google] });
  return { outside, google: contextOf(outside).google };
}

test.each([429, 500, 502, 503, 504])('HTTP %i once: read again a second later', async (status) => {
  const { outside, google } = ill(status, 1);
  expect(await google.address('kubently-ingress-ip')).toMatchObject({ address: IP });
  expect(outside.sleeps).toEqual([1000]);
  expect(outside.requests).toHaveLength(2);
});

test('ill for good: told with status and words after four reads', async () => {
  const { outside, google } = ill(503, Infinity);
  await expect(google.address('kubently-ingress-ip')).rejects.toThrow('compute API refused the read');
  await expect(ill(503, Infinity).google.address('x')).rejects.toMatchObject({ parts: { found: 'not now' } });
  expect(outside.sleeps).toEqual([1000, 2000, 4000]);
  expect(outside.requests).toHaveLength(4);
});

test.each([400, 401, 403])('HTTP %i is not asked again', async (status) => {
  const { outside, google } = ill(status, 1);
  await expect(google.address('kubently-ingress-ip')).rejects.toThrow(Failure);
  expect(outside.requests).toHaveLength(1);
});
