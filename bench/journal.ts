/** What the runbook's journal says of runs that the bench made. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { STEPS } from '../scripts/steps.ts';
import { ROOT } from './measure.ts';

export interface Line {
  time: string;
  event: string;
  step?: string;
  state?: string;
  reason?: string;
  durationMs?: number;
}

/** The lines from a moment on. */
export function journalSince(at: Date): Line[] {
  const file = join(ROOT, '.runbook', 'journal.jsonl');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((l) => JSON.parse(l) as Line)
    .filter((l) => l.time >= at.toISOString());
}

/**
 * The longest chain of a run: from the step that ended last back through what it needed last, each with its own time
 * only. A run on a machine without limit could not be shorter, as its steps are. @returns ms, and the steps of the chain
 */
export function criticalPath(lines: readonly Line[]): { ms: number; steps: string[] } {
  const ended = new Map<string, { from: number; to: number }>();
  for (const { event, step, durationMs, time } of lines)
    if (event === 'step' && step !== undefined && durationMs !== undefined) {
      const to = Date.parse(time);
      ended.set(step, { from: to - durationMs, to });
    }
  const steps: string[] = [];
  let ms = 0;
  let at = [...ended].sort((a, b) => b[1].to - a[1].to)[0]?.[0];
  while (at !== undefined) {
    const own = ended.get(at);
    if (!own) break;
    steps.unshift(at);
    const found = STEPS.find((s) => s.id === at);
    const needs = [...(found?.needs ?? []), ...(found?.needsToVerify ?? [])];
    const last = needs.filter((n) => ended.has(n)).sort((a, b) => (ended.get(b)?.to ?? 0) - (ended.get(a)?.to ?? 0))[0];
    ms += own.to - Math.max(own.from, last === undefined ? 0 : (ended.get(last)?.to ?? 0));
    at = last;
  }
  return { ms, steps };
}
