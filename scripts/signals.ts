/** What a program does about signals and a terminal that is gone. */
import { endChildren } from '../lib/base/command.ts';
import { STATUS } from '../lib/base/exit-status.ts';
import { explain } from '../lib/base/failure.ts';
import { complain } from '../lib/base/say.ts';
import { processStop, Stopped } from '../lib/runner/stop.ts';

const STATUSES = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const;
/** make passes on the signal that it got; only a later one is the operator's second. */
const SAME_SIGNAL_MS = 100;
/** When a stop hangs: longer than children and the lock get. */
const STOP_AT_MOST_MS = 60_000;

/** A first signal ends what runs and frees the lock, a second one ends at once. */
export function stopOnSignals(): void {
  let firstAt: number | undefined;
  for (const [signal, status] of STATUSES) {
    process.on(signal, () => {
      const now = Date.now();
      if (firstAt !== undefined && now - firstAt < SAME_SIGNAL_MS) return;
      if (firstAt !== undefined) process.exit(status);
      firstAt = now;
      complain(`\n${signal}: ending what runs and freeing the lock; once more ends at once`);
      setTimeout(() => process.exit(status), STOP_AT_MOST_MS).unref();
      processStop.request(
        new Stopped({ what: `ended by ${signal}`, next: 'nothing is lost: rerun the same command to resume' }, status),
      );
    });
  }
}

/** For what only shows something: a signal ends it without a word. */
export function endSilentlyOnSignals(): void {
  for (const [signal, status] of STATUSES)
    process.removeAllListeners(signal).once(signal, () => {
      endChildren('SIGTERM');
      process.exit(status);
    });
}

/** A terminal or pipe that is gone must not end a run half-way: what it would have shown is dropped. */
export function outliveTerminal(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
}

/** Node's own words about an error that nobody caught would show it unscrubbed. */
export function tellTheUnexpected(): void {
  process.on('uncaughtException', (error) => {
    complain(error.stack ?? explain(error));
    process.exit(STATUS.failed);
  });
}
