/** Saves what Redis holds (executor tokens, sessions, audit), encrypted with age for BACKUP_RECIPIENT, here and in BACKUP_BUCKET. OUT=file */
import { join, resolve } from 'node:path';
import { recipientsOf, writeBackup } from '../../lib/operations/backup/backup-file.ts';
import { removeOld, storeBackup, storedBackups } from '../../lib/operations/backup/bucket.ts';
import { count, Failure } from '../../lib/base/failure.ts';
import { withSettingsFile } from '../../lib/base/next-command.ts';
import { shellWord } from '../../lib/base/shell-word.ts';
import { outFile } from '../../lib/base/out-path.ts';
import { runAlone } from '../entry.ts';
import { dumpRedis } from '../../lib/operations/backup/redis-dump.ts';
import type { Session } from '../../lib/runner/session.ts';
import { STATUS } from '../../lib/base/exit-status.ts';
import { ROOT, RUNBOOK_FOLDER } from '../../lib/base/paths.ts';
import { ownCommit } from '../../lib/runner/own-commit.ts';

/** A backup that was made. */
export interface Taken {
  path: string;
  /** Its name in BACKUP_BUCKET, gs://…; undefined: it lies here alone. */
  stored: string | undefined;
  /** ISO time. */
  takenAt: string;
}

/**
 * Writes a backup, by default under .runbook, and stores it in BACKUP_BUCKET where that is set.
 * @throws BadInput without a recipient or where the bucket is not there, Failure
 */
export async function backup({ ctx, out, journal }: Session, file: string | undefined): Promise<Taken> {
  const { settings } = ctx;
  const { bucket } = settings.backup;
  const recipients = recipientsOf(settings);
  const takenAt = new Date(ctx.clock.now()).toISOString();
  const path = resolve(
    (file === undefined ? undefined : outFile(file)) ??
      join(RUNBOOK_FOLDER, settings.host, 'backups', `${takenAt.replaceAll(/[:.]/g, '-')}.redis.age`),
  );
  const before = bucket === undefined ? [] : await storedBackups(ctx, bucket);
  const keys = await dumpRedis(ctx);
  if (keys.length === 0)
    throw new Failure({ what: 'Redis holds no key at all: there is nothing to save', next: 'make status' });
  const { host, release } = settings;
  await writeBackup(path, { by: ownCommit(ROOT), host, release, takenAt, keys }, settings);
  out.line(`${keys.length} keys of Redis, encrypted for ${count(recipients.length, 'recipient')}: ${path}`);
  const stored = bucket === undefined ? undefined : await storeBackup(ctx, bucket, path, takenAt);
  if (bucket !== undefined && stored !== undefined) {
    out.line(`stored as ${stored}, compared by MD5`);
    out.line(await removeOld(ctx, bucket, before));
  }
  journal({ event: 'backup', state: 'done', reason: `${keys.length} keys in ${stored ?? path}`, deployment: host });
  return { path, stored, takenAt };
}

/** What BACKUP= of make restore takes for it. */
export function nameOf({ path, stored }: Taken): string {
  return stored === undefined ? path : 'newest';
}

/** A backup as a command of its own. @returns the exit status; throws as backup */
export async function makeBackup(session: Session, file: string | undefined): Promise<number> {
  const name = nameOf(await backup(session, file));
  session.out.line(withSettingsFile(`next: make restore BACKUP=${shellWord(name)}`, session.ctx.settings.file));
  return STATUS.done;
}

void runAlone(import.meta);
