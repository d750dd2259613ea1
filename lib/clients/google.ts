/** Google Cloud's REST API, with one token: a gcloud start costs a second. It reads; changes are the plan's gcloud commands (gcloud.ts; docs/architecture.md rule 13), but for objects in a bucket, of which the plan knows nothing. */
import { createSign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import type { Run } from '../base/command.ts';
import { Failure } from '../base/failure.ts';
import type { Http, HttpAnswer, HttpRequest } from '../base/http.ts';
import { parsedJson } from '../base/parsed-json.ts';
import { tell } from '../base/telling.ts';
import { isRateLimit, refused } from './google-refusal.ts';
import { gcloudProperties, type GcloudProperties } from './gcloud-config.ts';
import { underway } from '../base/underway.ts';
import { Secret } from '../base/secret.ts';
import { z } from 'zod';
import {
  AccountShape,
  AddressShape,
  BucketShape,
  KeysShape,
  ObjectsShape,
  PermissionsShape,
  PolicyShape,
  RecordsShape,
  StoredObjectShape,
  ZoneShape,
  ZonesShape,
  type Address,
  type Binding,
  type Bucket,
  type ManagedZone,
  type RecordSet,
  type ServiceAccount,
  type StoredObject,
} from './google-shapes.ts';

type Service = 'compute' | 'dns' | 'iam' | 'cloudresourcemanager' | 'storage';

/** What follows a service's host; gcloud's endpoint overrides hold it, too. */
const PATHS: Record<Service, string> = {
  compute: 'compute/v1/',
  dns: '',
  iam: '',
  cloudresourcemanager: '',
  storage: 'storage/v1/',
};
const UNIVERSE = 'googleapis.com';

/** Google asks to slow down, or a server of it is ill for a moment: a read is tried again so much later, as gcloud does with its own. */
const PASSES: ReadonlySet<number> = new Set([500, 502, 503, 504]);
const AGAIN_MS = [1000, 2000, 4000];
/** Objects are as large as what Redis holds. */
const OBJECT_MS = 300_000;
/** A limit of a minute is over after one: 75 s in all. */
const NEXT_MINUTE_MS = [1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000];

export interface ServiceAccountKey {
  id: string;
  /** Neither disabled nor expired. */
  usable: boolean;
  /** Milliseconds since the epoch; undefined where Google does not say. */
  madeAt: number | undefined;
}

/** The project's resources. */
export class Google {
  readonly project: string;
  readonly region: string;
  readonly #run: Run;
  readonly #http: Http;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #property: GcloudProperties;
  readonly #clock: Clock;
  #token: Promise<Secret> | undefined;
  readonly #asked = new Map<string, Promise<unknown>>();

  constructor(
    run: Run,
    http: Http,
    where: { project: string; region: string },
    environment: Readonly<Record<string, string>>,
    clock: Clock,
  ) {
    if (where.project.trim() === '')
      throw new Failure({
        what: 'a call to Google without a project was refused',
        next: 'this is a fault of the runbook',
      });
    this.#run = run;
    this.#http = http;
    this.#environment = environment;
    this.#property = gcloudProperties(environment);
    this.#clock = clock;
    this.project = where.project;
    this.region = where.region;
  }

  address(name: string): Promise<Address | undefined> {
    return this.#get('compute', `projects/${this.project}/regions/${this.region}/addresses/${name}`, AddressShape);
  }

  /** The address of that name outside all regions, which no Service can use. */
  globalAddress(name: string): Promise<Address | undefined> {
    return this.#get('compute', `projects/${this.project}/global/addresses/${name}`, AddressShape);
  }

  zone(name: string): Promise<ManagedZone | undefined> {
    return this.#get('dns', `dns/v1/projects/${this.project}/managedZones/${name}`, ZoneShape);
  }

  /** All zones of that DNS name, private ones too. @param dnsName with its closing dot */
  async zonesOf(dnsName: string): Promise<ManagedZone[]> {
    const query = new URLSearchParams({ dnsName });
    const path = `dns/v1/projects/${this.project}/managedZones?${query.toString()}`;
    return (await this.#get('dns', path, ZonesShape))?.managedZones ?? [];
  }

  /** @param name with its closing dot */
  async record(zone: string, name: string, type: string): Promise<RecordSet | undefined> {
    return (await this.#records(zone, { name, type }))[0];
  }

  /** All records of the name, of whatever type. @param name with its closing dot */
  records(zone: string, name: string): Promise<RecordSet[]> {
    return this.#records(zone, { name });
  }

  async #records(zone: string, query: Record<string, string>): Promise<RecordSet[]> {
    const path = `dns/v1/projects/${this.project}/managedZones/${zone}/rrsets?${new URLSearchParams(query).toString()}`;
    return (await this.#get('dns', path, RecordsShape))?.rrsets ?? [];
  }

  serviceAccount(email: string): Promise<ServiceAccount | undefined> {
    return this.#get('iam', `v1/projects/${this.project}/serviceAccounts/${email}`, AccountShape);
  }

  /** The account's user-managed keys. */
  async keys(email: string): Promise<ServiceAccountKey[]> {
    const path = `v1/projects/${this.project}/serviceAccounts/${email}/keys?keyTypes=USER_MANAGED`;
    return ((await this.#get('iam', path, KeysShape))?.keys ?? []).map((k) => ({
      id: k.name.split('/').at(-1) ?? '',
      usable: k.disabled !== true && !(Date.parse(k.validBeforeTime ?? '') <= this.#clock.now()),
      madeAt: k.validAfterTime === undefined ? undefined : Date.parse(k.validAfterTime),
    }));
  }

  /** The project's IAM bindings. */
  async bindings(): Promise<Binding[]> {
    const answer = await this.#get('cloudresourcemanager', `v1/projects/${this.project}:getIamPolicy`, PolicyShape, {
      options: { requestedPolicyVersion: 3 },
    });
    return answer?.bindings ?? [];
  }

  /** Those of the permissions that the operator has in the project; undefined where Google does not say. */
  async permitted(permissions: readonly string[]): Promise<string[] | undefined> {
    const path = `v1/projects/${this.project}:testIamPermissions`;
    return (await this.#get('cloudresourcemanager', path, PermissionsShape, { permissions }))?.permissions;
  }

  bucket(name: string): Promise<Bucket | undefined> {
    return this.#get('storage', `b/${name}`, BucketShape);
  }

  /** The bucket's objects whose names begin so; undefined where there is no such bucket. */
  async objects(bucket: string, prefix: string): Promise<StoredObject[] | undefined> {
    const found: StoredObject[] = [];
    for (let page = ''; ;) {
      const query = new URLSearchParams({ prefix, ...(page === '' ? {} : { pageToken: page }) });
      const answer = await this.#get('storage', `b/${bucket}/o?${query.toString()}`, ObjectsShape);
      if (!answer) return undefined;
      found.push(...answer.items);
      page = answer.nextPageToken;
      if (page === '') return found;
    }
  }

  /** The text of an object. @throws Failure where it is not there */
  async objectText(bucket: string, name: string): Promise<string> {
    const path = `b/${bucket}/o/${encodeURIComponent(name)}`;
    const answer = await this.#object({ url: `${this.#base('storage')}${path}?alt=media` });
    if (answer.status !== 200) throw this.#refused('storage', path, answer);
    return answer.body;
  }

  /** Makes an object that was not there. @returns it as the bucket has it @throws Failure where it may not */
  async putObject(bucket: string, name: string, text: string): Promise<StoredObject> {
    const upload = this.#base('storage').replace(/storage\/v1\/$/, 'upload/storage/v1/');
    const query = new URLSearchParams({ uploadType: 'media', name, ifGenerationMatch: '0' });
    const path = `b/${bucket}/o/${encodeURIComponent(name)}`;
    let made = await this.#object({ method: 'POST', url: `${upload}b/${bucket}/o?${query.toString()}`, text });
    // It is there: the answer to an earlier try was lost.
    if (made.status === 412) made = await this.#object({ url: this.#base('storage') + path });
    if (made.status !== 200) throw this.#refused('storage', path, made, 'the upload of');
    return StoredObjectShape.parse(JSON.parse(made.body));
  }

  /** Deletes an object. @returns false where the bucket keeps it (its own retention, or no right) @throws Failure */
  async deleteObject(bucket: string, name: string): Promise<boolean> {
    const path = `b/${bucket}/o/${encodeURIComponent(name)}`;
    const answer = await this.#object({ method: 'DELETE', url: this.#base('storage') + path });
    if (answer.status === 403) return false;
    if (![200, 204, 404].includes(answer.status)) throw this.#refused('storage', path, answer, 'the removal of');
    return true;
  }

  async #object(request: HttpRequest): Promise<HttpAnswer> {
    return this.#asUser({ ...request, timeoutMs: OBJECT_MS });
  }

  /** Whether a service account's key may read the zone: the effect of key and IAM binding together, by a self-signed token (AIP-4111). */
  async mayManageZone(key: Secret, zone: string): Promise<HttpAnswer> {
    const token = selfSignedToken(key, `https://dns.${this.#universe()}/`, this.#clock.now());
    return this.#http({
      url: `${this.#base('dns')}dns/v1/projects/${this.project}/managedZones/${zone}/rrsets?maxResults=1`,
      headers: { authorization: `Bearer ${token.reveal()}` },
    });
  }

  /** As gcloud's own: an endpoint override, else the service in the universe domain. */
  #base(service: Service): string {
    const override = this.#property('api_endpoint_overrides', service);
    if (override !== undefined) return override.endsWith('/') ? override : `${override}/`;
    return `https://${service}.${this.#universe()}/${PATHS[service]}`;
  }

  #universe(): string {
    const named = this.#property('core', 'universe_domain');
    return named ?? (this.#environment['GOOGLE_CLOUD_UNIVERSE_DOMAIN'] || UNIVERSE);
  }

  /** Steps that ask the same at the same moment share the answer. */
  async #get<T>(service: Service, path: string, shape: z.ZodType<T>, body?: unknown): Promise<T | undefined> {
    const answer = await underway(this.#asked, path, () => this.#getNow(service, path, body));
    if (answer === undefined) return undefined;
    const read = shape.safeParse(answer);
    if (read.success) return read.data;
    throw new Failure({
      what: `Google's ${service} API answered the read of ${path.split('?')[0] ?? path} in a shape that the runbook does not know`,
      found: z.prettifyError(read.error),
      next: 'look whether something answers in its place (a proxy, CLOUDSDK_API_ENDPOINT_OVERRIDES_…)',
    });
  }

  async #getNow(service: Service, path: string, body?: unknown): Promise<unknown> {
    const request = { method: body ? 'POST' : 'GET', url: this.#base(service) + path, body } as const;
    let answer = await this.#asUser(request);
    // The run may outlive the token that it began with: gcloud gives a new one.
    if (answer.status === 401) answer = await this.#asUser(request);
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw this.#refused(service, path, answer);
    // Not JSON: no shape knows a text, and its beginning is told.
    return parsedJson(answer.body) ?? answer.body.slice(0, 80);
  }

  /** The answer to a request in the operator's name; a token that is refused is used no more. */
  async #asUser(request: HttpRequest): Promise<HttpAnswer> {
    const token = (this.#token ??= this.#accessToken());
    const answer = await this.#read({ ...request, headers: { authorization: `Bearer ${(await token).reveal()}` } });
    if (answer.status === 401 && this.#token === token) this.#token = undefined;
    return answer;
  }

  #refused(service: Service, path: string, answer: HttpAnswer, asked?: string): Failure {
    return refused(service, path, answer, { project: this.project, now: this.#clock.now() }, asked);
  }

  async #read(request: HttpRequest): Promise<HttpAnswer> {
    for (let tries = 0; ; tries++) {
      const answer = await this.#http(request);
      const limited = isRateLimit(answer);
      const ms = (limited ? NEXT_MINUTE_MS : PASSES.has(answer.status) ? AGAIN_MS : [])[tries];
      if (ms === undefined) return answer;
      if (limited) tell(`Google's limit of requests a minute is reached, asks again in ${ms / 1000} s`);
      await this.#clock.sleep(ms);
    }
  }

  async #accessToken(): Promise<Secret> {
    const file = this.#environment['CLOUDSDK_AUTH_ACCESS_TOKEN_FILE'];
    if (file) return new Secret((await readFile(file, 'utf8')).trim());
    const { stdout } = await this.#run({
      binary: 'gcloud',
      args: ['auth', 'print-access-token', '--quiet'],
      mutates: false,
      sensitive: 'both',
    });
    return new Secret(stdout.trim());
  }
}

/** A JWT that Google's APIs take in place of an access token. */
function selfSignedToken(key: Secret, audience: string, nowMs: number): Secret {
  const { client_email, private_key, private_key_id } = JSON.parse(key.reveal()) as {
    client_email: string;
    private_key: string;
    private_key_id: string;
  };
  const now = Math.floor(nowMs / 1000);
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: client_email, sub: client_email, aud: audience, iat: now, exp: now + 600 };
  const unsigned = `${part({ alg: 'RS256', typ: 'JWT', kid: private_key_id })}.${part(claims)}`;
  return new Secret(`${unsigned}.${createSign('RSA-SHA256').update(unsigned).sign(private_key, 'base64url')}`);
}
