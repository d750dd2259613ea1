// Preloaded into a run of the runbook: what it starts and asks, and when, as JSON into the file $BENCH_SPANS at its end.
import diagnostics from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
const children = [];
const requests = [];
diagnostics.subscribe('child_process', ({ process: child }) => {
  const span = { binary: '', from: performance.now(), to: 0 };
  children.push(span);
  child.on('close', () => {
    const words = child.spawnargs.join(' ');
    Object.assign(span, { binary: /exec (\w+)/.exec(words)?.[1] ?? child.spawnfile, to: performance.now() });
  });
});
const open = new Map();
diagnostics.subscribe('http.client.request.start', ({ request }) => {
  const span = {
    host: request.getHeader('host'),
    method: request.method,
    path: request.path,
    from: performance.now(),
    to: 0,
  };
  requests.push(span);
  open.set(request, span);
});
const close = ({ request }) => {
  const span = open.get(request);
  if (span) span.to = performance.now();
};
diagnostics.subscribe('http.client.response.finish', close);
diagnostics.subscribe('http.client.request.error', close);
process.on('exit', () =>
  writeFileSync(
    process.env.BENCH_SPANS,
    JSON.stringify({ children, requests, rssKb: process.resourceUsage().maxRSS, endedAt: performance.now() }),
  ),
);
