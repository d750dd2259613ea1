/** Images as an anonymous puller sees them: what a cluster without a pull secret gets. */
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { Http, HttpAnswer, HttpRequest } from '../base/http.ts';
import { isDigest } from '../base/outside-names.ts';
import { parsedJson } from '../base/parsed-json.ts';
import { oneLine } from '../base/say.ts';
import type { Secret } from '../base/secret.ts';
import { tell } from '../base/telling.ts';

export interface PublishedImage {
  /** sha256:… of the manifest that the tag names. */
  digest: string;
  /** Label org.opencontainers.image.revision. */
  revision: string | undefined;
  /** Linux architectures that it runs on (amd64, arm64). */
  architectures: string[];
}

/** `refused`: the registry does not say whether the tag is there (a private GHCR package answers so for any tag). */
export interface MissingImage {
  missing: string;
  refused: boolean;
}

export interface Puller {
  http: Http;
  clock: Clock;
  /** Who asks; anonymous without. */
  login?: { user: string; token: Secret };
}

const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

const ManifestShape = z.object({
  config: z.object({ digest: z.string() }).optional(),
  manifests: z
    .array(
      z.object({
        digest: z.string(),
        platform: z.object({ architecture: z.string(), os: z.string().default('linux') }).optional(),
      }),
    )
    .optional(),
});
const ConfigShape = z.object({
  // OCI demands it; images of the first Docker had none and were amd64.
  architecture: z.string().default('amd64'),
  config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
});
/** Docker's token API lets a service choose the name. */
const TokenShape = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/** The registry asks to slow down, or is ill for a moment. */
const PASSES: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);
const AGAIN_MS = [1000, 2000, 4000];
const LONGEST_PAUSE_MS = 20_000;
const TIMEOUT_MS = 10_000;
/** Of time-outs there are two, of refused connections four. */
const LONGEST_SILENCE_MS = 15_000;

/**
 * The image that host/path:tag names, or why the puller does not get it.
 * @throws Failure where the registry gives no answer to rely on: that says nothing about the tag
 */
export async function publishedImage(
  puller: Puller,
  repository: string,
  tag: string,
): Promise<PublishedImage | MissingImage> {
  const pull = await pullOf(puller, repository);
  const answer = await pull(`manifests/${tag}`, { accept: ACCEPT });
  if (answer.status === 404) return { missing: `${repository}:${tag} is not in the registry`, refused: false };
  if (answer.status === 401 || answer.status === 403)
    return {
      missing: `${repository}:${tag} cannot be pulled ${puller.login ? `by ${puller.login.user}` : 'anonymously'} (HTTP ${answer.status})`,
      refused: true,
    };
  const digest = String(answer.headers['docker-content-digest'] ?? '');
  const manifest = read(answer, ManifestShape, `${repository}:${tag}`);
  const configOf = async (digestOfConfig: string): Promise<z.output<typeof ConfigShape>> =>
    read(await pull(`blobs/${checked(digestOfConfig, repository)}`, {}), ConfigShape, `${repository}:${tag}`);
  if (manifest.config) {
    const { architecture, config } = await configOf(manifest.config.digest);
    return { digest, revision: revisionOf(config), architectures: [architecture] };
  }
  // Attestations stand in an index as platform unknown/unknown.
  const images = (manifest.manifests ?? []).filter((m) => m.platform?.os === 'linux');
  const [first] = images;
  if (!first) return { digest, revision: undefined, architectures: [] };
  const child = await pull(`manifests/${checked(first.digest, repository)}`, { accept: ACCEPT });
  const config = read(child, ManifestShape, `${repository}@${first.digest}`).config;
  return {
    digest,
    revision: config && revisionOf((await configOf(config.digest)).config),
    architectures: images.map((m) => m.platform?.architecture ?? ''),
  };
}

/** Where an image's registry is spoken to, as Docker reads its name: without a host it lies on Docker Hub. */
export function registryHost(repository: string): string {
  const [first = ''] = repository.split('/');
  const isHost = /[.:]/.test(first) || first === 'localhost';
  return !isHost || first === 'index.docker.io' ? 'docker.io' : first;
}

/** Host and path of a repository at the API. */
function placeOf(repository: string): { host: string; path: string } {
  const host = registryHost(repository);
  const path = /^[^/]*[.:]|^localhost\//.test(repository) ? repository.slice(repository.indexOf('/') + 1) : repository;
  if (host !== 'docker.io') return { host, path };
  return { host: 'registry-1.docker.io', path: path.includes('/') ? path : `library/${path}` };
}

function revisionOf(config: z.output<typeof ConfigShape>['config']): string | undefined {
  return config?.Labels?.['org.opencontainers.image.revision'];
}

/** What an answer says. @throws Failure for a refusal, a web page, another shape */
function read<T>(answer: HttpAnswer, shape: z.ZodType<T>, of: string): T {
  const found = answer.status === 200 ? shape.safeParse(parsedJson(answer.body)) : undefined;
  if (found?.success) return found.data;
  throw new Failure({
    what: `the registry does not say what ${of} is (HTTP ${answer.status}); nothing was pushed`,
    wanted: 'an answer of the registry API v2, in JSON',
    found: oneLine(answer.body, 200) || 'no text',
    next:
      answer.status === 200
        ? 'look at IMAGE_REGISTRY: something answers there that is no registry (a web site, a proxy)'
        : 'rerun the same command to resume once the registry answers',
  });
}

