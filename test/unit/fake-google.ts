/** A Google Cloud project as REST shows it and as the plan's gcloud commands change it; nothing else is known. */
import type { Address, Binding, ManagedZone, RecordSet, ServiceAccount } from '../../lib/clients/google-shapes.ts';
import type { Command } from '../../lib/base/command.ts';
import type { HttpAnswer, HttpRequest } from '../../lib/base/http.ts';
import { json, type World } from './outside.ts';

export const PROJECT = 'unit-project';
export const EMAIL = `cert-manager-dns01@${PROJECT}.iam.gserviceaccount.com`;
export const IP = '203.0.113.7';
const HOST = 'unit-api.kubently.io.';
export const DESCRIPTION = 'kubently-runbook unit-api.kubently.io';
const REGION = `https://compute.googleapis.com/compute/v1/projects/${PROJECT}/regions/us-central1`;
const ZONES = `https://dns.googleapis.com/dns/v1/projects/${PROJECT}/managedZones`;
const ZONE = `${ZONES}/kubently-io`;
const OWN_ZONE = { name: 'kubently-io', dnsName: 'kubently.io.', nameServers: ['ns1.test.', 'ns2.test.'] };
const ACCOUNT = `https://iam.googleapis.com/v1/projects/${PROJECT}/serviceAccounts/${EMAIL}`;

export class FakeGoogle implements World {
  address: Address | undefined;
  record: RecordSet | undefined;
  /** Other records at the host. */
  beside: RecordSet[] = [];
  /** Other records at the challenge's name. */
  besideChallenge: RecordSet[] = [];
  /** The address of that name outside all regions. */
  global: Address | undefined;
  /** What else the zone says of itself. */
  ofZone: Partial<ManagedZone> = {};
  /** Other zones of the same DNS name. */
  twins: ManagedZone[] = [];
  /** What a challenge that was cut off left behind. */
  challenge: RecordSet | undefined;
  account: ServiceAccount | undefined;
  keys: string[] = [];
  /** Permissions that the operator lacks. */
  lacking: string[] = [];
  /** What Google says of a key beside its name, by id. */
  ofKeys: Record<string, { disabled?: boolean; validBeforeTime?: string }> = {};
  bindings: Binding[] = [];
  /** What `keys create` prints, made by the test so that no key lies in the source. */
  newKey: { id: string; text: string } = { id: 'key-new', text: '{}' };

  command = (command: Command): string | undefined => {
    if (command.binary !== 'gcloud') return undefined;
    const line = command.args.join(' ');
    if (line === 'auth print-access-token --quiet') return 'ya29.unit-access-token';
    const suffix = ` --project ${PROJECT} --quiet`;
    return line.endsWith(suffix) ? this.#change(line.slice(0, -suffix.length)) : undefined;
  };

  request = ({ method = 'GET', url, headers, body }: HttpRequest): HttpAnswer | undefined => {
    if (headers?.['authorization'] !== 'Bearer ya29.unit-access-token') return undefined;
    switch (`${method} ${url}`) {
      case `GET ${REGION}/addresses/kubently-ingress-ip`:
        return found(this.address);
      case `GET https://compute.googleapis.com/compute/v1/projects/${PROJECT}/global/addresses/kubently-ingress-ip`:
        return found(this.global);
      case `GET ${ZONE}`:
        return json({ ...OWN_ZONE, ...this.ofZone });
      case `GET ${ZONES}?dnsName=kubently.io.`:
        return json({ managedZones: [OWN_ZONE, ...this.twins] });
      case `GET ${ZONE}/rrsets?name=${HOST}&type=A`:
        return json({ rrsets: this.record ? [this.record] : [] });
      case `GET ${ZONE}/rrsets?name=${HOST}`:
        return json({ rrsets: [...(this.record ? [this.record] : []), ...this.beside] });
      case `GET ${ZONE}/rrsets?name=_acme-challenge.${HOST}`:
        return json({ rrsets: [...(this.challenge ? [this.challenge] : []), ...this.besideChallenge] });
      case `GET ${ZONE}/rrsets?name=_acme-challenge.${HOST}&type=TXT`:
        return json({ rrsets: this.challenge ? [this.challenge] : [] });
      case `GET ${ACCOUNT}`:
        return found(this.account);
      case `GET ${ACCOUNT}/keys?keyTypes=USER_MANAGED`:
        return this.account
          ? json({ keys: this.keys.map((k) => ({ name: `x/keys/${k}`, ...this.ofKeys[k] })) })
          : found(undefined);
      case `POST https://cloudresourcemanager.googleapis.com/v1/projects/${PROJECT}:getIamPolicy`:
        return json({ bindings: this.bindings });
      case `POST https://cloudresourcemanager.googleapis.com/v1/projects/${PROJECT}:testIamPermissions`: {
        const { permissions } = body as { permissions: string[] };
        return json({ permissions: permissions.filter((p) => !this.lacking.includes(p)) });
      }
      default:
        return undefined;
    }
  };

