/** Gathers a report: proves the criteria, reads what is deployed, judges the chart, and compares with the last report. */
import { join } from 'node:path';
import { fitAll } from '../../deployment/release/fit-all.ts';
import { proveAll, verdict, type Criterion, type Outcome } from '../../runner/criterion.ts';
import { BadInput, explain } from '../../base/failure.ts';
import type { Step } from '../../step.ts';
import type { Session } from '../../runner/session.ts';
import { changesBetween } from './changes.ts';
import { readFacts } from './facts.ts';
import { previousReport, reportsFolder } from './kept-reports.ts';
import { journalText, lastRun } from './last-run.ts';
import type { CriterionRow, ReleaseFindings, Report } from './report.ts';
import { RUNBOOK_FOLDER } from '../../base/paths.ts';

/** The report of now. It is made of what can be read: a deployment that is broken has one too. */
export async function gatherReport(
  { ctx, journal }: Session,
  steps: readonly Step[],
  criteria: readonly Criterion[],
): Promise<Report> {
  const { settings } = ctx;
  const [outcomes, facts, chart] = await Promise.all([
    Promise.all(proveAll(criteria, ctx, journal)),
    readFacts(ctx),
    chartFindings(),
  ]);
  const report: Report = {
    made: new Date(ctx.clock.now()).toISOString(),
    host: settings.host,
    project: settings.project,
    verdict: verdict(outcomes),
    criteria: outcomes.map(criterionRow),
    facts,
    lastRun: lastRun(journalText(join(RUNBOOK_FOLDER, 'journal.jsonl')), settings.file, steps),
    ...chart,
    since: undefined,
  };
  const before = previousReport(reportsFolder(settings.host));
  return before ? { ...report, since: { made: before.made, changes: changesBetween(before, report) } } : report;
}

function criterionRow(outcome: Outcome): CriterionRow {
  const { number, title } = outcome.criterion;
  switch (outcome.state) {
    case 'proven':
      return { number, title, state: outcome.state, text: outcome.evidence };
    case 'unproven':
      return { number, title, state: outcome.state, text: outcome.reason };
    case 'failed':
      return { number, title, state: outcome.state, text: explain(outcome.error) };
  }
}

async function chartFindings(): Promise<{ findings: ReleaseFindings[]; chartError: string | undefined }> {
  try {
    const { releases } = await fitAll(process.env);
    return {
      findings: releases.map(({ name, fit }) => ({ release: name, findings: fit.findings })),
      chartError: undefined,
    };
  } catch (error) {
    if (error instanceof BadInput) throw error;
    return { findings: [], chartError: explain(error) };
  }
}