/** Docker's own rule: loopback registries are spoken to without TLS. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3})(:\d+)?$/;

/** GETs of a repository, with the token that the registry's challenge names. */
async function pullOf(
  puller: Puller,
  repository: string,
): Promise<(path: string, headers: Record<string, string>) => Promise<HttpAnswer>> {
  const { host, path } = placeOf(repository);
  const base = `${LOOPBACK.test(host) ? 'http' : 'https'}://${host}`;
  const authorization = await authorizationFor(puller, host, await patient(puller, { url: `${base}/v2/` }), path);
  const get = async (url: string, headers: Record<string, string>): Promise<HttpAnswer> => {
    const answer = await patient(puller, { url, headers });
    const location = answer.headers['location'];
    // Blobs are redirected to a store that must not get our header.
    return answer.status >= 300 && answer.status < 400 && typeof location === 'string'
      ? patient(puller, { url: storeOf(new URL(location, url), host).href })
      : answer;
  };
  return (rest, headers) =>
    get(`${base}/v2/${path}/${rest}`, { ...headers, ...(authorization ? { authorization } : {}) });
}

/** The answer, asked for again while the registry asks for patience, for as long as it says. @throws Failure where none comes */
async function patient({ http, clock }: Puller, request: HttpRequest): Promise<HttpAnswer> {
  const started = clock.now();
  for (let tries = 0; ; tries++) {
    const answer = await http({ ...request, timeoutMs: TIMEOUT_MS }).catch((error: unknown) => error);
    const ms = AGAIN_MS[tries];
    if (isAnswer(answer)) {
      if (!PASSES.has(answer.status) || ms === undefined) return answer;
      const asked = Number(answer.headers['retry-after'] ?? 0) * 1000;
      const pause = asked > 0 ? Math.min(asked, LONGEST_PAUSE_MS) : ms;
      tell(`the registry answers HTTP ${answer.status}, asks again in ${pause / 1000} s`);
      await clock.sleep(pause);
    } else {
      if (ms === undefined || clock.now() - started >= LONGEST_SILENCE_MS) throw silent(request.url, answer);
      await clock.sleep(ms);
    }
  }
}

function isAnswer(answer: unknown): answer is HttpAnswer {
  return !(answer instanceof Error);
}

function silent(url: string, cause: unknown): Failure {
  const { host } = new URL(url);
  return new Failure({
    what: `the registry ${host} does not answer: ${cause instanceof Error ? oneLine(cause.message, 200) : 'no reason given'}`,
    found: 'that says nothing about the image: nothing was pushed',
    next: 'rerun the same command to resume once the registry answers',
    cause,
  });
}

async function authorizationFor(
  puller: Puller,
  host: string,
  challenge: HttpAnswer,
  path: string,
): Promise<string | undefined> {
  const { login } = puller;
  const header = String(challenge.headers['www-authenticate'] ?? '');
  const basic = login && `Basic ${Buffer.from(`${login.user}:${login.token.reveal()}`).toString('base64')}`;
  if (/^basic\b/i.test(header)) return basic;
  const realm = /realm="([^"]+)"/.exec(header)?.[1];
  if (!realm) return undefined;
  const url = URL.parse(realm);
  if (!url || !belongsTo(url, host))
    throw new Failure({
      what: `the registry ${host} sends for a token to where none of its own can be`,
      wanted: `https:// at ${host}, or beside it in the same domain`,
      found: oneLine(realm, 200),
      next: 'look at IMAGE_REGISTRY; a proxy between here and the registry may have answered',
    });
  const service = /service="([^"]+)"/.exec(header)?.[1];
  if (service) url.searchParams.set('service', service);
  url.searchParams.set('scope', `repository:${path}:pull`);
  const answer = await patient(puller, { url: url.href, ...(basic ? { headers: { authorization: basic } } : {}) });
  // GHCR gives no token for what is private; the manifest's own answer then tells that.
  if (answer.status === 401 || answer.status === 403) return undefined;
  const { token, access_token } = read(answer, TokenShape, `a token for ${path}`);
  const given = token ?? access_token;
  return given === undefined ? undefined : `Bearer ${given}`;
}

/** True for the registry itself, a host beneath it, and its neighbours in the same domain (auth.docker.io of registry-1.docker.io). */
function belongsTo(url: URL, registry: string): boolean {
  if (LOOPBACK.test(registry)) return url.host === registry;
  if (url.protocol !== 'https:') return false;
  const own = new URL(`https://${registry}`).hostname;
  const parent = own.split('.').slice(1).join('.');
  const homes = parent.includes('.') ? [own, parent] : [own];
  return homes.some((home) => url.hostname === home || url.hostname.endsWith(`.${home}`));
}

/** Where a blob lies is the registry's to say, but never in the clear. @throws Failure */
function storeOf(url: URL, registry: string): URL {
  if (url.protocol === 'https:' || (LOOPBACK.test(registry) && url.host === registry)) return url;
  throw new Failure({
    what: `the registry ${registry} sends for a blob to another place without TLS`,
    found: oneLine(url.href, 200),
    next: 'look at IMAGE_REGISTRY; a proxy between here and the registry may have answered',
  });
}

/** @throws Failure for what is no digest: it becomes part of a URL */
function checked(digest: string, repository: string): string {
  if (isDigest(digest)) return digest;
  throw new Failure({
    what: `${repository}: the registry names an image by what is no digest`,
    found: oneLine(digest, 200),
    next: 'look at IMAGE_REGISTRY',
  });
}
