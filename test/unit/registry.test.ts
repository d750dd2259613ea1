import { expect, test } from 'vitest';
import type { HttpAnswer } from '../../lib/base/http.ts';
import { publishedImage } from '../../lib/clients/registry.ts';
import { fakeOutside, json } from './outside.ts';

const BASE = 'GET https://reg.test/v2/';
const OPEN = { [BASE]: json({}) };
const DIGEST = { 'docker-content-digest': 'sha256:abc' };
const config = json({ config: { Labels: { 'org.opencontainers.image.revision': 'c0ffee' } } });
const image = json({ config: { digest: 'sha256:cfg' } }, 200, DIGEST);

const ask = (http: Record<string, HttpAnswer>, repository = 'reg.test/k/api') => {
  const outside = fakeOutside({ http });
  return { outside, answer: publishedImage(outside.http, repository, 't') };
};

test('digest and revision of a single manifest', async () => {
  const { answer } = ask({ ...OPEN, [`${BASE}k/api/manifests/t`]: image, [`${BASE}k/api/blobs/sha256:cfg`]: config });
  expect(await answer).toEqual({ digest: 'sha256:abc', revision: 'c0ffee' });
});

test('an index: its digest, and the revision of its linux/amd64 image', async () => {
  const manifests = [
    { digest: 'sha256:arm', platform: { architecture: 'arm64' } },
    { digest: 'sha256:amd', platform: { architecture: 'amd64' } },
  ];
  const { answer } = ask({
    ...OPEN,
    [`${BASE}k/api/manifests/t`]: json({ manifests }, 200, DIGEST),
    [`${BASE}k/api/manifests/sha256:amd`]: image,
    [`${BASE}k/api/blobs/sha256:cfg`]: config,
  });
  expect(await answer).toEqual({ digest: 'sha256:abc', revision: 'c0ffee' });
});

test('an index without linux/amd64 is of no use', async () => {
  const manifests = [{ digest: 'sha256:arm', platform: { architecture: 'arm64' } }];
  const { answer } = ask({ ...OPEN, [`${BASE}k/api/manifests/t`]: json({ manifests }) });
  expect(await answer).toEqual({ missing: 'reg.test/k/api:t has no image for linux/amd64' });
});

test('an image without labels has no revision', async () => {
  const { answer } = ask({
    ...OPEN,
    [`${BASE}k/api/manifests/t`]: image,
    [`${BASE}k/api/blobs/sha256:cfg`]: json({ config: {} }),
  });
  expect(await answer).toEqual({ digest: 'sha256:abc', revision: undefined });
});

test.each([
  [404, 'reg.test/k/api:t is not in the registry'],
  [401, 'reg.test/k/api:t cannot be pulled anonymously (HTTP 401)'],
  [403, 'reg.test/k/api:t cannot be pulled anonymously (HTTP 403)'],
  [503, 'the registry answered HTTP 503 for reg.test/k/api:t'],
])('HTTP %i is told', async (status, missing) => {
  expect(await ask({ ...OPEN, [`${BASE}k/api/manifests/t`]: json({}, status) }).answer).toEqual({ missing });
});

test('the challenge’s token is fetched for the one repository, and sent', async () => {
  const challenge = { 'www-authenticate': 'Bearer realm="https://auth.test/token",service="reg.test"' };
  const { outside, answer } = ask({
    [BASE]: json({}, 401, challenge),
    'GET https://auth.test/token?service=reg.test&scope=repository%3Ak%2Fapi%3Apull': json({ token: 'anonymous' }),
    [`${BASE}k/api/manifests/t`]: image,
    [`${BASE}k/api/blobs/sha256:cfg`]: config,
  });
  expect(await answer).toMatchObject({ revision: 'c0ffee' });
  expect(outside.requests.at(-1)?.headers?.['authorization']).toBe('Bearer anonymous');
});

test('a blob’s store, to which it is redirected, does not get our token', async () => {
  const challenge = { 'www-authenticate': 'Bearer realm="https://auth.test/token"' };
  const { outside, answer } = ask({
    [BASE]: json({}, 401, challenge),
    'GET https://auth.test/token?scope=repository%3Ak%2Fapi%3Apull': json({ token: 'anonymous' }),
    [`${BASE}k/api/manifests/t`]: image,
    [`${BASE}k/api/blobs/sha256:cfg`]: { status: 307, headers: { location: 'https://store.test/x?sig=1' }, body: '' },
    'GET https://store.test/x?sig=1': config,
  });
  expect(await answer).toMatchObject({ revision: 'c0ffee' });
  expect(outside.requests.at(-1)?.headers).toBeUndefined();
});

test.each([
  ['127.0.0.1:5000/k/api', 'http://127.0.0.1:5000'],
  ['localhost:5000/k/api', 'http://localhost:5000'],
  ['127.example.com/k/api', 'https://127.example.com'],
])('%s is asked at %s', async (repository, base) => {
  const { answer } = ask(
    { [`GET ${base}/v2/`]: json({}), [`GET ${base}/v2/k/api/manifests/t`]: json({}, 404) },
    repository,
  );
  expect(await answer).toHaveProperty('missing');
});
