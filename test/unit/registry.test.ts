import { expect, test } from 'vitest';
import type { HttpAnswer } from '../../lib/base/http.ts';
import { listening } from '../../lib/base/telling.ts';
import { publishedImage, registryHost } from '../../lib/clients/registry.ts';
import { fakeOutside, json } from './outside.ts';

const BASE = 'GET https://reg.test/v2/';
const OPEN = { [BASE]: json({}) };
const DIGEST = { 'docker-content-digest': 'sha256:abc' };
const config = json({ config: { Labels: { 'org.opencontainers.image.revision': 'c0ffee' } } });
const image = json({ config: { digest: 'sha256:cfg' } }, 200, DIGEST);

const ask = (http: Record<string, HttpAnswer>, repository = 'reg.test/k/api') => {
  const outside = fakeOutside({ http });
  return { outside, answer: publishedImage(outside, repository, 't') };
};

test('digest and revision of a single manifest', async () => {
  const { answer } = ask({ ...OPEN, [`${BASE}k/api/manifests/t`]: image, [`${BASE}k/api/blobs/sha256:cfg`]: config });
  expect(await answer).toEqual({ digest: 'sha256:abc', revision: 'c0ffee', architectures: ['amd64'] });
});

test('an index: its digest, its images, which an attestation is none of, and their revision', async () => {
  const manifests = [
    { digest: 'sha256:amd', platform: { architecture: 'amd64', os: 'linux' } },
    { digest: 'sha256:arm', platform: { architecture: 'arm64', os: 'linux' } },
    { digest: 'sha256:att', platform: { architecture: 'unknown', os: 'unknown' } },
  ];
  const { answer } = ask({
    ...OPEN,
    [`${BASE}k/api/manifests/t`]: json({ manifests }, 200, DIGEST),
    [`${BASE}k/api/manifests/sha256:amd`]: image,
    [`${BASE}k/api/blobs/sha256:cfg`]: config,
  });
  expect(await answer).toEqual({ digest: 'sha256:abc', revision: 'c0ffee', architectures: ['amd64', 'arm64'] });
});

test('an index of attestations alone is for no platform', async () => {
  const manifests = [{ digest: 'sha256:att', platform: { architecture: 'unknown', os: 'unknown' } }];
  const { answer } = ask({ ...OPEN, [`${BASE}k/api/manifests/t`]: json({ manifests }, 200, DIGEST) });
  expect(await answer).toMatchObject({ architectures: [] });
});

test('a single manifest is for the platform that its configuration says', async () => {
  const { answer } = ask({
    ...OPEN,
    [`${BASE}k/api/manifests/t`]: image,
    [`${BASE}k/api/blobs/sha256:cfg`]: json({ architecture: 'arm64', os: 'linux', config: {} }),
  });
  expect(await answer).toMatchObject({ architectures: ['arm64'] });
});

test('an image without labels has no revision', async () => {
  const { answer } = ask({
    ...OPEN,
    [`${BASE}k/api/manifests/t`]: image,
    [`${BASE}k/api/blobs/sha256:cfg`]: json({ config: {} }),
  });
  expect(await answer).toMatchObject({ digest: 'sha256:abc', revision: undefined });
});

test.each([
  [404, 'reg.test/k/api:t is not in the registry', false],
  [401, 'reg.test/k/api:t cannot be pulled anonymously (HTTP 401)', true],
  [403, 'reg.test/k/api:t cannot be pulled anonymously (HTTP 403)', true],
])('HTTP %i is told', async (status, missing, refused) => {
  expect(await ask({ ...OPEN, [`${BASE}k/api/manifests/t`]: json({}, status) }).answer).toEqual({ missing, refused });
});

/** Answers one after the other; the last one for good. */
function inTurn(...answers: HttpAnswer[]): () => HttpAnswer {
  return () => (answers.length > 1 ? answers.shift() : answers[0]) as HttpAnswer;
}

test.each([429, 500, 502, 503, 504])('HTTP %i passes, or says nothing about the tag', async (status) => {
  const ill = json({ errors: [{ code: 'TOOMANYREQUESTS' }] }, status);
  const blob = { [`${BASE}k/api/blobs/sha256:cfg`]: config };
  const passing = fakeOutside({ http: { ...OPEN, ...blob, [`${BASE}k/api/manifests/t`]: inTurn(ill, image) } });
  expect(await publishedImage(passing, 'reg.test/k/api', 't')).toMatchObject({ revision: 'c0ffee' });
  expect(passing.sleeps).toEqual([1000]);
  const { outside, answer } = ask({ ...OPEN, [`${BASE}k/api/manifests/t`]: ill });
  await expect(answer).rejects.toMatchObject({
    message: `the registry does not say what reg.test/k/api:t is (HTTP ${status}); nothing was pushed`,
    parts: { found: expect.stringContaining('TOOMANYREQUESTS') as string },
  });
  expect(outside.sleeps).toEqual([1000, 2000, 4000]);
});

