/** The runs so far, newest last: when, who, what, result, duration, and what failed. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BadInput } from '../../lib/base/failure.ts';
import { runsOf, type RunRecord } from '../../lib/runner/history.ts';
import { runAlone } from '../entry.ts';
import { elapsed, screen, type Screen } from '../../lib/runner/show.ts';
import { STATUS } from '../../lib/base/exit-status.ts';
import { RUNBOOK_FOLDER } from '../../lib/base/paths.ts';

/** Prints the last runs of a journal. @throws BadInput on a count that is none */
export function history(last: string, json: boolean, out: Screen, folder = RUNBOOK_FOLDER): number {
  if (!/^[1-9]\d*$/.test(last))
    throw new BadInput([{ about: 'LAST', message: `"${last}" is not a count of runs`, remedy: 'for example LAST=20' }]);
  const path = join(folder, 'journal.jsonl');
  const runs = (existsSync(path) ? runsOf(readFileSync(path, 'utf8')) : []).slice(-Number(last));
  if (json) out.line(JSON.stringify(runs, null, 2));
  else if (runs.length === 0) out.line('no runs yet');
  else runs.flatMap(lines).forEach((line) => out.line(line));
  return STATUS.done;
}

function lines({ time, user, host, commit, what, result, durationMs, reason, failed, remarks }: RunRecord): string[] {
  const took = durationMs === undefined ? '' : elapsed(durationMs);
  const head = `${time.slice(0, 19).replace('T', ' ')}  ${`${user}@${host}`.padEnd(16)} ${commit.padEnd(9)} ${what.padEnd(24)} ${result.padEnd(15)} ${took}`;
  const below = [...(reason === undefined ? [] : [reason]), ...failed.map((f) => `${f.step} ${f.reason}`), ...remarks];
  return [head.trimEnd(), ...below.map((text) => `    ${text}`)];
}

/** `history` as it is typed. @throws BadInput on a count that is none */
export function showHistory(last: string, json: boolean): number {
  return history(last, json, screen());
}

void runAlone(import.meta);
