/** What a fault test is, and how its runs are judged: it completes, or ends with the true cause named in time. */
import { start, type Ran, type Running } from './run.ts';

/** From when the cause can be known until it is named, at most. */
const NAMED_WITHIN_S = 60;
/** The same command again, at most so often, until it completes. */
const MOST_RUNS = 3;

export interface Seen {
  command: string;
  runs: Ran[];
  /** When the cause could be known first, in milliseconds since the epoch; undefined: from the run's start. */
  knowableAt?: number;
  /** What names the true cause in the output. */
  cause: RegExp;
  /** What else was seen, such as how many calls were hit. */
  note?: string;
  /** The fault was not what it should be, so the run proves nothing. */
  unproven?: string;
}

export interface Fault {
  id: string;
  fault: string;
  done: string;
  /** Part of `make test`. */
  short?: true;
  /** Disturbs, runs, and takes the disturbance away whatever happens. */
  strike: () => Promise<Seen>;
}

export interface FaultResult {
  id: string;
  fault: string;
  done: string;
  command: string;
  result: string;
  /** From knowable to named; null where the first run completed. */
  secondsToNamed: number | null;
  /** The line that names the cause, or the last one of the run. */
  line: string;
  /** Seconds of all runs together. */
  seconds: number;
  passed: boolean;
}

/** The same command until it completes, at most three times; the first may be running already. */
export async function untilDone(args: readonly string[], envFile: string, id: string, first?: Running): Promise<Ran[]> {
  const runs = [await (first ?? start(args, envFile, id)).ended];
  while (runs.at(-1)?.status !== 0 && runs.length < MOST_RUNS) runs.push(await start(args, envFile, id).ended);
  return runs;
}

/** The test looks for the cause itself, and on a busy machine sees it later than the product. */
const LOOK_MS = 3000;

/** The verdict over a fault's runs. */
export function judge({ id, fault, done }: Pick<Fault, 'id' | 'fault' | 'done'>, seen: Seen): FaultResult {
  const { runs, cause, command } = seen;
  const first = runs[0];
  const completed = runs.at(-1)?.status === 0;
  const from = seen.knowableAt ?? first?.startedAt ?? 0;
  const named = first?.lines.find((l) => l.at >= from - LOOK_MS && cause.test(l.text));
  const atOnce = first?.status === 0;
  const secondsToNamed = atOnce || !named ? null : Math.max(0, (named.at - from) / 1000);
  const inTime = secondsToNamed !== null && secondsToNamed <= NAMED_WITHIN_S;
  const told = atOnce
    ? 'completes'
    : `ends with the cause named${completed ? `; the same command then completes (run ${runs.length})` : ''}`;
  const wrong = seen.unproven
    ? `the fault did not strike: ${seen.unproven}`
    : !completed
      ? `does not complete in ${runs.length} runs`
      : !atOnce && !named
        ? 'ends without naming the cause'
        : !atOnce && !inTime
          ? `names the cause too late`
          : undefined;
  const last = first?.lines.findLast((l) => /\d+ (done|unchanged|proven|failed)/.test(l.text)) ?? first?.lines.at(-1);
  return {
    id,
    fault,
    done: seen.note ? `${done}: ${seen.note}` : done,
    command,
    result: wrong === undefined ? told : `NOT AS IT SHOULD BE: ${wrong}`,
    secondsToNamed,
    line: (named ?? last)?.text.replace(/\s+/g, ' ').trim() ?? '',
    seconds: Math.round(runs.reduce((sum, r) => sum + (r.endedAt - r.startedAt), 0) / 1000),
    passed: wrong === undefined,
  };
}
