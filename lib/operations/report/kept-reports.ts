/** The reports of a deployment, kept as JSON in .runbook/<host>/reports for the comparison with the next one. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from './report.ts';
import { RUNBOOK_FOLDER } from '../../base/paths.ts';

/** Where the reports of a host lie. */
export function reportsFolder(host: string, root = RUNBOOK_FOLDER): string {
  return join(root, host, 'reports');
}

/** The newest kept report; undefined where there is none that can be read. */
export function previousReport(folder: string): Report | undefined {
  if (!existsSync(folder)) return undefined;
  const names = readdirSync(folder).filter((n) => n.endsWith('.json'));
  for (const name of names.sort().reverse()) {
    try {
      return JSON.parse(readFileSync(join(folder, name), 'utf8')) as Report;
    } catch {
      // A report that was cut off by a full disk must not stop the next one.
    }
  }
  return undefined;
}

/** Writes a report of this time. @returns its path without ending: `.json` is written */
export function keepReport(folder: string, made: string, text: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, made.replaceAll(/[:.]/g, '-'));
  writeFileSync(`${path}.json`, text, { mode: 0o600 });
  return path;
}
