/** Record data of Cloud DNS (presentation format) as answers of the DNS library. */
import type { Answer, CaaData, MxData, SoaData } from 'dns-packet';

const withoutDot = (name: string) => name.replace(/\.$/, '');

function soa(data: string): SoaData {
  const [mname = '', rname = '', ...numbers] = data.split(' ');
  const [serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0] = numbers.map(Number);
  return { mname: withoutDot(mname), rname: withoutDot(rname), serial, refresh, retry, expire, minimum };
}

function mx(data: string): MxData {
  const [preference, exchange = ''] = data.split(' ');
  return { preference: Number(preference), exchange: withoutDot(exchange) };
}

function caa(data: string): CaaData {
  const [flags, tag, value = ''] = data.split(/ (.+?) /);
  return { flags: Number(flags), tag: tag as CaaData['tag'], value: value.replaceAll('"', '') };
}

/** The character strings of a TXT datum, without quotes and escapes. */
function strings(data: string): Buffer[] {
  return [...data.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => Buffer.from(text.replace(/\\(.)/g, '$1')));
}

/** The answer for one datum; undefined for a type that the zone cannot hold. */
export function answerOf(name: string, type: string, ttl: number, data: string): Answer | undefined {
  const common = { name, ttl, class: 'IN' } as const;
  switch (type) {
    case 'A':
    case 'AAAA':
      return { ...common, type, data };
    case 'CNAME':
    case 'NS':
      return { ...common, type, data: withoutDot(data) };
    case 'TXT':
      return { ...common, type, data: strings(data) };
    case 'MX':
      return { ...common, type, data: mx(data) };
    case 'CAA':
      return { ...common, type, data: caa(data) };
    case 'SOA':
      return { ...common, type, data: soa(data) };
    default:
      return undefined;
  }
}
