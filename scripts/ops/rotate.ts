/** Replaces secrets by new ones, proves that the new ones work and the old ones are refused. WHAT=api-key|executor:ID|redis|dns-key|all */
import type { Clock } from '../../lib/base/clock.ts';
import { withLock } from '../../lib/runner/lock.ts';
import { runAlone } from '../entry.ts';
import { beginAll, rotate, subjectsOf, type Subject } from '../../lib/operations/rotation/rotation.ts';
import type { Session } from '../../lib/runner/session.ts';
import { STATUS } from '../../lib/base/exit-status.ts';

const HEARTBEAT_MS = 10_000;

/**
 * Rotates what is named, or goes on with what an earlier run began. @returns the exit status
 * @throws BadInput for a WHAT that is nothing, Failure where a proof fails
 */
export async function rotateWhat(session: Session, what: string | undefined): Promise<number> {
  const subjects = subjectsOf(what, session.ctx.settings);
  const name = `rotate ${what ?? ''}`;
  return withLock(session, { what: name, waitMs: 0 }, () => rotateAll(session, subjects));
}

async function rotateAll({ ctx, out, journal }: Session, subjects: readonly Subject[]): Promise<number> {
  const open = await beginAll(ctx, subjects);
  for (const subject of open) {
    const started = ctx.clock.now();
    const evidence = await rotate(
      { ...ctx, note: heartbeat(ctx.clock, (text) => out.line(`… ${subject}: ${text}`)) },
      subject,
    );
    const durationMs = ctx.clock.now() - started;
    journal({
      event: 'rotate',
      step: subject,
      state: 'done',
      reason: evidence,
      durationMs,
      deployment: ctx.settings.host,
    });
    out.line(`${out.chalk.green('✓')} ${subject}: ${evidence} (${Math.round(durationMs / 1000)} s)`);
  }
  return STATUS.done;
}

/** Tells now and then what is waited for. */
function heartbeat(clock: Clock, tell: (text: string) => void): (text: string) => void {
  let [at, last] = [clock.now(), ''];
  return (text) => {
    if (text === last || clock.now() - at < HEARTBEAT_MS) return;
    [at, last] = [clock.now(), text];
    tell(text);
  };
}

void runAlone(import.meta);
