/** Resource record sets as Cloud DNS takes, keeps and refuses them. */
import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { GoogleError } from './error.ts';
import type { RecordSet, Zone } from './state.ts';

/** The name servers of every emulated zone. */
export const NAME_SERVERS = [1, 2, 3, 4].map((number) => `ns-cloud-a${number}.googledomains.com.`);

/** A record set in a request. */
export const RecordSetBody = z.object({
  name: z.string(),
  type: z.string(),
  ttl: z.number().int().min(0).max(2_147_483_647),
  rrdatas: z.array(z.string()),
});

const fullName = /^(\*\.)?([a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?\.)+$/;

/** What the data of each emulated type must look like. */
const DATA: Record<string, (data: string) => boolean> = {
  A: isIPv4,
  AAAA: isIPv6,
  CNAME: (data) => fullName.test(data),
  NS: (data) => fullName.test(data),
  TXT: (data) => /^("([^"\\]|\\.){0,255}"\s*)+$/.test(data),
  CAA: (data) => /^\d+ (issue|issuewild|iodef) ".*"$/.test(data),
  MX: (data) => /^\d+ \S+\.$/.test(data),
  SOA: (data) => data.split(' ').length === 7,
};

const quoted = (data: string) => (data.startsWith('"') ? data : `"${data}"`);

/** The record set as it is kept: names in lower case, each TXT in quotes. */
export function normalized(set: RecordSet): RecordSet {
  const rrdatas = set.type === 'TXT' ? set.rrdatas.map(quoted) : set.rrdatas;
  return { name: set.name.toLowerCase(), type: set.type, ttl: set.ttl, rrdatas };
}

/** Whether a deletion describes the existing set exactly, in any order of its data. */
export function sameRecordSet(a: RecordSet, b: RecordSet): boolean {
  return a.ttl === b.ttl && a.rrdatas.toSorted().join('\n') === b.rrdatas.toSorted().join('\n');
}

/** Throws what Cloud DNS answers when `set` cannot be added beside the `others` of the zone. */
export function checkRecordSet(set: RecordSet, zone: Zone, others: RecordSet[], field: string): void {
  const invalid = (part: string, value: string) =>
    new GoogleError(400, `Invalid value for '${field}.${part}': '${value}'`);
  const inZone = set.name === zone.dnsName || set.name.endsWith(`.${zone.dnsName}`);
  if (!fullName.test(set.name) || !inZone) throw invalid('name', set.name);
  const isData = DATA[set.type];
  if (isData === undefined) throw invalid('type', set.type);
  if (set.rrdatas.length === 0) {
    throw new GoogleError(400, `The '${field}.rrdata' parameter is required but was missing.`, { reason: 'required' });
  }
  set.rrdatas.forEach((data, index) => {
    if (!isData(data)) throw invalid(`rrdata[${index}]`, data);
  });
  const sameName = others.filter((other) => other.name === set.name);
  if (sameName.some((other) => other.type === set.type)) {
    throw new GoogleError(409, `The resource '${field}' named '${set.name} (${set.type})' already exists`);
  }
  if (sameName.length > 0 && [set, ...sameName].some((other) => other.type === 'CNAME')) {
    const message = `The resource record set '${field}' is invalid because the DNS name '${set.name}' has a resource record set of the type 'CNAME' beside another one.`;
    throw new GoogleError(400, message, { reason: 'cnameResourceRecordSetConflict' });
  }
}
