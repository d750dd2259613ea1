/** Reads of Google's API that fail for a moment are tried again; a refusal is told at once. */
import { expect, test } from 'vitest';
import type { Command } from '../../lib/base/command.ts';
import { Failure } from '../../lib/base/failure.ts';
import type { HttpAnswer } from '../../lib/base/http.ts';
import { dns01Email } from '../../lib/deployment/cluster/infrastructure.ts';
import { FakeGoogle, IP } from './fake-google.ts';
import { listening } from '../../lib/base/telling.ts';
import { contextOf, fails, fakeOutside, json, type World } from './outside.ts';

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

test.each([400, 403])('HTTP %i is not asked again', async (status) => {
  const { outside, google } = ill(status, 1);
  await expect(google.address('kubently-ingress-ip')).rejects.toThrow(Failure);
  expect(outside.requests).toHaveLength(1);
});

/** gcloud that fails with these words one after the other, then succeeds. */
function failing(...words: string[]) {
  const answer = (command: Command): string => {
    const said = words.shift();
    return said === undefined ? 'created' : fails(said)(command);
  };
  const outside = fakeOutside({ rows: [{ binary: 'gcloud', args: () => true, answer }] });
  return { outside, gcloud: contextOf(outside).gcloud };
}

test.each([
  'ERROR: (gcloud.dns.record-sets.create) RESOURCE_EXHAUSTED: slow down',
  "ERROR: Could not fetch resource:\n - Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of x",
  'ERROR: Could not fetch resource:\n - The service is currently unavailable.',
  'ERROR: HTTPError 503',
  'ERROR: is the subject of a conflict: There were concurrent policy changes.',
])('a change that gcloud gives up at "%s" is made again', async (said) => {
  const { outside, gcloud } = failing(said);
  expect(await gcloud.change`compute addresses create kubently-ingress-ip`).toBe('created');
  expect(outside.sleeps).toEqual([1000]);
});

test('a change that never passes is told after four tries; a refusal at once', async () => {
  const words = 'UNAVAILABLE: The service is currently unavailable.';
  const { outside, gcloud } = failing(words, words, words, words, words);
  await expect(gcloud.change`compute addresses create kubently-ingress-ip`).rejects.toThrow('gcloud compute failed');
  expect(outside.changes).toHaveLength(4);
  const refused = failing('PERMISSION_DENIED: no', 'PERMISSION_DENIED: no');
  await expect(refused.gcloud.change`compute addresses create kubently-ingress-ip`).rejects.toThrow(
    'gcloud compute failed',
  );
  expect(refused.outside.changes).toHaveLength(1);
});

test('a create whose answer was lost finds what it made; other failures are told', async () => {
  const lost = failing('HTTPError 503', "The resource 'addresses/x' already exists");
  await lost.gcloud.create`compute addresses create kubently-ingress-ip`;
  expect(lost.outside.changes).toHaveLength(2);
  await expect(
    failing('PERMISSION_DENIED: no').gcloud.create`compute addresses create kubently-ingress-ip`,
  ).rejects.toThrow('gcloud compute failed');
});

test.each(['{"name":"kubently-ingress-ip"}', '<html>sign in</html>', '[]', 'null'])(
  'an answer of an unknown shape (%s) is named, never a TypeError',
  async (body) => {
    const odd: World = { request: () => ({ status: 200, headers: {}, body }) };
    const { google } = contextOf(fakeOutside({ worlds: [odd, new FakeGoogle()] }));
    await expect(google.address('kubently-ingress-ip')).rejects.toThrow('in a shape that the runbook does not know');
  },
);

test('the account of a project in a domain', () => {
  expect(dns01Email({ dns01Account: 'dns-account', project: 'example.com:my-project' })).toBe(
    'dns-account@my-project.example.com.iam.gserviceaccount.com',
  );
});

/** Google whose answer to each read is the next of these; then as the project is. */
function saying(...answers: HttpAnswer[]) {
  const odd: World = { request: () => answers.shift() };
  const outside = fakeOutside({ worlds: [odd, new FakeGoogle().reserved()] });
  return { outside, google: contextOf(outside).google };
}

const limit = json({ error: { code: 403, message: 'Quota exceeded', errors: [{ reason: 'rateLimitExceeded' }] } }, 403);
const sum = (sleeps: readonly number[]): number => sleeps.reduce((a, b) => a + b, 0);

test('Compute says 403 for its limit of a minute: it is asked for longer than one, and that is told', async () => {
  const { outside, google } = saying(...Array.from({ length: 8 }, () => limit));
  const told: string[] = [];
  const address = await listening.run(
    (text) => told.push(text),
    () => google.address('kubently-ingress-ip'),
  );
  expect(address).toMatchObject({ address: IP });
  expect(sum(outside.sleeps)).toBe(75_000);
  expect(told).toHaveLength(8);
  expect(told[0]).toBe("Google's limit of requests a minute is reached, asks again in 1 s");
});

test('a change that meets the limit of a minute is made after it', async () => {
  const words = Array.from({ length: 8 }, () => 'ERROR: - Rate Limit Exceeded');
  const { outside, gcloud } = failing(...words);
  expect(await gcloud.change`compute addresses create kubently-ingress-ip`).toBe('created');
  expect(sum(outside.sleeps)).toBe(75_000);
});

test('a token that expires during the run is replaced, once', async () => {
  const { outside, google } = saying(json({ error: { message: 'Invalid Credentials' } }, 401));
  expect(await google.address('kubently-ingress-ip')).toMatchObject({ address: IP });
  expect(outside.commands.filter((c) => c.binary === 'gcloud')).toHaveLength(2);
  const signedOut = json({ error: { message: 'Invalid Credentials' } }, 401);
  await expect(saying(signedOut, signedOut).google.address('kubently-ingress-ip')).rejects.toMatchObject({
    parts: { found: 'Invalid Credentials', next: 'gcloud auth login' },
  });
});

test.each([
  ['Thu, 01 Jan 2026 03:05:00 GMT', '3 h 5 min behind'],
  ['Wed, 31 Dec 2025 23:50:00 GMT', '10 min ahead of'],
])('a wrong clock is told by the answer’s Date (%s)', async (date, says) => {
  const answer = json({ error: { message: 'Invalid Credentials' } }, 401, { date });
  await expect(saying(answer, answer).google.address('kubently-ingress-ip')).rejects.toMatchObject({
    parts: {
      found: `this machine's clock is ${says} Google's, so that no token is valid (Invalid Credentials)`,
      next: expect.stringContaining('set the clock') as string,
    },
  });
});

/** As Google words it. */
const disabled = json(
  {
    error: {
      code: 403,
      message: 'Cloud DNS API has not been used in project 1 before or it is disabled. Enable it by visiting …',
      status: 'PERMISSION_DENIED',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'SERVICE_DISABLED',
          domain: 'googleapis.com',
          metadata: { service: 'dns.googleapis.com', consumer: 'projects/1' },
        },
      ],
    },
  },
  403,
);

test('an API that is not enabled is told with the command that enables it', async () => {
  await expect(saying(disabled).google.address('kubently-ingress-ip')).rejects.toMatchObject({
    parts: {
      found: expect.stringContaining('has not been used in project') as string,
      next: expect.stringContaining('gcloud services enable dns.googleapis.com --project=unit-project') as string,
    },
  });
});
