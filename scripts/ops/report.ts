/** Writes a page to hand over: criteria with evidence, what is deployed, changes, the last run, chart findings. `--out FILE`, `--json` */
import { writeFileSync } from 'node:fs';
import { outFile } from '../../lib/base/out-path.ts';
import { runAlone } from '../entry.ts';
import { gatherReport } from '../../lib/operations/report/gather.ts';
import { keepReport, reportsFolder } from '../../lib/operations/report/kept-reports.ts';
import { page } from '../../lib/operations/report/page.ts';
import { printable } from '../../lib/base/say.ts';
import type { Session } from '../../lib/runner/session.ts';
import { STATUS } from '../../lib/base/exit-status.ts';
import { stepsFor } from '../steps.ts';
import { CRITERIA } from '../criteria/criteria.ts';

export interface ReportFlags {
  out?: string;
  json?: true;
}

/** Makes the report and keeps it. @returns the status that `make verify` would give */
export async function report(session: Session, flags: ReportFlags): Promise<number> {
  const { ctx, out } = session;
  const asked = flags.out === undefined ? undefined : outFile(flags.out);
  // Boxes every token, so that it is scrubbed.
  ctx.tokens();
  const gathered = await gatherReport(session, stepsFor(ctx.settings), CRITERIA);
  const json = printable(JSON.stringify(gathered, null, 2));
  const kept = keepReport(reportsFolder(ctx.settings.host), gathered.made, json);
  const file = asked ?? `${kept}.html`;
  writeFileSync(file, printable(await page(gathered)));
  if (flags.json) out.line(json);
  else out.line(`${file}: ${gathered.verdict}`);
  const states = gathered.criteria.map((c) => c.state);
  return states.includes('failed') ? STATUS.failed : states.includes('unproven') ? STATUS.unproven : STATUS.done;
}

void runAlone(import.meta);