  /** The reserved address and its record. */
  reserved(address = IP): this {
    this.address = { name: 'kubently-ingress-ip', address, status: 'RESERVED', description: DESCRIPTION };
    this.record = { name: HOST, type: 'A', ttl: 300, rrdatas: [address] };
    return this;
  }

  /** The account with its role. */
  withAccount(description: string, keys: string[] = []): this {
    this.account = { email: EMAIL, description };
    this.keys = keys;
    this.bindings = [{ role: 'roles/dns.admin', members: [`serviceAccount:${EMAIL}`] }];
    return this;
  }

  #change(line: string): string | undefined {
    const deleted = /^iam service-accounts keys delete (\S+) --iam-account=(\S+)$/.exec(line);
    if (deleted?.[2] === EMAIL) {
      this.keys = this.keys.filter((k) => k !== deleted[1]);
      return '';
    }
    const unbound = new RegExp(
      `^projects remove-iam-policy-binding ${PROJECT} --member=(\\S+) --role=roles/dns.admin --condition=None$`,
    ).exec(line);
    if (unbound) {
      this.bindings = this.bindings
        .map((b) => ({ ...b, members: b.members.filter((m) => m !== unbound[1]) }))
        .filter((b) => b.members.length > 0);
      return '';
    }
    switch (line) {
      case `compute addresses create kubently-ingress-ip --region=us-central1 --network-tier=PREMIUM --description=${DESCRIPTION}`:
        this.address = { name: 'kubently-ingress-ip', address: IP, status: 'RESERVED', description: DESCRIPTION };
        return '';
      case 'compute addresses delete kubently-ingress-ip --region=us-central1':
        this.address = undefined;
        return '';
      case `dns record-sets create ${HOST} --zone=kubently-io --type=A --ttl=300 --rrdatas=${IP}`:
        this.record = { name: HOST, type: 'A', ttl: 300, rrdatas: [IP] };
        return '';
      case `dns record-sets delete ${HOST} --zone=kubently-io --type=A`:
        this.record = undefined;
        return '';
      case `dns record-sets delete _acme-challenge.${HOST} --zone=kubently-io --type=TXT`:
        this.challenge = undefined;
        return '';
      case 'iam service-accounts create cert-manager-dns01 --display-name=cert-manager DNS-01 solver --description=kubently-runbook unit-api.kubently.io':
        this.account = { email: EMAIL, description: 'kubently-runbook unit-api.kubently.io' };
        return '';
      case `iam service-accounts delete ${EMAIL}`:
        this.account = undefined;
        return '';
      case `projects add-iam-policy-binding ${PROJECT} --member=serviceAccount:${EMAIL} --role=roles/dns.admin --condition=None`:
        this.bindings = [{ role: 'roles/dns.admin', members: [`serviceAccount:${EMAIL}`] }];
        return '';
      case `iam service-accounts keys create - --iam-account=${EMAIL}`:
        this.keys.push(this.newKey.id);
        return this.newKey.text;
      case `iam service-accounts add-iam-policy-binding ${EMAIL} --role=roles/iam.workloadIdentityUser --member=serviceAccount:${PROJECT}.svc.id.goog[cert-manager/cert-manager]`:
        return '';
      default:
        return undefined;
    }
  }
}

function found(value: unknown): HttpAnswer {
  return value ? json(value) : json({ error: { message: 'not found' } }, 404);
}
