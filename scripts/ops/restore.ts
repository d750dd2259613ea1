/** Tells what a backup would replace, asks, puts its keys back into Redis and proves that they are there. BACKUP=file|newest YES=1 UNSIGNED=1 */
import type { Context } from '../../lib/context.ts';
import type { Secret } from '../../lib/base/secret.ts';
import { clusterIds, ensureRegistered } from '../../lib/deployment/kubently/api.ts';
import { readBackup, type SavedBackup } from '../../lib/operations/backup/backup-file.ts';
import { newestBackup } from '../../lib/operations/backup/bucket.ts';
import { aliveAt, restorePreview } from '../../lib/operations/backup/preview.ts';
import { tokenOf } from '../../lib/deployment/kubently/secrets.ts';
import { confirm } from '../../lib/runner/confirm.ts';
import { BadInput, Failure } from '../../lib/base/failure.ts';
import { withSettingsFile } from '../../lib/base/next-command.ts';
import { withLock } from '../../lib/runner/lock.ts';
import { runAlone } from '../entry.ts';
import { registered } from '../../lib/deployment/kubently/redis.ts';
import { dumpRedis, present, restoreRedis } from '../../lib/operations/backup/redis-dump.ts';
import type { Session } from '../../lib/runner/session.ts';
import { STATUS } from '../../lib/base/exit-status.ts';
import { tokenName } from '../../lib/settings/tokens-file.ts';

/**
 * Restores the file over what Redis holds. A key whose time has passed since stays away; a cluster whose token was
 * rotated since keeps its new one. @returns the exit status
 * @throws BadInput for the file, Declined, Failure where a key is missing
 */
export async function restore(
  session: Session,
  file: string | undefined,
  yes: string | undefined,
  unsigned: string | undefined,
): Promise<number> {
  const { ctx, out } = session;
  const saved = await savedBackup(ctx, file, unsigned === '1');
  const held = await dumpRedis(ctx);
  restorePreview(saved, { now: ctx.clock.now(), held, tokens: tokensInUse(ctx) }).forEach((text) => out.line(text));
  await confirm(`\nRestore into Redis of ${ctx.settings.host}?`, yes);
  return withLock(session, { what: 'restore', waitMs: 0 }, () => restoreSaved(session, saved));
}

/** The backup that BACKUP names: a file, or the newest of BACKUP_BUCKET. @throws BadInput where it cannot be read */
export async function savedBackup(ctx: Context, name: string | undefined, unsigned: boolean): Promise<SavedBackup> {
  const { bucket } = ctx.settings.backup;
  if (name !== 'newest') return readBackup(name, ctx.settings, unsigned);
  if (bucket !== undefined) return newestBackup(ctx, bucket, unsigned);
  throw new BadInput([{ about: 'BACKUP_BUCKET', message: 'is not set: there is no newest', remedy: 'BACKUP=file' }]);
}

function tokensInUse(ctx: Context): Map<string, Secret> {
  const tokens = ctx.tokens();
  return new Map(clusterIds(ctx).map((id) => [id, tokenOf(tokens, tokenName(id))]));
}

async function restoreSaved({ ctx, out, journal }: Session, saved: SavedBackup): Promise<number> {
  const alive = aliveAt(saved.keys, ctx.clock.now());
  await restoreRedis(ctx, alive);
  const still = aliveAt(alive, ctx.clock.now() + 1000);
  const held = await present(ctx, still);
  if (held !== still.length)
    throw new Failure({
      what: `Redis holds ${held} of the backup's ${still.length} keys`,
      next: 'the same command again',
    });
  const wanted = tokensInUse(ctx);
  const states = await registered(ctx, wanted);
  for (const [id, token] of wanted) await ensureRegistered(ctx, id, token);
  const tally = [...states].map(([id, s]) => `${id} ${s === 'registered' ? 'as saved' : 'registered anew'}`).join(', ');
  const reason = `${alive.length} of ${saved.keys.length} keys of ${saved.takenAt} are in Redis (${saved.keys.length - alive.length} had expired); tokens: ${tally}`;
  journal({ event: 'restore', state: 'done', reason, deployment: ctx.settings.host });
  out.line(reason);
  out.line(withSettingsFile('next: make verify', ctx.settings.file));
  return STATUS.done;
}

void runAlone(import.meta);
