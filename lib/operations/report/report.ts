/** What a report says: everything that page.ts shows and `--json` prints; kept to be compared with the next one. */
import type { Finding } from '../../chart/finding.ts';
import type { Outcome } from '../../runner/criterion.ts';
import type { Fact } from './facts.ts';
import type { LastRun } from './last-run.ts';

export interface CriterionRow {
  number: number;
  title: string;
  state: Outcome['state'];
  /** Evidence, or why it is not proven. */
  text: string;
}

export interface ReleaseFindings {
  release: string;
  findings: Finding[];
}

export interface Change {
  what: string;
  /** undefined: it was not there before, or is not there now. */
  before: string | undefined;
  after: string | undefined;
}

export interface Report {
  /** ISO 8601. */
  made: string;
  host: string;
  project: string;
  /** The last line of `make verify`. */
  verdict: string;
  criteria: CriterionRow[];
  facts: Fact[];
  lastRun: LastRun | undefined;
  findings: ReleaseFindings[];
  /** Why the chart could not be judged. */
  chartError: string | undefined;
  /** Against which report, and what differs; undefined for the first one. */
  since: { made: string; changes: Change[] } | undefined;
}
