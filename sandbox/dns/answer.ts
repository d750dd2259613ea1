/** What the rehearsal's name server answers, from the zones as they have propagated. */
import type { Answer, Question } from 'dns-packet';
import type { RecordSet } from '../google/state.ts';
import { answerOf } from './records.ts';

/** A zone as served now. */
export interface ServedZone {
  /** With the final dot. */
  dnsName: string;
  recordSets: RecordSet[];
}

/** All that the server is the authority for. */
export interface View {
  zones: ServedZone[];
  /** Names outside the zones (lower case, without the final dot) and their IPv4 addresses. */
  fixed: Map<string, string>;
}

export interface Reply {
  rcode: 'NOERROR' | 'NXDOMAIN';
  answers: Answer[];
  authorities: Answer[];
}

const FIXED_TTL = 60;
/** RFC 1034 leaves the length of a CNAME chain to the server. */
const LONGEST_CHAIN = 8;

const answersOf = (set: RecordSet, name: string) =>
  set.rrdatas.flatMap((data) => answerOf(name, set.type, set.ttl, data) ?? []);

/** The negative answer's SOA, whose TTL is how long it may be kept (RFC 2308). */
function negative(zone: ServedZone): Answer[] {
  const soa = zone.recordSets.filter((set) => set.type === 'SOA' && set.name === zone.dnsName);
  return soa.flatMap((set) => answersOf({ ...set, ttl: 300 }, zone.dnsName.slice(0, -1)));
}

function inZone(zone: ServedZone, name: string, type: string, asked: string, depth = 0): Reply {
  const sets = zone.recordSets.filter((set) => set.name === name);
  const wanted = sets.find((set) => set.type === type);
  if (wanted !== undefined) return { rcode: 'NOERROR', answers: answersOf(wanted, asked), authorities: [] };
  const alias = sets.find((set) => set.type === 'CNAME');
  const target = alias?.rrdatas[0];
  if (alias !== undefined && target !== undefined) {
    const ours = target.endsWith(`.${zone.dnsName}`) && depth < LONGEST_CHAIN;
    const rest = ours ? inZone(zone, target, type, target.slice(0, -1), depth + 1) : undefined;
    return {
      rcode: rest?.rcode ?? 'NOERROR',
      answers: [...answersOf(alias, asked), ...(rest?.answers ?? [])],
      authorities: rest?.authorities ?? [],
    };
  }
  // A name exists as soon as there is a record below it (RFC 8020), so other types get NODATA.
  const exists = zone.recordSets.some((set) => set.name === name || set.name.endsWith(`.${name}`));
  return { rcode: exists ? 'NOERROR' : 'NXDOMAIN', answers: [], authorities: negative(zone) };
}

/** The authoritative reply; undefined for names of others. */
export function reply(view: View, { name, type }: Question): Reply | undefined {
  const plain = name.toLowerCase();
  const full = `${plain}.`;
  const zone = view.zones.find(({ dnsName }) => full === dnsName || full.endsWith(`.${dnsName}`));
  if (zone !== undefined) return inZone(zone, full, type, name);
  const address = view.fixed.get(plain);
  if (address === undefined) return undefined;
  const answers: Answer[] = type === 'A' ? [{ name, type, ttl: FIXED_TTL, class: 'IN', data: address }] : [];
  return { rcode: 'NOERROR', answers, authorities: [] };
}
