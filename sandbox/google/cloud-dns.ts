/** Cloud DNS v1: managed zones (read), record sets and changes. */
import { z } from 'zod';
import { parse, route, type Call, type Route } from './api.ts';
import { GoogleError } from './error.ts';
import { latest, withVersion } from './propagation.ts';
import { NAME_SERVERS, RecordSetBody, checkRecordSet, normalized, sameRecordSet } from './record-set.ts';
import type { Change, Cloud, RecordSet, Zone } from './state.ts';

const ChangeBody = z.object({
  additions: z.array(RecordSetBody).optional(),
  deletions: z.array(RecordSetBody).optional(),
});

/** A zone's first records, as Cloud DNS makes them. */
export function newZone(id: string, name: string, dnsName: string, now: number): Zone {
  const soa = `${NAME_SERVERS[0] ?? ''} cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300`;
  const recordSets: RecordSet[] = [
    { name: dnsName, type: 'NS', ttl: 21600, rrdatas: [...NAME_SERVERS] },
    { name: dnsName, type: 'SOA', ttl: 21600, rrdatas: [soa] },
  ];
  const creationTime = new Date(now).toISOString();
  const first: Change = { id: '0', started: now, additions: recordSets, deletions: [] };
  const versions = [{ at: now, value: recordSets }];
  return { id, name, dnsName, description: '', creationTime, recordSets: versions, changes: [first] };
}

const zoneResource = ({ id, name, dnsName, description, creationTime }: Zone) => ({
  kind: 'dns#managedZone',
  id,
  name,
  dnsName,
  description,
  creationTime,
  nameServers: NAME_SERVERS,
  visibility: 'public',
});

const recordSetResource = (set: RecordSet) => ({ kind: 'dns#resourceRecordSet', ...set, signatureRrdatas: [] });

function changeResource(cloud: Cloud, change: Change): object {
  const served = cloud.now() >= change.started + cloud.settings.delays.dns * 1000;
  return {
    kind: 'dns#change',
    id: change.id,
    startTime: new Date(change.started).toISOString(),
    status: served ? 'done' : 'pending',
    additions: change.additions.map(recordSetResource),
    deletions: change.deletions.map(recordSetResource),
    isServing: false,
  };
}

function zoneOf(cloud: Cloud, { param }: Call): Zone {
  const name = param('zone');
  const zone = cloud.state.zones.find((known) => known.name === name || known.id === name);
  if (zone !== undefined) return zone;
  throw new GoogleError(404, `The 'parameters.managedZone' resource named '${name}' does not exist.`);
}

function recordSetOf(zone: Zone, { param }: Call): RecordSet {
  const [name, type] = [param('name').toLowerCase(), param('type')];
  const set = latest(zone.recordSets).find((known) => known.name === name && known.type === type);
  if (set !== undefined) return set;
  throw new GoogleError(404, `The 'parameters.rrset' resource named '${name} (${type})' does not exist.`);
}

/** Makes both parts of the change true, or neither. `where` names the request's field in errors. */
function apply(cloud: Cloud, zone: Zone, additions: RecordSet[], deletions: RecordSet[], where: string): Change {
  let sets = latest(zone.recordSets);
  const at = (part: string, index: number) => (where === 'entity.change' ? `${where}.${part}[${index}]` : where);
  deletions.forEach((deletion, index) => {
    const existing = sets.find((set) => set.name === deletion.name && set.type === deletion.type);
    const field = at('deletions', index);
    if (existing === undefined) {
      throw new GoogleError(404, `The '${field}' resource named '${deletion.name} (${deletion.type})' does not exist.`);
    }
    if (!sameRecordSet(existing, deletion)) throw new GoogleError(412, `Precondition not met for '${field}'`);
    sets = sets.filter((set) => set !== existing);
  });
  additions.forEach((addition, index) => {
    checkRecordSet(addition, zone, sets, at('additions', index));
    sets = [...sets, addition];
  });
  for (const type of ['SOA', 'NS']) {
    if (sets.some((set) => set.name === zone.dnsName && set.type === type)) continue;
    const message = `The resource record set '${at('deletions', 0)}' is invalid because a zone must contain exactly one resource record set of type '${type}' at the apex.`;
    throw new GoogleError(400, message, { reason: 'invalidZoneApex' });
  }
  const change: Change = { id: `${zone.changes.length}`, started: cloud.now(), additions, deletions };
  zone.changes.push(change);
  zone.recordSets = withVersion(zone.recordSets, sets, cloud.now());
  cloud.save();
  return change;
}

