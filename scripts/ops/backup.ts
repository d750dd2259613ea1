/** Saves what Redis holds (executor tokens, sessions, audit), encrypted with age for BACKUP_RECIPIENT. OUT=file */
import { join, resolve } from 'node:path';
import { recipientsOf, writeBackup } from '../../lib/operations/backup/backup-file.ts';
import { Failure } from '../../lib/base/failure.ts';
import { withSettingsFile } from '../../lib/base/next-command.ts';
import { shellWord } from '../../lib/base/shell-word.ts';
import { outFile } from '../../lib/base/out-path.ts';
import { runAlone } from '../entry.ts';
import { dumpRedis } from '../../lib/operations/backup/redis-dump.ts';
import type { Session } from '../../lib/runner/session.ts';
import { STATUS } from '../../lib/base/exit-status.ts';
import { ROOT, RUNBOOK_FOLDER } from '../../lib/base/paths.ts';
import { ownCommit } from '../../lib/runner/own-commit.ts';

/** Writes a backup, by default under .runbook. @returns the exit status @throws BadInput without a recipient */
export async function backup({ ctx, out, journal }: Session, file: string | undefined): Promise<number> {
  const { settings } = ctx;
  const recipients = recipientsOf(settings);
  const takenAt = new Date(ctx.clock.now()).toISOString();
  const path = resolve(
    (file === undefined ? undefined : outFile(file)) ??
      join(RUNBOOK_FOLDER, settings.host, 'backups', `${takenAt.replaceAll(/[:.]/g, '-')}.redis.age`),
  );
  const keys = await dumpRedis(ctx);
  if (keys.length === 0)
    throw new Failure({ what: 'Redis holds no key at all: there is nothing to save', next: 'make status' });
  await writeBackup(
    path,
    { by: ownCommit(ROOT), host: settings.host, release: settings.release, takenAt, keys },
    settings,
  );
  const readers = `${recipients.length} recipient${recipients.length === 1 ? '' : 's'}`;
  journal({ event: 'backup', state: 'done', reason: `${keys.length} keys in ${path}`, deployment: settings.host });
  out.line(`${keys.length} keys of Redis, encrypted for ${readers}: ${path}`);
  out.line(withSettingsFile(`next: make restore BACKUP=${shellWord(path)}`, settings.file));
  return STATUS.done;
}

void runAlone(import.meta);
