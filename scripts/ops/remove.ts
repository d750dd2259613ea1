/** Takes the whole deployment away, in the reverse order of the plan, and says what is left and why: make remove KEEP=… YES=1 */
import { confirm } from '../../lib/runner/confirm.ts';
import { BadInput, explain } from '../../lib/base/failure.ts';
import { inventory, itemLines, leftLines, type Item } from '../../lib/operations/removal/inventory.ts';
import { withSettingsFile } from '../../lib/base/next-command.ts';
import { withLock } from '../../lib/runner/lock.ts';
import { runAlone } from '../entry.ts';
import { undoSteps } from '../../lib/operations/removal/removal.ts';
import type { Row } from '../../lib/runner/rows.ts';
import type { Session } from '../../lib/runner/session.ts';
import { elapsed, watch } from '../../lib/runner/show.ts';
import { ownedBy } from '../../lib/deployment/ownership/ownership.ts';
import { retainedBy } from '../../lib/deployment/ownership/retained.ts';
import { STATUS } from '../../lib/base/exit-status.ts';
import { EVERY_STEP } from '../steps.ts';
import { KEEPABLE, type Keep, type Removal } from '../../lib/step.ts';

/** Removes what the deployment has, less what is kept. @returns 0 when only kept things are left, 1 when something could not be removed */
export async function remove(session: Session, keep: ReadonlySet<Keep>, yes: string | undefined): Promise<number> {
  const { ctx, out, journal } = session;
  const removal: Removal = { retained: await retainedBy(ctx, keep), owned: ownedBy(EVERY_STEP, ctx) };
  const before = await inventory(EVERY_STEP, ctx, removal);
  const kept = before.filter((i) => i.kept !== undefined);
  const goes = before.filter((i) => i.kept === undefined);
  const show = (title: string, items: readonly Item[], lines = leftLines): void => {
    if (items.length > 0) [out.chalk.bold(title), ...lines(items), ''].forEach(out.line);
  };
  if (goes.length === 0) {
    show('kept on purpose:', kept);
    out.line('there is nothing to remove');
    return STATUS.done;
  }
  show('to be deleted:', goes, itemLines);
  show('to be kept:', kept);
  await confirm(`Delete this deployment of ${ctx.settings.host}?`, yes);

  const started = Date.now();
  journal({ event: 'remove', reason: `keep ${[...keep].join(', ') || 'nothing'}` });
  const watcher = await watch(out);
  const steps = EVERY_STEP.filter((s) => s.kind === 'change');
  const rows = await withLock(session, { what: 'remove', waitMs: 0 }, () =>
    undoSteps(steps, ctx, removal, journal, watcher),
  );
  watcher.stop();
  for (const r of rows)
    if (r.state === 'failed') out.line(`\n${out.chalk.red('✗')} ${r.id} ${r.title}\n${explain(r.error)}`);

  const left = await inventory(EVERY_STEP, ctx, removal);
  const stuck = left.filter((i) => i.kept === undefined).map((i) => ({ ...i, stuck: i.stuck ?? because(rows, i) }));
  out.line('');
  show(
    'left, kept on purpose:',
    left.filter((i) => i.kept !== undefined),
  );
  show('left, not removable:', stuck);
  const failed = stuck.length > 0 || rows.some((r) => r.state === 'failed' || r.state === 'blocked');
  const end = failed
    ? 'not everything could be removed; make remove goes on where this ended'
    : 'removed; nothing else is left';
  out.line(`${withSettingsFile(end, ctx.settings.file)} (${elapsed(Date.now() - started)})`);
  journal({ event: 'remove', state: failed ? 'failed' : 'done', durationMs: Date.now() - started });
  return failed ? STATUS.failed : STATUS.done;
}

/** Why the item is still there, as far as its step knows. */
function because(rows: readonly Row[], { step }: Item): string {
  return rows.find((r) => r.id === step)?.reason || 'it came back, or was made while the removal ran';
}

/** @throws BadInput on a part that cannot be kept */
export function keepOf(text: string | undefined): ReadonlySet<Keep> {
  const words = (text ?? '')
    .split(',')
    .map((w) => w.trim())
    .filter(Boolean);
  const known = (w: string): w is Keep => KEEPABLE.some((k) => k === w);
  const unknown = words.filter((w) => !known(w));
  if (unknown.length > 0)
    throw new BadInput([
      { about: 'KEEP', message: `${unknown.join(', ')} cannot be kept`, remedy: `choose of ${KEEPABLE.join(', ')}` },
    ]);
  return new Set(words.filter(known));
}

void runAlone(import.meta);
