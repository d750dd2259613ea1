/** How a run is stopped: by a signal, or because the lock is no longer its own. Nothing new is started then. */
import type { Clock } from '../base/clock.ts';
import { endChildren } from '../base/command.ts';
import type { Outside } from '../context.ts';
import { Failure, type FailureParts } from '../base/failure.ts';

/** The run was stopped before its end; `status` is what the program ends with. */
export class Stopped extends Failure {
  override name = 'Stopped';
  readonly status: number;

  constructor(parts: FailureParts, status: number) {
    super(parts);
    this.status = status;
  }
}

/** One program's stop: asked for once, seen by every wait and every command. */
export class Stop {
  readonly #controller = new AbortController();
  /** Until when the lock is certainly this run's, in milliseconds since the epoch; no lock: no end. */
  deadline = Infinity;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why the run is stopped, or undefined while it goes on. */
  get reason(): Stopped | undefined {
    return this.signal.aborted ? (this.signal.reason as Stopped) : undefined;
  }

  /** Ends the waits and the children that run now; the first reason stays. */
  request(reason: Stopped): void {
    if (this.signal.aborted) return;
    this.#controller.abort(reason);
    endChildren('SIGTERM');
  }

  /** @throws Stopped once the run is to end, or the lock has not been renewed in time (a suspended machine) */
  check(now: number): void {
    if (now > this.deadline) this.request(lockExpired());
    this.signal.throwIfAborted();
  }
}

/** The lock could not be renewed for as long as others leave it alone. */
export function lockExpired(): Stopped {
  return new Stopped(
    {
      what: 'stopped: the lock could not be renewed in time, so another run may have it',
      next: 'look whether the GKE cluster answers, then run the same command again',
    },
    1,
  );
}

/** This process's own stop: signals are the process's, too. */
export const processStop = new Stop();

/** An Outside that starts nothing new once the run is to end (but what removes a probe), and whose waits end at once. */
export function stoppable(outside: Outside, stop: Stop): Outside {
  const guarded =
    <A, T>(call: (given: A) => Promise<T>) =>
    async (given: A): Promise<T> => {
      stop.check(outside.clock.now());
      try {
        return await call(given);
      } catch (error) {
        // A child that was ended with the run did not fail by itself.
        stop.signal.throwIfAborted();
        throw error;
      }
    };
  const clock: Clock = {
    now: () => outside.clock.now(),
    sleep: async (ms) => {
      stop.check(outside.clock.now());
      await Promise.race([outside.clock.sleep(ms), aborted(stop.signal)]);
    },
  };
  const run = guarded(outside.run);
  return {
    ...outside,
    run: (command) => (command.whileStopping ? outside.run(command) : run(command)),
    http: guarded(outside.http),
    clock,
  };
}

/** Rejects with the signal's reason. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(signal.reason as Error);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
