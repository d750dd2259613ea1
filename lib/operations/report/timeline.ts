/**
 * The timeline of a run: a table whose last column holds bars. Only the bars are SVG, in per cent of their column,
 * so the words stay readable on a phone; a chart library would draw one picture of fixed size.
 */
import { html } from 'hono/html';
import { elapsed } from '../../runner/show.ts';
import type { LastRun, StepRow } from './last-run.ts';

const TICKS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];
const MOST_TICKS = 5;

/** Markup of the table; every bar also says its span in words. */
export function timeline(run: LastRun) {
  const total = Math.max(run.durationMs, 1);
  const ticks = ticksOf(total);
  return html`<table class="timeline">
    <caption>
      One bar a step:
      ${['checking', 'applying', 'verifying'].map((state) => html`<span class="legend"><span class="key ${state}"></span>${state}</span> `)}
    </caption>
    <thead>
      <tr>
        <th scope="col">Step</th>
        <th scope="col">Ended</th>
        <th scope="col" class="number">Took</th>
        <th scope="col">
          <svg class="axis" height="16" aria-hidden="true">
            ${ticks.map((t) => html`<text x="${percent(t, total)}" y="12">${elapsed(t).replace('.0', '')}</text>`)}
          </svg>
          <span class="unseen">When</span>
        </th>
      </tr>
    </thead>
    <tbody>
      ${run.steps.map((step) => row(step, total, ticks))}
    </tbody>
  </table>`;
}

function row({ id, title, state, spans }: StepRow, total: number, ticks: readonly number[]) {
  const took = (spans.at(-1)?.to ?? 0) - (spans[0]?.from ?? 0);
  const words = spans.map((s) => `${s.state} from ${elapsed(s.from)} to ${elapsed(s.to)}`).join(', ');
  return html`<tr>
    <th scope="row">${id} <span class="title">${title}</span></th>
    <td class="state ${state}">${state}</td>
    <td class="number">${elapsed(took)}</td>
    <td class="bars">
      <svg height="14" role="img" aria-label="${words}">
        ${ticks.map((t) => html`<line x1="${percent(t, total)}" x2="${percent(t, total)}" y1="0" y2="14" />`)}
        ${spans.map(
          (s) =>
            html`<rect
              class="${s.state}"
              x="${percent(s.from, total)}"
              width="${percent(Math.max(s.to - s.from, total / 250), total)}"
              y="2"
              height="10"
            />`,
        )}
      </svg>
    </td>
  </tr>`;
}

/** At most six round times from 0 on, in milliseconds. */
function ticksOf(totalMs: number): number[] {
  const step = (TICKS_S.find((s) => totalMs / (s * 1000) <= MOST_TICKS) ?? totalMs / 1000 / MOST_TICKS) * 1000;
  return Array.from({ length: Math.floor((totalMs * 0.95) / step) + 1 }, (_, i) => i * step);
}

function percent(part: number, whole: number): string {
  return `${((part / whole) * 100).toFixed(2)}%`;
}
