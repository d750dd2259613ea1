/**
 * A backup as it lies on disk: keys of Redis, encrypted with age and signed with the deployment's BACKUP_KEY, since anybody
 * can encrypt for a public key. What is not encrypted never leaves memory.
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { Decrypter, Encrypter } from 'age-encryption';
import { z } from 'zod';
import { BadInput } from '../../base/failure.ts';
import { inputFile } from '../../base/input-file.ts';
import { parsedJson } from '../../base/parsed-json.ts';
import { changeTokens, generateToken, readTokens } from '../../settings/tokens-file.ts';
import { writePrivately } from '../../base/private-file.ts';
import type { Secret } from '../../base/secret.ts';
import type { DumpedKey } from './redis-dump.ts';
import type { Settings } from '../../settings/settings.ts';

export interface Backup {
  /** Commit of the runbook that made it; empty in backups of old. */
  by: string;
  /** API_HOST and release of the deployment. */
  host: string;
  release: string;
  /** ISO time. */
  takenAt: string;
  keys: DumpedKey[];
}

/** A backup that was read. */
export interface SavedBackup extends Backup {
  /** True where this deployment made it and nobody changed it since. */
  signed: boolean;
  /** Names that Kubently does not use: they are not put back. */
  leftOut: DumpedKey[];
}

/** Name of the signing key in TOKENS_FILE: it is in no cluster, and no rotation changes it. */
const KEY = 'BACKUP_KEY';
/** A file is in memory whole, and age does not compress: its content is no larger. */
const LARGEST = 256 * 1024 * 1024;
/** What the names of Kubently's keys (docs/kubently-contract.md) and of a drill's begin with. */
const NAMES =
  /^(executor|sessions?|cluster|command|correlation|results?|audit|agents?|a2a|tasks?|kubently|kubently-runbook):/;

const base64 = z.base64();
const shape = z.object({
  by: z.string().default(''),
  host: z.string(),
  release: z.string(),
  takenAt: z.iso.datetime(),
  keys: z.array(z.object({ key: base64, payload: base64, expiresAt: z.number().optional() })),
});
/** The signature is over the very bytes, and is looked at before they are read. */
const envelope = z.object({ format: z.literal(2), signature: z.base64(), body: z.string() });
const ofOld = shape.extend({ format: z.literal(1) });

/** Writes the backup whole or not at all, 0600. @throws BadInput without BACKUP_RECIPIENT */
export async function writeBackup(file: string, backup: Backup, settings: Settings): Promise<void> {
  const encrypter = new Encrypter();
  for (const recipient of recipientsOf(settings)) encrypter.addRecipient(recipient);
  if (!readTokens(settings.tokensFile)[KEY])
    await changeTokens(settings, (tokens) => ({ ...tokens, [KEY]: tokens[KEY] ?? generateToken() }));
  const body = JSON.stringify(backup);
  const signature = signatureOf(body, readTokens(settings.tokensFile)[KEY])?.toString('base64');
  const encrypted = await encrypter.encrypt(JSON.stringify({ format: 2, signature, body }));
  await writePrivately(file, encrypted);
}

/** The public keys that may read backups. @throws BadInput where none is set */
export function recipientsOf({ backup }: Settings): string[] {
  if (backup.recipients.length > 0) return backup.recipients;
  const remedy = 'make a pair with `age-keygen -o identity.txt` and set its public key, age1…';
  throw new BadInput([{ about: 'BACKUP_RECIPIENT', message: 'is not set: no backup without encryption', remedy }]);
}

/**
 * The backup in the file.
 * @param unsigned true: it is taken although nobody can tell who made it
 * @throws BadInput: no file, too large, no identity, another's backup, another deployment's, forged, changed, of no known form
 */
export async function readBackup(
  file: string | undefined,
  settings: Settings,
  unsigned: boolean,
): Promise<SavedBackup> {
  identitiesOf(settings);
  const newest = settings.backup.bucket ? ', or BACKUP=newest for the newest of BACKUP_BUCKET' : '';
  const path = inputFile('BACKUP', file, `name the file that make backup wrote: make restore BACKUP=file${newest}`);
  const encrypted = await readBounded(path).catch((error: unknown) => {
    throw bad('BACKUP', `${path} cannot be read (${String(error)})`, 'make restore BACKUP=file');
  });
  return openBackup(encrypted, path, settings, unsigned);
}

