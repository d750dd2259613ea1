/** The runs so far, newest last: when, who, what, result, duration, and what failed. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { BadInput } from '../../lib/base/failure.ts';
import { runsOf, type RunRecord } from '../../lib/runner/history.ts';
import { ownArguments } from '../entry.ts';
import { runProgram } from '../program.ts';
import { elapsed, screen, type Screen } from '../../lib/runner/show.ts';
import { STATUS } from '../../lib/base/exit-status.ts';
import { RUNBOOK_FOLDER } from '../../lib/base/paths.ts';

const program = new Command('history')
  .description('The runs so far, from .runbook/journal.jsonl. It is history for people; nothing is decided by it.')
  .option('--last <n>', 'how many runs', '20')
  .option('--json', 'one JSON array');

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

const args = ownArguments(import.meta);
if (args)
  void runProgram(program, args, () => {
    const { last, json } = program.opts<{ last: string; json?: true }>();
    return Promise.resolve(history(last, json === true, screen()));
  });
