/** A Cloud Storage bucket as its JSON API shows it. */
import { createHash } from 'node:crypto';
import type { HttpAnswer, HttpRequest } from '../../lib/base/http.ts';
import { json, type World } from './outside.ts';

const BASE = 'https://storage.googleapis.com';

export class FakeBucket implements World {
  readonly name: string;
  objects = new Map<string, { text: string; at: string }>();
  /** How it was made. */
  made = {
    location: 'US-CENTRAL1',
    storageClass: 'STANDARD',
    iamConfiguration: { uniformBucketLevelAccess: { enabled: true }, publicAccessPrevention: 'enforced' },
  };
  /** Names that a retention policy keeps. */
  held = new Set<string>();
  /** Objects a page of a list. */
  page = 2;
  /** What is done to a text on its way in. */
  damage = (text: string): string => text;
  /** When the next object is made. */
  now = '2026-01-01T00:00:00Z';
  /** True: the answer to the next upload is lost. */
  losesAnswer = false;

  constructor(name: string) {
    this.name = name;
  }

  request = ({ method = 'GET', url, headers, text }: HttpRequest): HttpAnswer | undefined => {
    if (!url.startsWith(`${BASE}/`)) return undefined;
    if (headers?.['authorization'] !== 'Bearer ya29.unit-access-token') return json({}, 401);
    const { pathname, searchParams: query } = new URL(url);
    if (pathname === `/storage/v1/b/${this.name}`) return json({ name: this.name, ...this.made });
    const [, upload, bucket, object] = /^(\/upload)?\/storage\/v1\/b\/([^/]+)\/o(?:\/(.+))?$/.exec(pathname) ?? [];
    if (bucket !== this.name) return json({ error: { message: 'The specified bucket does not exist.' } }, 404);
    const name = decodeURIComponent(object ?? query.get('name') ?? '');
    const found = this.objects.get(name);
    if (upload) {
      if (method !== 'POST' || query.get('ifGenerationMatch') !== '0' || text === undefined) return undefined;
      if (found) return json({ error: { message: 'conditionNotMet' } }, 412);
      this.objects.set(name, { text: this.damage(text), at: this.now });
      if (!this.losesAnswer) return this.#resource(name);
      this.losesAnswer = false;
      return json({ error: { message: 'Backend Error' } }, 503);
    }
    if (object === undefined) return this.#list(query);
    if (!found) return json({ error: { message: 'No such object' } }, 404);
    if (method === 'DELETE') {
      if (this.held.has(name)) return json({ error: { message: 'retentionPolicyNotMet' } }, 403);
      this.objects.delete(name);
      return { status: 204, headers: {}, body: '' };
    }
    return query.get('alt') === 'media' ? { status: 200, headers: {}, body: found.text } : this.#resource(name);
  };

  #list(query: URLSearchParams): HttpAnswer {
    const names = [...this.objects.keys()].filter((n) => n.startsWith(query.get('prefix') ?? '')).sort();
    const from = Number(query.get('pageToken') ?? 0);
    const items = names
      .slice(from, from + this.page)
      .map((name) => ({ name, timeCreated: this.objects.get(name)?.at }));
    const more = from + this.page < names.length ? { nextPageToken: String(from + this.page) } : {};
    return json({ items, ...more });
  }

  #resource(name: string): HttpAnswer {
    const { text = '', at } = this.objects.get(name) ?? {};
    return json({ name, timeCreated: at, md5Hash: createHash('md5').update(text).digest('base64') });
  }
}
