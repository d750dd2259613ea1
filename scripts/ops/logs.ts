/** Follows the logs of both clusters. `--what api|executor|remote:ID|ingress|cert-manager`, `--tail 100`, `--no-follow` for CI. */
import { Command, InvalidArgumentError } from 'commander';
import { endChildren } from '../../lib/base/command.ts';
import { explain } from '../../lib/base/failure.ts';
import { complain } from '../../lib/base/say.ts';
import { followStream, inOrder, lastLines, logStreams, type LogLine } from '../../lib/operations/log-streams.ts';
import { ownArguments } from '../entry.ts';
import { runProgram } from '../program.ts';
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

const args = ownArguments(import.meta);
if (args) {
  const program = new Command('logs')
    .description('Follows the logs of the deployment in all clusters.')
    .option('--what <log>', 'api, executor, remote:ID, ingress or cert-manager; all of them without it')
    .option('--tail <lines>', 'lines of each pod to begin with', wholeNumber, 100)
    .option('--no-follow', 'end after these lines, in order of time');
  // `make logs | head` closes the pipe.
  process.stdout.on('error', () => {
    endChildren('SIGTERM');
    process.exit(STATUS.done);
  });
  void runProgram(program, args, () => logs(openSession(true), program.opts<LogFlags>()));
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('must be a whole number');
  return Number(text);
}
