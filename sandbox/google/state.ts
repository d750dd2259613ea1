/** What the emulated project holds, and its file. */
import { randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Version } from './propagation.ts';
import type { Settings } from './settings.ts';

export interface Address {
  id: string;
  name: string;
  region: string;
  address: string;
  description: string;
  creationTimestamp: string;
  networkTier: string;
  /** The forwarding rule that holds it; undefined while RESERVED. */
  user?: string;
}

export interface Operation {
  id: string;
  name: string;
  region: string;
  operationType: 'insert' | 'delete';
  target: string;
  targetId: string;
  /** ms since the epoch. */
  started: number;
}

export interface RecordSet {
  name: string;
  type: string;
  ttl: number;
  rrdatas: string[];
}

export interface Change {
  id: string;
  started: number;
  additions: RecordSet[];
  deletions: RecordSet[];
}

export interface Zone {
  id: string;
  name: string;
  /** With the final dot. */
  dnsName: string;
  description: string;
  creationTime: string;
  recordSets: Version<RecordSet[]>[];
  changes: Change[];
}

export interface Binding {
  role: string;
  members: string[];
  condition?: { title: string; description?: string | undefined; expression: string } | undefined;
}

export interface Policy {
  etag: string;
  bindings: Binding[];
}

/** Public parts only: the private one is in the answer to keys.create and nowhere else. */
export interface Key {
  id: string;
  publicKey: string;
  created: number;
  managed: 'USER_MANAGED' | 'SYSTEM_MANAGED';
}

export interface ServiceAccount {
  email: string;
  uniqueId: string;
  displayName: string;
  description: string;
  created: number;
  keys: Key[];
  policy: Policy;
}

export interface AccessToken {
  sha256: string;
  uniqueId: string;
  expires: number;
}

export interface State {
  addresses: Address[];
  /** Last octet of the address given last: a released one is not given again at once. */
  lastAddress: number;
  operations: Operation[];
  zones: Zone[];
  accounts: ServiceAccount[];
  policy: Version<Policy>[];
  tokens: AccessToken[];
}

/** The emulated project as its services share it. */
export interface Cloud {
  project: string;
  regions: string[];
  /** First three octets of the block from which addresses are reserved. */
  addressBlock: string;
  state: State;
  settings: Settings;
  /** ms since the epoch. */
  now: () => number;
  /** Writes the state; to be called after each change. */
  save: () => void;
}

/** An id as Google gives them: 18 or more digits. */
export const newId = (digits = 19): string =>
  `${randomInt(1, 10)}${Array.from({ length: digits - 1 }, () => randomInt(10)).join('')}`;

/** An opaque etag that differs on each call. */
export const newEtag = (): string => Buffer.from(`${randomInt(2 ** 47)}`).toString('base64');

/** The state kept in `file`, undefined when there is none. Throws when the file is damaged. */
export function load(file: string): State | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return JSON.parse(text) as State;
  } catch {
    throw new Error(`the state of the emulated Google project is damaged: ${file}; remove it or run sandbox/down.ts`);
  }
}

/** Writes the state so that a reader or a crash sees the old or the new one, never half of it. */
export function store(file: string, state: State): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, JSON.stringify(state, null, 1), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
