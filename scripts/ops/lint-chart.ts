/** Proves the chart of KUBENTLY_REPO complete for every release, without a cluster. `--json` for CI. */
import { STATUS } from '../../lib/base/exit-status.ts';
import { BadInput, explain } from '../../lib/base/failure.ts';
import { say } from '../../lib/base/say.ts';
import { ChartRefused } from '../../lib/chart/finding.ts';
import { fitAll } from '../../lib/deployment/release/fit-all.ts';
import { hasErrors, report } from '../../lib/operations/chart-report.ts';
import { runAlone } from '../entry.ts';

/** Prints every finding and the verdict. @returns the exit status */
export async function lintChart(json: boolean): Promise<number> {
  const print = (text: string, document: unknown): void => {
    say(json ? JSON.stringify(document, null, 2) : text);
  };
  try {
    const { chart, releases } = await fitAll(process.env);
    const bad = hasErrors(releases);
    const list = releases.map(({ name, spec: { release, namespace }, fit: { findings } }) => ({
      name,
      release,
      namespace,
      findings,
    }));
    const verdict = bad ? `${chart} does not fit` : `${chart} fits`;
    print(`${report(releases)}\n${verdict}`, { chart, ok: !bad, releases: list });
    return bad ? STATUS.failed : STATUS.done;
  } catch (error) {
    const reason = error instanceof ChartRefused ? { reason: error.reason, firstChart: error.firstChart } : {};
    print(explain(error), { ok: false, error: explain(error), ...reason, releases: [] });
    return error instanceof BadInput ? STATUS.badInput : STATUS.failed;
  }
}

void runAlone(import.meta);