function createChange(cloud: Cloud, call: Call): object {
  const { additions = [], deletions = [] } = parse(ChangeBody, call.body);
  if (additions.length + deletions.length === 0) {
    throw new GoogleError(400, "The 'entity.change' parameter is required but was missing.", { reason: 'required' });
  }
  const change = apply(
    cloud,
    zoneOf(cloud, call),
    additions.map(normalized),
    deletions.map(normalized),
    'entity.change',
  );
  return changeResource(cloud, change);
}

function createRecordSet(cloud: Cloud, call: Call): object {
  const set = normalized(parse(RecordSetBody, call.body));
  apply(cloud, zoneOf(cloud, call), [set], [], 'entity.rrset');
  return recordSetResource(set);
}

function patchRecordSet(cloud: Cloud, call: Call): object {
  const zone = zoneOf(cloud, call);
  const old = recordSetOf(zone, call);
  const wanted = parse(RecordSetBody.partial(), call.body);
  const set = normalized({ ...old, ttl: wanted.ttl ?? old.ttl, rrdatas: wanted.rrdatas ?? old.rrdatas });
  apply(cloud, zone, [set], [old], 'entity.rrset');
  return recordSetResource(set);
}

function deleteRecordSet(cloud: Cloud, call: Call): object {
  const zone = zoneOf(cloud, call);
  apply(cloud, zone, [], [recordSetOf(zone, call)], 'parameters.rrset');
  return {};
}

function listRecordSets(cloud: Cloud, call: Call): object {
  const [name, type] = [call.query.get('name'), call.query.get('type')];
  const wanted = latest(zoneOf(cloud, call).recordSets)
    .filter((set) => (name === null || set.name === name.toLowerCase()) && (type === null || set.type === type))
    .sort((a, b) => (a.name + a.type < b.name + b.type ? -1 : 1));
  return { kind: 'dns#resourceRecordSetsListResponse', rrsets: wanted.map(recordSetResource) };
}

/** The routes of the service. */
export function dnsRoutes(cloud: Cloud): Route[] {
  const zones = '/dns/v1/projects/:project/managedZones';
  const sets = `${zones}/:zone/rrsets`;
  const set = `${sets}/:name/:type`;
  const changes = `${zones}/:zone/changes`;
  const list = (dnsName: string | null) =>
    cloud.state.zones.filter((zone) => dnsName === null || zone.dnsName === dnsName).map(zoneResource);
  const changeOf = (call: Call): Change => {
    const id = call.param('change');
    const change = zoneOf(cloud, call).changes.find((known) => known.id === id);
    if (change !== undefined) return change;
    throw new GoogleError(404, `The 'parameters.changeId' resource named '${id}' does not exist.`);
  };
  return [
    route(`GET ${zones}`, 'dns.managedZones.list', ({ query }) => ({
      kind: 'dns#managedZonesListResponse',
      managedZones: list(query.get('dnsName')),
    })),
    route(`GET ${zones}/:zone`, 'dns.managedZones.get', (call) => zoneResource(zoneOf(cloud, call))),
    route(`GET ${sets}`, 'dns.resourceRecordSets.list', (call) => listRecordSets(cloud, call)),
    route(`POST ${sets}`, 'dns.resourceRecordSets.create', (call) => createRecordSet(cloud, call)),
    route(`GET ${set}`, 'dns.resourceRecordSets.get', (call) =>
      recordSetResource(recordSetOf(zoneOf(cloud, call), call)),
    ),
    route(`PATCH ${set}`, 'dns.resourceRecordSets.update', (call) => patchRecordSet(cloud, call)),
    route(`DELETE ${set}`, 'dns.resourceRecordSets.delete', (call) => deleteRecordSet(cloud, call)),
    route(`GET ${changes}`, 'dns.changes.list', (call) => ({
      kind: 'dns#changesListResponse',
      changes: zoneOf(cloud, call)
        .changes.map((change) => changeResource(cloud, change))
        .reverse(),
    })),
    route(`POST ${changes}`, 'dns.changes.create', (call) => createChange(cloud, call)),
    route(`GET ${changes}/:change`, 'dns.changes.get', (call) => changeResource(cloud, changeOf(call))),
  ];
}
