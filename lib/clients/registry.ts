/** Images as an anonymous puller sees them: what a cluster without a pull secret gets. */
import { Failure } from '../base/failure.ts';
import type { Http, HttpAnswer } from '../base/http.ts';
import { isDigest } from '../base/outside-names.ts';
import { oneLine } from '../base/say.ts';

export interface PublishedImage {
  /** sha256:… of the manifest that the tag names. */
  digest: string;
  /** Label org.opencontainers.image.revision. */
  revision: string | undefined;
}

const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/**
 * The image that host/path:tag names, or why an anonymous puller does not get it.
 * A private GHCR package answers 401 or 403 even for a tag that exists.
 */
export async function publishedImage(
  http: Http,
  repository: string,
  tag: string,
): Promise<PublishedImage | { missing: string }> {
  const pull = await anonymousPull(http, repository);
  const answer = await pull(`manifests/${tag}`, { accept: ACCEPT });
  if (answer.status === 404) return { missing: `${repository}:${tag} is not in the registry` };
  if (answer.status === 401 || answer.status === 403)
    return { missing: `${repository}:${tag} cannot be pulled anonymously (HTTP ${answer.status})` };
  if (answer.status !== 200) return { missing: `the registry answered HTTP ${answer.status} for ${repository}:${tag}` };
  const digest = String(answer.headers['docker-content-digest'] ?? '');
  let manifest = JSON.parse(answer.body) as {
    config?: { digest: string };
    manifests?: { digest: string; platform?: { architecture: string } }[];
  };
  const child = manifest.manifests?.find((m) => m.platform?.architecture === 'amd64');
  if (child)
    manifest = JSON.parse(
      (await pull(`manifests/${checked(child.digest, repository)}`, { accept: ACCEPT })).body,
    ) as typeof manifest;
  if (!manifest.config) return { missing: `${repository}:${tag} has no image for linux/amd64` };
  const config = JSON.parse((await pull(`blobs/${checked(manifest.config.digest, repository)}`, {})).body) as {
    config?: { Labels?: Record<string, string> };
  };
  return { digest, revision: config.config?.Labels?.['org.opencontainers.image.revision'] };
}

/** Docker's own rule: loopback registries are spoken to without TLS. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3})(:\d+)?$/;

/** GETs of a repository, with the anonymous token that the registry's challenge names. */
async function anonymousPull(
  http: Http,
  repository: string,
): Promise<(path: string, headers: Record<string, string>) => Promise<HttpAnswer>> {
  const [host = '', ...path] = repository.split('/');
  const base = `${LOOPBACK.test(host) ? 'http' : 'https'}://${host}`;
  const token = await anonymousToken(http, host, await http({ url: `${base}/v2/` }), path.join('/'));
  const get = async (url: string, headers: Record<string, string>): Promise<HttpAnswer> => {
    const answer = await http({ url, headers });
    const location = answer.headers['location'];
    // Blobs are redirected to a store that must not get our header.
    return answer.status >= 300 && answer.status < 400 && typeof location === 'string'
      ? http({ url: storeOf(new URL(location, url), host).href })
      : answer;
  };
  return (rest, headers) =>
    get(`${base}/v2/${path.join('/')}/${rest}`, { ...headers, ...(token ? { authorization: `Bearer ${token}` } : {}) });
}

async function anonymousToken(
  http: Http,
  host: string,
  challenge: HttpAnswer,
  path: string,
): Promise<string | undefined> {
  const header = String(challenge.headers['www-authenticate'] ?? '');
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
  const answer = await http({ url: url.href });
  return answer.status === 200 ? (JSON.parse(answer.body) as { token?: string }).token : undefined;
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
