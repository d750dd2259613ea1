/** The report as one HTML file: no script, nothing from outside (its own policy forbids it), light, dark and print. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { html, raw } from 'hono/html';
import type { Finding } from '../../chart/finding.ts';
import { elapsed } from '../../runner/show.ts';
import type { Report } from './report.ts';
import { timeline } from './timeline.ts';

const POLICY = "default-src 'none'; style-src 'unsafe-inline'";
const MARKS = { proven: '✓', unproven: '?', failed: '✗' } as const;

/** The whole page. */
export async function page(report: Report): Promise<string> {
  const style = readFileSync(join(import.meta.dirname, 'page.css'), 'utf8');
  const text = await html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <title>Kubently at ${report.host}: ${headline(report)}</title>
        <style>
          ${raw(style)}
        </style>
      </head>
      <body>
        <header>
          <h1>Kubently at ${report.host}</h1>
          <p class="verdict ${worst(report)}">${headline(report)}</p>
          <p>Project ${report.project}. Read and proven <time datetime="${report.made}">${when(report.made)}</time>.</p>
        </header>
        <nav aria-label="Parts of this report">
          <a href="#criteria">Criteria</a> <a href="#deployed">What is deployed</a> <a href="#changes">Changes</a>
          <a href="#run">Last run</a> <a href="#findings">Chart findings</a>
        </nav>
        <main>${criteria(report)} ${deployed(report)} ${changes(report)} ${run(report)} ${findings(report)}</main>
      </body>
    </html> `;
  return String(text);
}

/** Without the list of what is not proven: it follows. */
function headline({ verdict }: Report): string {
  return verdict.split(';')[0] ?? verdict;
}

function worst({ criteria: rows }: Report): string {
  return rows.some((c) => c.state === 'failed')
    ? 'failed'
    : rows.some((c) => c.state === 'unproven')
      ? 'unproven'
      : 'proven';
}

function criteria({ criteria: rows }: Report) {
  return html`<section id="criteria">
    <h2>The 13 success criteria</h2>
    <ol>
      ${rows.map(
        (c) =>
          html`<li value="${c.number}">
            <h3><span class="state ${c.state}">${MARKS[c.state]} ${c.state}</span> ${c.title}</h3>
            <p class="evidence">${c.text}</p>
          </li>`,
      )}
    </ol>
  </section>`;
}

function deployed({ facts }: Report) {
  const sections = [...new Set(facts.map((f) => f.section))];
  return html`<section id="deployed">
    <h2>What is deployed</h2>
    ${sections.map(
      (section) =>
        html`<h3>${section}</h3>
          <dl>
            ${facts
              .filter((f) => f.section === section)
              .map(
                (f) =>
                  html`<div>
                    <dt>${f.name}</dt>
                    <dd>${f.value}</dd>
                  </div>`,
              )}
          </dl>`,
    )}
  </section>`;
}

function changes({ since }: Report) {
  const none = since ? 'Nothing differs.' : 'This is the first report kept here.';
  const title = since ? html`Changes since <time datetime="${since.made}">${when(since.made)}</time>` : 'Changes';
  return html`<section id="changes">
    <h2>${title}</h2>
    ${
      since && since.changes.length > 0
        ? html`<dl>
            ${since.changes.map(
              (c) =>
                html`<div>
                  <dt>${c.what}</dt>
                  <dd><del>${c.before ?? 'nothing'}</del> <ins>${c.after ?? 'nothing'}</ins></dd>
                </div>`,
            )}
          </dl>`
        : html`<p>${none}</p>`
    }
  </section>`;
}

function run({ lastRun }: Report) {
  return html`<section id="run">
    <h2>Last run</h2>
    ${
      lastRun
        ? html`<p>
              <code>${lastRun.what}</code> by ${lastRun.user},
              <time datetime="${lastRun.started}">${when(lastRun.started)}</time>: ${lastRun.state} after
              ${elapsed(lastRun.durationMs)}.
            </p>
            ${timeline(lastRun)}`
        : html`<p>The journal of this checkout tells of no run with these settings.</p>`
    }
  </section>`;
}

function findings({ findings: releases, chartError }: Report) {
  return html`<section id="findings">
    <h2>Findings on the chart</h2>
    ${chartError === undefined ? '' : html`<p class="evidence">${chartError}</p>`}
    ${releases.map(
      ({ release, findings: list }) =>
        html`<h3>Release ${release}</h3>
          ${
            list.length === 0
              ? html`<p>None.</p>`
              : html`<ul class="findings">
                  ${list.map(finding)}
                </ul>`
          }`,
    )}
  </section>`;
}

function finding({ grade, id, object, path, message, remedy }: Finding) {
  const where = [object, path].flatMap((part) => (part === undefined ? [] : [` ${part}`])).join('');
  return html`<li>
    <span class="state ${grade === 'error' ? 'failed' : 'unproven'}">${grade}</span> <code>${id}</code>${where}:
    ${message}. <span class="remedy">${remedy}</span>
  </li>`;
}

function when(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`;
}
