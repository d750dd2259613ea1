/** Disaster recovery for real: backup, everything destroyed, deployed anew, restored, proven; RTO and RPO. DRILL=host KEEP=… YES=1 */
import { holdsCanary, removeCanaries, writeCanary, type Canary } from '../../lib/operations/canary.ts';
import { identitiesOf, recipientsOf } from '../../lib/operations/backup/backup-file.ts';
import { withSettingsFile } from '../../lib/base/next-command.ts';
import { shellWord } from '../../lib/base/shell-word.ts';
import { BadInput, Failure } from '../../lib/base/failure.ts';
import { STATUS } from '../../lib/base/exit-status.ts';
import { confirm } from '../../lib/runner/confirm.ts';
import { preflight } from '../../lib/runner/preflight.ts';
import type { Session } from '../../lib/runner/session.ts';
import { elapsed } from '../../lib/runner/show.ts';
import type { Keep } from '../../lib/step.ts';
import { runAlone } from '../entry.ts';
import { run, verify } from '../operate.ts';
import { stepsFor } from '../steps.ts';
import { backup, nameOf, type Taken } from './backup.ts';
import { remove } from './remove.ts';
import { restore, savedBackup } from './restore.ts';

/**
 * Drills. Nothing is destroyed before the backup was read back with what it must hold. @returns the exit status
 * @throws BadInput where DRILL is not the host or the way back is not open, Declined, Failure where a part fails
 */
export async function drill(
  session: Session,
  host: string | undefined,
  keep: ReadonlySet<Keep>,
  yes: string | undefined,
): Promise<number> {
  const { ctx, out, journal } = session;
  const { settings, clock } = ctx;
  isMeant(host, settings.host);
  recipientsOf(settings);
  identitiesOf(settings);
  const problems = await preflight(ctx, 'asked');
  if (problems.length > 0) throw new BadInput(problems);
  const kept = [...keep].join(', ') || 'nothing';
  out.line(
    `a backup of ${settings.host} is made; then the deployment is destroyed (kept: ${kept}), deployed and restored.`,
  );
  out.line('Until it is proven again nobody can use it, and what is written after the backup is lost.');
  await confirm(`Destroy and rebuild ${settings.host}?`, yes);

  const started = clock.now();
  const tell = (state: string, reason: string): void =>
    journal({ event: 'drill', state, reason, durationMs: clock.now() - started, deployment: settings.host });
  const { taken, before, after } = await wayBack(session);
  try {
    const destroyedFrom = clock.now();
    ended('the removal', await remove(session, keep, '1'), 'make remove goes on');
    const goneAt = clock.now();
    ended('the deployment', await run(session, 'deploy', stepsFor(settings), 0), 'make deploy resumes');
    await restore(session, nameOf(taken), '1', undefined);
    const lost = await whatIsLost(session, before, after, keep);
    ended('the proof of the criteria', await verify(session, undefined, false), 'make verify', [STATUS.done]);
    const rtoMs = clock.now() - goneAt;
    const rpoMs = lost ? destroyedFrom - Date.parse(taken.takenAt) : 0;
    await removeCanaries(ctx, [before, after]);
    const reason = `RTO ${elapsed(rtoMs)} from when all was gone until every criterion was proven (destroying took ${elapsed(goneAt - destroyedFrom)}), RPO ${elapsed(rpoMs)}; kept: ${kept}; from ${taken.stored ?? taken.path}`;
    tell('done', reason);
    out.line(`${out.chalk.green('✓')} ${reason}`);
    return STATUS.done;
  } catch (error) {
    tell('failed', error instanceof Error ? error.message : String(error));
    out.line(
      `the way back, from wherever it stands: ${withSettingsFile('make deploy', settings.file)}, then ${withSettingsFile(`make restore BACKUP=${shellWord(taken.path)}`, settings.file)}`,
    );
    throw error;
  }
}

function isMeant(host: string | undefined, wanted: string): void {
  if (host === wanted) return;
  const message = host === undefined ? 'is not given' : `names ${host}, the settings are of ${wanted}`;
  throw new BadInput([
    { about: 'DRILL', message, remedy: `it destroys the deployment that it names: DRILL=${wanted}, if that is meant` },
  ]);
}

/** Backup and canaries, one on each side of it. @throws Failure, and what backup throws: the canaries are gone then */
async function wayBack(session: Session): Promise<{ taken: Taken; before: Canary; after: Canary }> {
  const before = await writeCanary(session.ctx, 'before');
  try {
    const taken = await backup(session, undefined);
    await isReadable(session, taken, before);
    return { taken, before, after: await writeCanary(session.ctx, 'after') };
  } catch (error) {
    await removeCanaries(session.ctx, [before]);
    throw error;
  }
}

/** @throws Failure where the backup cannot bring back what was there before it: nothing is destroyed then */
async function isReadable({ ctx }: Session, taken: Taken, { key }: Canary): Promise<void> {
  const { keys, takenAt } = await savedBackup(ctx, nameOf(taken), false);
  const wanted = Buffer.from(key).toString('base64');
  if (takenAt !== taken.takenAt || !keys.some((k) => k.key === wanted))
    throw new Failure({
      what: 'the backup does not hold what was written before it; nothing was destroyed',
      wanted: `${key} in the backup of ${taken.takenAt}`,
      found: `${keys.length} keys in that of ${takenAt}`,
      next: 'make backup, and look at where it is stored',
    });
}

/** True when what was written after the backup is gone. @throws Failure where older data is gone, or nothing was destroyed */
async function whatIsLost({ ctx }: Session, before: Canary, after: Canary, keep: ReadonlySet<Keep>): Promise<boolean> {
  if (!(await holdsCanary(ctx, before)))
    throw new Failure({
      what: 'what was written before the backup did not come back',
      next: 'make restore, then make verify',
    });
  const lost = !(await holdsCanary(ctx, after));
  if (!lost && !keep.has('data'))
    throw new Failure({
      what: 'what was written after the backup is still there: Redis was not destroyed',
      next: 'make status; the drill proves nothing',
    });
  return lost;
}

/** @throws Failure at any other ending: as the command itself has told already */
function ended(
  what: string,
  status: number,
  next: string,
  good: readonly number[] = [STATUS.done, STATUS.unproven],
): void {
  if (!good.includes(status)) throw new Failure({ what: `${what} ended with status ${status}`, next });
}

void runAlone(import.meta);
