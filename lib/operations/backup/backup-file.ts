/** A backup as it lies on disk: keys of Redis, encrypted with age. What is not encrypted never leaves memory. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Decrypter, Encrypter } from 'age-encryption';
import { z } from 'zod';
import { BadInput } from '../../base/failure.ts';
import { writePrivately } from '../../base/private-file.ts';
import type { DumpedKey } from './redis-dump.ts';
import type { Settings } from '../../settings/settings.ts';

export interface Backup {
  format: 1;
  /** API_HOST and release of the deployment. */
  host: string;
  release: string;
  /** ISO time. */
  takenAt: string;
  keys: DumpedKey[];
}

const shape = z.object({
  format: z.literal(1),
  host: z.string(),
  release: z.string(),
  takenAt: z.string(),
  keys: z.array(z.object({ key: z.string(), payload: z.string(), expiresAt: z.number().optional() })),
});

/** Writes the backup whole or not at all, 0600. @throws BadInput without BACKUP_RECIPIENT */
export async function writeBackup(file: string, backup: Backup, settings: Settings): Promise<void> {
  const encrypter = new Encrypter();
  for (const recipient of recipientsOf(settings)) encrypter.addRecipient(recipient);
  const encrypted = await encrypter.encrypt(JSON.stringify(backup));
  await writePrivately(file, encrypted);
}

/** The public keys that may read backups. @throws BadInput where none is set */
export function recipientsOf({ backup }: Settings): string[] {
  if (backup.recipients.length > 0) return backup.recipients;
  const remedy = 'make a pair with `age-keygen -o identity.txt` and set its public key, age1…';
  throw new BadInput([{ about: 'BACKUP_RECIPIENT', message: 'is not set: no backup without encryption', remedy }]);
}

/** The backup in the file. @throws BadInput: no file, no identity, another's backup, another deployment's */
export async function readBackup(file: string | undefined, settings: Settings): Promise<Backup> {
  const { identityFile } = settings.backup;
  if (!identityFile)
    throw bad('BACKUP_IDENTITY', 'is not set: a backup cannot be read without', 'name the file with AGE-SECRET-KEY-…');
  const path = file === undefined ? '' : resolve(file);
  const encrypted = await readFile(path).catch((error: unknown) => {
    const message = file === undefined ? 'is not given' : `${path} cannot be read (${String(error)})`;
    throw bad('BACKUP', message, 'make restore BACKUP=file');
  });
  const decrypter = new Decrypter();
  const identities = readFileSync(identityFile, 'utf8').match(/^AGE-SECRET-KEY-\S+$/gm) ?? [];
  if (identities.length === 0)
    throw bad('BACKUP_IDENTITY', `${identityFile} holds no AGE-SECRET-KEY-… line`, 'age-keygen makes one');
  for (const identity of identities) decrypter.addIdentity(identity);
  const text = await decrypter.decrypt(encrypted, 'text').catch((error: unknown) => {
    const message = `${path} cannot be decrypted (${error instanceof Error ? error.message : String(error)})`;
    throw bad('BACKUP', message, `the identity in ${identityFile} must be one of its recipients`);
  });
  const { keys, ...head } = shape.parse(JSON.parse(text));
  if (head.host !== settings.host || head.release !== settings.release)
    throw bad('BACKUP', `${path} is of ${head.release} at ${head.host}`, `a backup of ${settings.host} is wanted`);
  return { ...head, keys: keys.map(({ expiresAt, ...k }) => ({ ...k, ...(expiresAt ? { expiresAt } : {}) })) };
}

function bad(about: string, message: string, remedy: string): BadInput {
  return new BadInput([{ about, message, remedy }]);
}
