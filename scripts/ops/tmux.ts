/** A tmux session of the deployment: the run, the live status and the logs. The run outlives the connection. */
import { inTerminal, outputNow } from '../../lib/base/command.ts';
import { BadInput, Failure } from '../../lib/base/failure.ts';
import { say } from '../../lib/base/say.ts';
import { leaseName } from '../../lib/runner/lock.ts';
import { runAlone } from '../entry.ts';
import { loadSettings, type Settings } from '../../lib/settings/settings.ts';
import { STATUS } from '../../lib/base/exit-status.ts';

const STATUS_EVERY_S = 15;
/** Before there is a pod, and after all have gone. */
const LOGS_AGAIN_S = 5;

/** Opens or attaches; without a terminal it only opens. @throws BadInput where tmux is not installed */
export function tmux(settings: Settings): number {
  if (outputNow('tmux', ['-V']) === undefined)
    throw new BadInput([
      { about: 'tmux', message: 'is not installed', remedy: 'apt-get install tmux, or brew install tmux' },
    ]);
  const session = leaseName(settings);
  const there = outputNow('tmux', ['has-session', '-t', `=${session}`]) !== undefined;
  if (!there) open(session, settings);
  if (!process.stdout.isTTY) {
    say(`${there ? 'it runs' : 'opened'}: tmux attach-session -t '=${session}'`);
    return STATUS.done;
  }
  const attach = process.env['TMUX'] ? 'switch-client' : 'attach-session';
  return inTerminal('tmux', [attach, '-t', `=${session}`]) === 0 ? STATUS.done : STATUS.failed;
}

function open(session: string, settings: Settings): void {
  const shell = '; exec "${SHELL:-/bin/sh}"';
  // The old picture stays until the new one is whole.
  const status = `while :; do s=$(./runbook status 2>&1); clear; date; echo "$s"; sleep ${STATUS_EVERY_S}; done`;
  const logs = `while :; do make --no-print-directory logs; sleep ${LOGS_AGAIN_S}; done`;
  const place = ['-c', process.cwd(), '-e', `ENV_FILE=${settings.file}`];
  const say = (args: readonly string[]): string => {
    const answer = outputNow('tmux', args);
    if (answer === undefined) throw new Failure({ what: `tmux ${args[0] ?? ''} failed`, next: 'tmux ls' });
    return answer;
  };
  const paneOf = ['-P', '-F', '#{pane_id}'];
  const run = say(['new-session', '-d', '-s', session, ...paneOf, ...place, `make deploy${shell}`]);
  const right = say(['split-window', '-h', '-l', '45%', '-t', run, ...paneOf, ...place, status]);
  say(['split-window', '-v', '-t', right, ...place, logs]);
  say(['select-pane', '-t', run]);
}

/** `tmux` as it is typed. @throws BadInput with every problem of the settings, or where tmux is not installed */
export function openTmux(): number {
  return tmux(loadSettings());
}

void runAlone(import.meta);
