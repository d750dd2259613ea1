/** What the runbook reads of Google's answers; a field that Google may leave out is optional here too. */
import { z } from 'zod';

export const AddressShape = z.object({
  name: z.string(),
  address: z.string(),
  /** RESERVING, RESERVED or IN_USE. */
  status: z.string().optional(),
  description: z.string().optional(),
  /** Absent: EXTERNAL. */
  addressType: z.string().optional(),
  /** Absent: PREMIUM. */
  networkTier: z.string().optional(),
});
export const ZoneShape = z.object({
  name: z.string(),
  dnsName: z.string(),
  /** A private zone has none. */
  nameServers: z.array(z.string()).default([]),
  /** public or private; absent: public. */
  visibility: z.string().optional(),
  /** Absent: off. */
  dnssecConfig: z.object({ state: z.string().optional() }).optional(),
});
export const ZonesShape = z.object({ managedZones: z.array(ZoneShape).default([]) });
const RecordShape = z.object({
  name: z.string(),
  type: z.string(),
  ttl: z.number().default(0),
  /** Empty where a routing policy answers. */
  rrdatas: z.array(z.string()).default([]),
});
export const RecordsShape = z.object({ rrsets: z.array(RecordShape).default([]) });
export const AccountShape = z.object({
  email: z.string().optional(),
  displayName: z.string().optional(),
  description: z.string().optional(),
  disabled: z.boolean().optional(),
});
const KeyShape = z.object({
  name: z.string(),
  disabled: z.boolean().optional(),
  validAfterTime: z.string().optional(),
  /** Until when it is valid: in the year 9999 where it does not expire. */
  validBeforeTime: z.string().optional(),
});
export const KeysShape = z.object({ keys: z.array(KeyShape).default([]) });
const BindingShape = z.object({
  role: z.string(),
  members: z.array(z.string()).default([]),
  condition: z.unknown().optional(),
});
export const PolicyShape = z.object({ bindings: z.array(BindingShape).default([]) });
export const BucketShape = z.object({
  name: z.string(),
  location: z.string(),
  storageClass: z.string().optional(),
  iamConfiguration: z
    .object({
      uniformBucketLevelAccess: z.object({ enabled: z.boolean().optional() }).optional(),
      publicAccessPrevention: z.string().optional(),
    })
    .optional(),
});
/** An object in a bucket; its time is ISO. */
export const StoredObjectShape = z.object({
  name: z.string(),
  timeCreated: z.string(),
  md5Hash: z.string().optional(),
});
export const ObjectsShape = z.object({
  items: z.array(StoredObjectShape).default([]),
  nextPageToken: z.string().default(''),
});

/** Google leaves the list out where there is none. */
export const PermissionsShape = z.object({ permissions: z.array(z.string()).default([]) });

export type Address = z.output<typeof AddressShape>;
export type ManagedZone = z.output<typeof ZoneShape>;
export type RecordSet = z.output<typeof RecordShape>;
export type ServiceAccount = z.output<typeof AccountShape>;
export type Binding = z.output<typeof BindingShape>;
export type Bucket = z.output<typeof BucketShape>;
export type StoredObject = z.output<typeof StoredObjectShape>;
