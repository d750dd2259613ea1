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
  const challenge = { 'www-authenticate': 'Bearer realm="https://auth.reg.test/token",service="reg.test"' };
  const { outside, answer } = ask({
    [BASE]: json({}, 401, challenge),
    'GET https://auth.reg.test/token?service=reg.test&scope=repository%3Ak%2Fapi%3Apull': json({ token: 'anonymous' }),
    [`${BASE}k/api/manifests/t`]: image,
    [`${BASE}k/api/blobs/sha256:cfg`]: config,
  });
  expect(await answer).toMatchObject({ revision: 'c0ffee' });
  expect(outside.requests.at(-1)?.headers?.['authorization']).toBe('Bearer anonymous');
});

test('a blob’s store, to which it is redirected, does not get our token', async () => {
  const challenge = { 'www-authenticate': 'Bearer realm="https://auth.reg.test/token"' };
  const { outside, answer } = ask({
    [BASE]: json({}, 401, challenge),
    'GET https://auth.reg.test/token?scope=repository%3Ak%2Fapi%3Apull': json({ token: 'anonymous' }),
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

test.each([
  ['reg.example.com/k/api', 'http://reg.example.com/token', 'in the clear'],
  ['reg.example.com/k/api', 'https://evil.test/token', 'elsewhere'],
  ['reg.example.com/k/api', 'https://169.254.169.254/computeMetadata/v1/token', 'the metadata server'],
  ['reg.example.com/k/api', 'https://example.com.evil.test/token', 'a name that ends otherwise'],
  ['reg.example.com/k/api', 'https://evilexample.com/token', 'a name that only ends so'],
  ['reg.example.com/k/api', 'https://reg.example.com@evil.test/token', 'a user that looks like the host'],
  ['reg.example.com/k/api', 'file:///etc/passwd', 'a file'],
  ['reg.example.com/k/api', 'no URL at all', 'no URL'],
  ['ghcr.io/k/api', 'https://evil.io/token', 'a neighbour under a public suffix'],
  ['127.0.0.1:5000/k/api', 'http://127.0.0.1:6379/token', 'another port of this machine'],
])('%s: the realm %s is not followed (%s)', async (repository, realm) => {
  const base = repository.startsWith('127') ? 'http' : 'https';
  const host = repository.split('/')[0] ?? '';
  const { outside, answer } = ask(
    { [`GET ${base}://${host}/v2/`]: json({}, 401, { 'www-authenticate': `Bearer realm="${realm}"` }) },
    repository,
  );
  await expect(answer).rejects.toThrow(`the registry ${host} sends for a token to where none of its own can be`);
  expect(outside.requests).toHaveLength(1);
});

test.each([
  ['registry-1.docker.io/k/api', 'https://auth.docker.io/token'],
  ['registry.gitlab.com/k/api', 'https://gitlab.com/jwt/auth'],
  ['ghcr.io/k/api', 'https://ghcr.io/token'],
  ['us-docker.pkg.dev/k/api', 'https://us-docker.pkg.dev/v2/token'],
  ['127.0.0.1:5000/k/api', 'http://127.0.0.1:5000/token'],
])('%s: the realm %s is its own', async (repository, realm) => {
  const [host = '', ...path] = repository.split('/');
  const base = `GET ${repository.startsWith('127') ? 'http' : 'https'}://${host}/v2/`;
  const scope = encodeURIComponent(`repository:${path.join('/')}:pull`);
  const { answer } = ask(
    {
      [base]: json({}, 401, { 'www-authenticate': `Bearer realm="${realm}"` }),
      [`GET ${realm}?scope=${scope}`]: json({ token: 'anonymous' }),
      [`${base}${path.join('/')}/manifests/t`]: json({}, 404),
    },
    repository,
  );
  expect(await answer).toHaveProperty('missing');
});

test('a digest that is none does not become part of a URL, and a blob is not fetched in the clear', async () => {
  const bad = ask({ ...OPEN, [`${BASE}k/api/manifests/t`]: json({ config: { digest: '../../../other/blobs/x' } }) });
  await expect(bad.answer).rejects.toThrow('by what is no digest');
  const clear = ask({
    ...OPEN,
    [`${BASE}k/api/manifests/t`]: image,
    [`${BASE}k/api/blobs/sha256:cfg`]: { status: 307, headers: { location: 'http://169.254.169.254/' }, body: '' },
  });
  await expect(clear.answer).rejects.toThrow('without TLS');
});
