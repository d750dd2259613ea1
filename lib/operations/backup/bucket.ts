/** Backups in BACKUP_BUCKET, as text that age reads too (its armor): one object a backup, below the deployment's own name. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { armor } from 'age-encryption';
import { DAY_MS } from '../../base/clock.ts';
import { BadInput, count, Failure } from '../../base/failure.ts';
import type { Context } from '../../context.ts';
import type { Settings } from '../../settings/settings.ts';
import { identitiesOf, openBackup, type SavedBackup } from './backup-file.ts';

/** A backup that lies in the bucket. */
export interface StoredBackup {
  /** Its name there. */
  name: string;
  /** When it was stored, in milliseconds since the epoch. */
  at: number;
}

/** The backups of this deployment, the newest first. @throws BadInput where the bucket is not there */
export async function storedBackups({ google, settings }: Context, bucket: string): Promise<StoredBackup[]> {
  const objects = await google.objects(bucket, `${settings.host}/`);
  if (!objects) throw noBucket(settings, bucket);
  return (
    objects
      // What others keep there is not counted, and never removed.
      .filter(({ name }) => OURS.test(name.slice(settings.host.length)))
      .map(({ name, timeCreated }) => ({ name, at: Date.parse(timeCreated) }))
      .sort((a, b) => b.at - a.at)
  );
}

/** What is said where the bucket is not there. */
export function noBucket({ project, region }: Settings, bucket: string): BadInput {
  const remedy = `gcloud storage buckets create gs://${bucket} --project=${project} --location=${region} --uniform-bucket-level-access --public-access-prevention`;
  return new BadInput([{ about: 'BACKUP_BUCKET', message: `there is no bucket ${bucket}, or it is hidden`, remedy }]);
}

const OURS = /^\/\d{4}-\d{2}-\d{2}T[\d-]+Z\.redis\.age$/;

/** Stores the file, and compares what the bucket says that it holds. @returns its gs:// name @throws Failure */
export async function storeBackup(
  { google, settings }: Context,
  bucket: string,
  file: string,
  takenAt: string,
): Promise<string> {
  const text = armor.encode(await readFile(file));
  const name = `${settings.host}/${takenAt.replaceAll(/[:.]/g, '-')}.redis.age`;
  const { md5Hash } = await google.putObject(bucket, name, text);
  const wanted = createHash('md5').update(text).digest('base64');
  if (md5Hash !== wanted)
    throw new Failure({
      what: `gs://${bucket}/${name} is not what was sent`,
      wanted: `MD5 ${wanted}`,
      found: md5Hash ?? 'no MD5',
      next: 'make backup, and remove the object',
    });
  return `gs://${bucket}/${name}`;
}

/** Removes the backups that are older than BACKUP_KEEP_DAYS; the caller has stored a newer one. @returns in words what went */
export async function removeOld(
  { google, settings, clock }: Context,
  bucket: string,
  stored: readonly StoredBackup[],
): Promise<string> {
  const { keepDays } = settings.backup;
  const old = stored.filter((s) => clock.now() - s.at > keepDays * DAY_MS);
  const kept: string[] = [];
  for (const { name } of old) if (!(await google.deleteObject(bucket, name))) kept.push(name);
  const gone = `${count(old.length - kept.length, 'backup')} of more than ${keepDays} days removed`;
  return kept.length === 0
    ? gone
    : `${gone}; ${count(kept.length, 'other')} stay: the bucket refuses their removal (its own retention, or a right that this account lacks)`;
}

/** The newest backup of the bucket. @param unsigned as openBackup @throws BadInput where it has none, and as openBackup */
export async function newestBackup(ctx: Context, bucket: string, unsigned: boolean): Promise<SavedBackup> {
  identitiesOf(ctx.settings);
  const [newest] = await storedBackups(ctx, bucket);
  if (!newest) {
    const message = `gs://${bucket} holds no backup of ${ctx.settings.host}`;
    throw new BadInput([{ about: 'BACKUP', message, remedy: 'make backup' }]);
  }
  const where = `gs://${bucket}/${newest.name}`;
  const text = await ctx.google.objectText(bucket, newest.name);
  return openBackup(unarmored(text, where), where, ctx.settings, unsigned);
}

function unarmored(text: string, where: string): Uint8Array {
  try {
    return armor.decode(text);
  } catch (error) {
    const message = `${where} is no age file (${error instanceof Error ? error.message : String(error)})`;
    throw new BadInput([{ about: 'BACKUP', message, remedy: 'name another: BACKUP=file' }]);
  }
}
