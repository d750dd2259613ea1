/** Proves the chart of KUBENTLY_REPO complete for every release, without a cluster. `--json` for CI. */
import { parseArgs } from 'node:util';
import { fitAll } from '../../lib/deployment/release/fit-all.ts';
import { ChartRefused } from '../../lib/chart/finding.ts';
import { hasErrors, report } from '../../lib/operations/chart-report.ts';
import { BadInput, explain } from '../../lib/base/failure.ts';

const { values: flags } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const print = (text: string, json: unknown): void => {
  process.stdout.write(`${flags.json ? JSON.stringify(json, null, 2) : text}\n`);
};

try {
  const { chart, releases } = await fitAll(process.env);
  const bad = hasErrors(releases);
  const list = releases.map(({ name, meaning: { release, namespace }, fit: { findings } }) => ({
    name,
    release,
    namespace,
    findings,
  }));
  const verdict = bad ? `${chart} does not fit` : `${chart} fits`;
  print(`${report(releases)}\n${verdict}`, { chart, ok: !bad, releases: list });
  process.exitCode = bad ? 1 : 0;
} catch (error) {
  const reason = error instanceof ChartRefused ? { reason: error.reason, firstChart: error.firstChart } : {};
  print(explain(error), { ok: false, error: explain(error), ...reason, releases: [] });
  process.exitCode = error instanceof BadInput ? 2 : 1;
}