/** The backup in these bytes. @param where they come from @throws BadInput as readBackup */
export async function openBackup(
  encrypted: Uint8Array,
  where: string,
  settings: Settings,
  unsigned: boolean,
): Promise<SavedBackup> {
  const decrypter = new Decrypter();
  for (const key of identitiesOf(settings)) decrypter.addIdentity(key);
  const text = await decrypter.decrypt(encrypted, 'text').catch((error: unknown) => {
    const message = `${where} cannot be decrypted (${error instanceof Error ? error.message : String(error)})`;
    throw bad(
      'BACKUP',
      message,
      `it may be cut or changed; else the identity in ${settings.backup.identityFile ?? ''} must be one of its recipients`,
    );
  });
  const found = parsedJson(text);
  const signedOne = envelope.safeParse(found);
  const doubt = signedOne.success ? doubtAbout(signedOne.data, settings) : 'is of old and not signed';
  if (doubt !== undefined && !unsigned)
    throw bad(
      'BACKUP',
      `${where} ${doubt}: whoever knows BACKUP_RECIPIENT can have made it`,
      'make another one; or, where you know where it has been: UNSIGNED=1',
    );
  const read = signedOne.success ? shape.safeParse(parsedJson(signedOne.data.body)) : ofOld.safeParse(found);
  if (!read.success) throw bad('BACKUP', `${where} holds no backup of this runbook`, 'make restore BACKUP=file');
  const { by, host, release, takenAt } = read.data;
  if (host !== settings.host || release !== settings.release)
    throw bad('BACKUP', `${where} is of ${release} at ${host}`, `a backup of ${settings.host} is wanted`);
  const all = read.data.keys.map(({ expiresAt, ...k }) => ({ ...k, ...(expiresAt ? { expiresAt } : {}) }));
  const isOurs = ({ key }: DumpedKey): boolean => NAMES.test(Buffer.from(key, 'base64').toString('latin1'));
  const leftOut = all.filter((k) => !isOurs(k));
  return { by, host, release, takenAt, keys: all.filter(isOurs), leftOut, signed: doubt === undefined };
}

async function readBounded(path: string): Promise<Buffer> {
  const { size } = await stat(path);
  if (size > LARGEST) throw new Error(`it has ${Math.round(size / 1024 / 1024)} MB, and no backup has more than 256`);
  return readFile(path);
}

/** Why the signature proves nothing; undefined where it does. */
function doubtAbout({ signature, body }: z.output<typeof envelope>, { tokensFile }: Settings): string | undefined {
  const wanted = signatureOf(body, readTokens(tokensFile)[KEY]);
  if (!wanted) return `cannot be proven: ${tokensFile} has no ${KEY}`;
  const given = Buffer.from(signature, 'base64');
  const same = given.length === wanted.length && timingSafeEqual(given, wanted);
  return same ? undefined : `was not signed with the ${KEY} of ${tokensFile}`;
}

function signatureOf(body: string, key: Secret | undefined): Buffer | undefined {
  if (!key) return undefined;
  const derived = hkdfSync('sha256', key.reveal(), '', 'kubently-runbook backup', 32);
  return createHmac('sha256', Buffer.from(derived)).update(body).digest();
}

/** The identities by which a backup is read. @throws BadInput where there is none */
export function identitiesOf({ backup: { identityFile } }: Settings): string[] {
  const remedy = 'name the file with AGE-SECRET-KEY-…';
  if (!identityFile) throw bad('BACKUP_IDENTITY', 'is not set: a backup cannot be read without', remedy);
  const text = readFileSync(inputFile('BACKUP_IDENTITY', identityFile, remedy), 'utf8');
  const identities = text.match(/^AGE-SECRET-KEY-\S+$/gm) ?? [];
  if (identities.length === 0)
    throw bad('BACKUP_IDENTITY', `${identityFile} holds no AGE-SECRET-KEY-… line`, 'age-keygen makes one');
  return identities;
}

function bad(about: string, message: string, remedy: string): BadInput {
  return new BadInput([{ about, message, remedy }]);
}
