/** Google Cloud's REST API, with one token: a gcloud start costs a second. It reads; changes are the plan's gcloud commands (gcloud.ts; docs/architecture.md rule 13), but for objects in a bucket, of which the plan knows nothing. */
import { createSign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import type { Run } from '../base/command.ts';
import { Failure } from '../base/failure.ts';
import type { Http, HttpAnswer, HttpRequest } from '../base/http.ts';
import { oneLine } from '../base/say.ts';
import { underway } from '../base/underway.ts';
import { Secret } from '../base/secret.ts';
import { z } from 'zod';
import {
  AccountShape,
  AddressShape,
  KeysShape,
  ObjectsShape,
  PolicyShape,
  RecordsShape,
  StoredObjectShape,
  ZoneShape,
  type AccountKey,
  type Address,
  type Binding,
  type ManagedZone,
  type RecordSet,
  type ServiceAccount,
  type StoredObject,
} from './google-shapes.ts';

type Service = 'compute' | 'dns' | 'iam' | 'cloudresourcemanager' | 'storage';

const BASES: Record<Service, string> = {
  compute: 'https://compute.googleapis.com/compute/v1/',
  dns: 'https://dns.googleapis.com/',
  iam: 'https://iam.googleapis.com/',
  cloudresourcemanager: 'https://cloudresourcemanager.googleapis.com/',
  storage: 'https://storage.googleapis.com/storage/v1/',
};

/** Google asks to slow down, or a server of it is ill for a moment: a read is tried again so much later, as gcloud does with its own. */
const PASSES: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);
const AGAIN_MS = [1000, 2000, 4000];
/** Objects are as large as what Redis holds. */
const OBJECT_MS = 300_000;
/** The project's resources. */
export class Google {
  readonly project: string;
  readonly region: string;
  readonly #run: Run;
  readonly #http: Http;
  readonly #environment: Readonly<Record<string, string>>;
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
    this.#clock = clock;
    this.project = where.project;
    this.region = where.region;
  }

  address(name: string): Promise<Address | undefined> {
    return this.#get('compute', `projects/${this.project}/regions/${this.region}/addresses/${name}`, AddressShape);
  }

  zone(name: string): Promise<ManagedZone | undefined> {
    return this.#get('dns', `dns/v1/projects/${this.project}/managedZones/${name}`, ZoneShape);
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

  /** Ids of the account's user-managed keys. */
  async keyIds(email: string): Promise<string[]> {
    return (await this.#keys(email)).map((k) => k.name.split('/').at(-1) ?? '');
  }

  /** When a key of the account was made, in milliseconds since the epoch; undefined where Google does not say. */
  async keyMadeAt(email: string, id: string): Promise<number | undefined> {
    const made = (await this.#keys(email)).find((k) => k.name.endsWith(`/${id}`))?.validAfterTime;
    return made === undefined ? undefined : Date.parse(made);
  }

  async #keys(email: string): Promise<AccountKey[]> {
    const path = `v1/projects/${this.project}/serviceAccounts/${email}/keys?keyTypes=USER_MANAGED`;
    return (await this.#get('iam', path, KeysShape))?.keys ?? [];
  }

  /** The project's IAM bindings. */
  async bindings(): Promise<Binding[]> {
    const answer = await this.#get('cloudresourcemanager', `v1/projects/${this.project}:getIamPolicy`, PolicyShape, {
      options: { requestedPolicyVersion: 3 },
    });
    return answer?.bindings ?? [];
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
    if (answer.status !== 200) throw refused('storage', path, answer);
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
    if (made.status !== 200) throw refused('storage', path, made, 'the upload of');
    return StoredObjectShape.parse(JSON.parse(made.body));
  }

  /** Deletes an object. @returns false where the bucket keeps it (its own retention, or no right) @throws Failure */
  async deleteObject(bucket: string, name: string): Promise<boolean> {
    const path = `b/${bucket}/o/${encodeURIComponent(name)}`;
    const answer = await this.#object({ method: 'DELETE', url: this.#base('storage') + path });
    if (answer.status === 403) return false;
    if (![200, 204, 404].includes(answer.status)) throw refused('storage', path, answer, 'the removal of');
    return true;
  }

  async #object(request: HttpRequest): Promise<HttpAnswer> {
    return this.#read({ ...request, headers: await this.#signedIn(), timeoutMs: OBJECT_MS });
  }

  /** Whether a service account's key may read the zone: the effect of key and IAM binding together, by a self-signed token (AIP-4111). */
  async mayManageZone(key: Secret, zone: string): Promise<HttpAnswer> {
    const token = selfSignedToken(key);
    return this.#http({
      url: `${this.#base('dns')}dns/v1/projects/${this.project}/managedZones/${zone}/rrsets?maxResults=1`,
      headers: { authorization: `Bearer ${token.reveal()}` },
    });
  }

  #base(service: Service): string {
    return this.#environment[`CLOUDSDK_API_ENDPOINT_OVERRIDES_${service.toUpperCase()}`] ?? BASES[service];
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
    const headers = await this.#signedIn();
    const answer = await this.#read({ method: body ? 'POST' : 'GET', url: this.#base(service) + path, headers, body });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw refused(service, path, answer);
    try {
      return JSON.parse(answer.body) as unknown;
    } catch {
      // Not JSON: no shape knows a text, and its beginning is told.
      return answer.body.slice(0, 80);
    }
  }

  async #signedIn(): Promise<Record<string, string>> {
    this.#token ??= this.#accessToken();
    return { authorization: `Bearer ${(await this.#token).reveal()}` };
  }

  async #read(request: HttpRequest): Promise<HttpAnswer> {
    for (const ms of AGAIN_MS) {
      const answer = await this.#http(request);
      if (!PASSES.has(answer.status)) return answer;
      await this.#clock.sleep(ms);
    }
    return this.#http(request);
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

function refused(service: Service, path: string, answer: HttpAnswer, asked = 'the read of'): Failure {
  let message = oneLine(answer.body, 300);
  try {
    message = (JSON.parse(answer.body) as { error?: { message?: string } }).error?.message ?? message;
  } catch {
    // not JSON: the text itself is the best there is
  }
  const next =
    answer.status === 401
      ? 'gcloud auth login'
      : answer.status === 403
        ? 'ask for the role, or enable the API in the project'
        : 'rerun the same command to resume';
  return new Failure({
    what: `Google's ${service} API refused ${asked} ${path.split('?')[0] ?? path} (HTTP ${answer.status})`,
    found: message,
    next,
  });
}

/** A JWT that Google's APIs take in place of an access token. */
function selfSignedToken(key: Secret): Secret {
  const { client_email, private_key, private_key_id } = JSON.parse(key.reveal()) as {
    client_email: string;
    private_key: string;
    private_key_id: string;
  };
  const now = Math.floor(Date.now() / 1000);
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: client_email, sub: client_email, aud: BASES.dns, iat: now, exp: now + 600 };
  const unsigned = `${part({ alg: 'RS256', typ: 'JWT', kid: private_key_id })}.${part(claims)}`;
  return new Secret(`${unsigned}.${createSign('RSA-SHA256').update(unsigned).sign(private_key, 'base64url')}`);
}
