/** Follows the logs of all clusters, or shows their last lines: make logs WHAT=… TAIL=100 FOLLOW=0 */
import { endChildren } from '../../lib/base/command.ts';
import { BadInput, explain } from '../../lib/base/failure.ts';
import { complain } from '../../lib/base/say.ts';
import { followStream, inOrder, lastLines, logStreams, type LogLine } from '../../lib/operations/log-streams.ts';
import { runAlone } from '../entry.ts';
import { endSilentlyOnSignals } from '../signals.ts';
import { openSession, type Session } from '../../lib/runner/session.ts';
import { STATUS } from '../../lib/base/exit-status.ts';

/** A rotation writes its new token well before a pod knows it. */
const TOKENS_AGAIN_MS = 1000;

export interface LogFlags {
  what?: string;
  tail: number;
  follow: boolean;
}

/** Prints the logs; while it follows, only a signal ends it. @throws BadInput on a log that there is not */
export async function logs({ ctx, out }: Session, { what, tail, follow }: LogFlags): Promise<number> {
  const streams = logStreams(ctx.settings, what);
  // Boxes every token, so that the screen blanks out one that a pod logs; a rotation adds some meanwhile.
  ctx.tokens();
  const again = setInterval(ctx.tokens, TOKENS_AGAIN_MS);
  again.unref();
  const { cyan, green, magenta, yellow, blue, red } = out.chalk;
  const colours = [cyan, green, magenta, yellow, blue, red];
  const show = ({ stream, pod, text }: LogLine): void => {
    const colour = colours[streams.findIndex((s) => s.name === stream) % colours.length] ?? cyan;
    out.line(`${colour(`${stream} ${pod}`)} ${text}`);
  };
  const about = (stream: string, text: string): void => complain(`${stream}: ${text}`);
  if (follow) {
    await Promise.all(streams.map((s) => followStream(ctx, s, tail, show, (text) => about(s.name, text))));
    return STATUS.done;
  }
  const read = await Promise.allSettled(streams.map((s) => lastLines(ctx, s, tail)));
  inOrder(read.flatMap((r) => (r.status === 'fulfilled' ? r.value : []))).forEach(show);
  const failed = streams.filter((s, i) => {
    const found = read[i];
    if (found?.status === 'rejected') about(s.name, explain(found.reason));
    else if (found?.value.length === 0) about(s.name, 'no lines');
    return found?.status === 'rejected';
  });
  return failed.length > 0 ? STATUS.failed : STATUS.done;
}

/** `logs` as it is typed. @throws BadInput on a log that there is not, or lines that are no count */
export function showLogs({ what, tail, follow }: Omit<LogFlags, 'tail'> & { tail: string }): Promise<number> {
  if (!/^\d+$/.test(tail))
    throw new BadInput([
      { about: 'TAIL', message: `"${tail}" is not a count of lines`, remedy: 'for example TAIL=100' },
    ]);
  // `make logs | head` closes the pipe.
  process.stdout.on('error', () => {
    endChildren('SIGTERM');
    process.exit(STATUS.done);
  });
  const session = openSession(true);
  endSilentlyOnSignals();
  return logs(session, { ...(what === undefined ? {} : { what }), tail: Number(tail), follow });
}

void runAlone(import.meta);