test.each([
  ['a connection that breaks', 0, 4],
  ['a time-out', 10_000, 2],
])('%s passes, or says nothing about the tag either', async (_, ms, most) => {
  const away = (times: number) => {
    const outside = fakeOutside({
      http: {
        ...OPEN,
        [`${BASE}k/api/manifests/t`]: () => {
          if (times-- <= 0) return json({}, 404);
          outside.clock.advance(ms);
          throw new Error('no answer from reg.test within 10 s');
        },
      },
    });
    return outside;
  };
  expect(await publishedImage(away(1), 'reg.test/k/api', 't')).toMatchObject({ refused: false });
  const outside = away(Infinity);
  await expect(publishedImage(outside, 'reg.test/k/api', 't')).rejects.toThrow(
    'the registry reg.test does not answer: no answer from reg.test within 10 s',
  );
  expect(outside.requests.filter((r) => r.url.endsWith('/t'))).toHaveLength(most);
});

test('the pause that a registry asks for is kept, up to a bound', async () => {
  const slow = json({}, 429, { 'retry-after': '7' });
  const hour = json({}, 429, { 'retry-after': '3600' });
  const { clock, http, sleeps } = fakeOutside({
    http: { ...OPEN, [`${BASE}k/api/manifests/t`]: inTurn(slow, hour, json({}, 404)) },
  });
  const told: string[] = [];
  const listen = (text: string): number => told.push(text);
  expect(await listening.run(listen, () => publishedImage({ clock, http }, 'reg.test/k/api', 't'))).toHaveProperty(
    'missing',
  );
  expect(told[0]).toBe('the registry answers HTTP 429, asks again in 7 s');
  expect(sleeps).toEqual([7000, 20_000]);
});

test.each([
  ['the token service', 'GET https://auth.reg.test/token?scope=repository%3Ak%2Fapi%3Apull'],
  ['the manifest', `${BASE}k/api/manifests/t`],
  ['the configuration', `${BASE}k/api/blobs/sha256:cfg`],
])('a web page or an illness in place of %s is no absence', async (_, url) => {
  const challenge = { 'www-authenticate': 'Bearer realm="https://auth.reg.test/token"' };
  const whole = {
    [BASE]: json({}, 401, challenge),
    'GET https://auth.reg.test/token?scope=repository%3Ak%2Fapi%3Apull': json({ token: 'anonymous' }),
    [`${BASE}k/api/manifests/t`]: image,
    [`${BASE}k/api/blobs/sha256:cfg`]: config,
  };
  for (const odd of [{ status: 200, headers: {}, body: '<html>welcome</html>' }, json({}, 503)])
    await expect(ask({ ...whole, [url]: odd }).answer).rejects.toThrow('does not say what');
});

test('a token by its other name', async () => {
  const challenge = { 'www-authenticate': 'Bearer realm="https://auth.reg.test/token"' };
  const { outside, answer } = ask({
    [BASE]: json({}, 401, challenge),
    'GET https://auth.reg.test/token?scope=repository%3Ak%2Fapi%3Apull': json({ access_token: 'anonymous' }),
    [`${BASE}k/api/manifests/t`]: json({}, 404),
  });
  expect(await answer).toMatchObject({ refused: false });
  expect(outside.requests.at(-1)?.headers?.['authorization']).toBe('Bearer anonymous');
});

test('a registry that asks for a password by Basic is one that nobody pulls from anonymously', async () => {
  const challenge = { 'www-authenticate': 'Basic realm="Registry Realm"' };
  const http = { [BASE]: json({}, 401, challenge), [`${BASE}k/api/manifests/t`]: json({}, 401) };
  expect(await ask(http).answer).toMatchObject({ refused: true });
});

test.each([
  ['docker.io/k/api', 'k/api'],
  ['index.docker.io/k/api', 'k/api'],
  ['docker.io/api', 'library/api'],
  ['k/api', 'k/api'],
])('%s lies on Docker Hub, whose API has a host of its own', async (repository, path) => {
  const hub = 'GET https://registry-1.docker.io/v2/';
  const { answer } = ask({ [hub]: json({}), [`${hub}${path}/manifests/t`]: json({}, 404) }, repository);
  expect(await answer).toEqual({ missing: `${repository}:t is not in the registry`, refused: false });
  expect(registryHost(repository)).toBe('docker.io');
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
