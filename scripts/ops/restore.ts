/** Puts a backup's keys back into Redis and proves that they are there. BACKUP=file */
import { Command } from 'commander';
import { clusterIds, ensureRegistered } from '../../lib/deployment/kubently/api.ts';
import { readBackup, type Backup } from '../../lib/operations/backup/backup-file.ts';
import { tokenOf } from '../../lib/deployment/kubently/secrets.ts';
import { Failure } from '../../lib/base/failure.ts';
import { withLock } from '../../lib/runner/lock.ts';
import { ownArguments } from '../entry.ts';
import { runProgram } from '../program.ts';
import { registered } from '../../lib/deployment/kubently/redis.ts';
import { present, restoreRedis } from '../../lib/operations/backup/redis-dump.ts';
import { openSession, type Session } from '../../lib/runner/session.ts';
import { STATUS } from '../../lib/base/exit-status.ts';
import { readTokens, tokenName } from '../../lib/deployment/kubently/tokens.ts';
import { journalled } from '../../lib/runner/recorded-run.ts';

/**
 * Restores the file over what Redis holds. A key whose time has passed since stays away; a cluster whose token was
 * rotated since keeps its new one. @returns the exit status @throws BadInput for the file, Failure where a key is missing
 */
export async function restore(session: Session, file: string | undefined): Promise<number> {
  const saved = await readBackup(file, session.ctx.settings);
  return journalled(session.journal, 'restore', () =>
    withLock(session, { what: 'restore', waitMs: 0 }, () => restoreSaved(session, saved)),
  );
}

async function restoreSaved({ ctx, out, journal }: Session, saved: Backup): Promise<number> {
  const now = ctx.clock.now();
  const alive = saved.keys.filter((k) => k.expiresAt === undefined || k.expiresAt > now);
  await restoreRedis(ctx, alive);
  const still = alive.filter((k) => k.expiresAt === undefined || k.expiresAt > ctx.clock.now() + 1000);
  const held = await present(ctx, still);
  if (held !== still.length)
    throw new Failure({
      what: `Redis holds ${held} of the backup's ${still.length} keys`,
      next: 'the same command again',
    });
  const tokens = readTokens(ctx.settings.tokensFile);
  const wanted = new Map(clusterIds(ctx).map((id) => [id, tokenOf(tokens, tokenName(id))]));
  const states = await registered(ctx, wanted);
  for (const [id, token] of wanted) await ensureRegistered(ctx, id, token);
  const tally = [...states].map(([id, s]) => `${id} ${s === 'registered' ? 'as saved' : 'registered anew'}`).join(', ');
  const reason = `${alive.length} of ${saved.keys.length} keys of ${saved.takenAt} are in Redis (${saved.keys.length - alive.length} had expired); tokens: ${tally}`;
  journal({ event: 'restore', state: 'done', reason });
  out.line(reason);
  out.line('next: make verify');
  return STATUS.done;
}

const args = ownArguments(import.meta);
if (args) {
  const program = new Command('restore').option('--backup <file>', 'the file that make backup wrote');
  const work = (): Promise<number> => restore(openSession(false), program.opts<{ backup?: string }>().backup);
  void runProgram(program, args, work);
}
