/** One operator of two-operators.test.ts: takes the scratch lock when told to, and says when it was inside. */
import { parseArgs } from 'node:util';
import { Locked, withLock } from '../../lib/runner/lock.ts';
import { openSession } from '../../lib/runner/session.ts';

const { values } = parseArgs({ options: { lease: { type: 'string', default: '' } } });

/** What the parent asks for. */
export interface Order {
  waitMs: number;
  insideMs: number;
  /** A child that works on while this process is inside, for so long. */
  childMs?: number;
}

/** What the parent is told; times by the machine's monotonic clock, in nanoseconds. */
export type Report =
  | { state: 'ready' }
  | { state: 'inside'; at: string }
  | { state: 'child'; pid: number }
  | { state: 'left'; at: string }
  | { state: 'locked'; text: string }
  | { state: 'failed'; text: string };

if (import.meta.main) {
  const session = openSession(false);
  session.journal = () => undefined;
  const say = (report: Report): void => void process.send?.(report);
  const now = (): string => String(process.hrtime.bigint());
  process.on('message', (order: Order) => {
    withLock(session, { what: 'a test', waitMs: order.waitMs, lease: values.lease }, async () => {
      say({ state: 'inside', at: now() });
      if (order.childMs !== undefined) {
        const script = `process.on("SIGTERM", () => {}); setTimeout(() => {}, ${order.childMs})`;
        void session.outside.run({ binary: 'node', args: ['-e', script], mutates: true, timeoutMs: 600_000 });
      }
      await new Promise((go) => setTimeout(go, order.insideMs));
      say({ state: 'left', at: now() });
    }).catch((error: unknown) =>
      say(
        error instanceof Locked
          ? { state: 'locked', text: error.message }
          : { state: 'failed', text: String(error instanceof Error ? error.stack : error) },
      ),
    );
  });
  process.on('disconnect', () => process.exit(0));
  say({ state: 'ready' });
}
